"""Make a space of the vectors that glove-python-binary trained."""

from lexiscope.embeddings.glove import adopt_glove_python

adopt_glove_python(
    vectors=snakemake.input.vectors,
    corpus=snakemake.input.corpus,
    lexicon=snakemake.input.lexicon[0],
    config=snakemake.params.config,
    output=snakemake.output.space,
    seed=snakemake.params.seed,
    log=snakemake.log[0],
)
