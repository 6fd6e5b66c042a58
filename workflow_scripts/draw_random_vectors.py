"""Draw Gaussian vectors for a control space."""

from lexiscope.embeddings.random_vectors import draw_random_vectors

draw_random_vectors(
    lexicon=next(iter(snakemake.input.lexicon), None),
    like=next(iter(snakemake.input.like), None),
    config=snakemake.params.config,
    output=snakemake.output.space,
    seed=snakemake.params.seed,
    log=snakemake.log[0],
)
