"""Train word2vec."""

from lexiscope.embeddings.word2vec import train_word2vec

train_word2vec(
    corpus=snakemake.input.corpus,
    lexicon=snakemake.input.lexicon[0],
    config=snakemake.params.config,
    output=snakemake.output.space,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
