"""Train fastText."""

from lexiscope.embeddings.fasttext import train_fasttext

train_fasttext(
    corpus=snakemake.input.corpus,
    lexicon=snakemake.input.lexicon[0],
    config=snakemake.params.config,
    output=snakemake.output.space,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
