"""Take the input or output space out of a language model."""

from lexiscope.language_models.extract import extract_space

extract_space(
    model=snakemake.input.model,
    corpus=snakemake.input.corpus,
    lexicon=snakemake.input.lexicon[0],
    which=snakemake.params.which,
    output=snakemake.output.space,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
