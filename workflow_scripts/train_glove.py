"""Train GloVe."""

from lexiscope.embeddings.glove import train_glove

train_glove(
    corpus=snakemake.input.corpus,
    lexicon=snakemake.input.lexicon[0],
    config=snakemake.params.config,
    output=snakemake.output.space,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    checkpoint=snakemake.params.checkpoint,
    log=snakemake.log[0],
)
