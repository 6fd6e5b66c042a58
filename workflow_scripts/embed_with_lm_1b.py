"""Make input embeddings with the character CNN of lm_1b."""

from lexiscope.language_models.imports.lm_1b import embed_with_lm_1b

embed_with_lm_1b(
    folder=snakemake.params.folder,
    lexicon=next(iter(snakemake.input.lexicon), None),
    config=snakemake.params.config,
    output=snakemake.output.space,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
