"""Take the words of the lexicon out of an imported softmax layer."""

from lexiscope.language_models.imports.align import align_space

align_space(
    layer=snakemake.input.layer,
    lexicon=next(iter(snakemake.input.lexicon), None),
    config=snakemake.params.config,
    output=snakemake.output.space,
    log=snakemake.log[0],
)
