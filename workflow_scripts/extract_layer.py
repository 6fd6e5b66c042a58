"""Take the whole softmax layer out of a trained language model."""

from lexiscope.language_models.extract import extract_layer

extract_layer(
    model=snakemake.input.model,
    corpus=snakemake.input.corpus,
    output=snakemake.output.layer,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
