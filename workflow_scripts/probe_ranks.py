"""Rank chosen words at their places."""

from lexiscope.language_modelling.rank_probe import probe_ranks

probe_ranks(
    models=snakemake.input.models,
    corpus=snakemake.input.corpus,
    vocabulary=snakemake.input.vocabulary,
    config=snakemake.params.config,
    protocol=snakemake.params.protocol,
    output=snakemake.output.ranks,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
