"""Take a space of words out of a Hugging Face model."""

from lexiscope.language_models.imports.huggingface import extract_huggingface_space

extract_huggingface_space(
    config=snakemake.params.config,
    lexicon=next(iter(snakemake.input.lexicon), None),
    which=snakemake.params.which,
    output=snakemake.output.space,
    log=snakemake.log[0],
)
