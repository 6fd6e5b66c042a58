"""Read, count and encode a corpus."""

from lexiscope.corpora.encode import encode_corpus

encode_corpus(
    receipts=snakemake.input.receipts,
    config=snakemake.params.config,
    output=snakemake.output.corpus,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
