"""Read the softmax layer of a Hugging Face model."""

from lexiscope.language_models.imports.huggingface import import_huggingface

import_huggingface(
    config=snakemake.params.config,
    output=snakemake.output.layer,
    log=snakemake.log[0],
)
