"""Train language models with frozen embeddings."""

from lexiscope.language_modelling.nnlm import train_nnlm

train_nnlm(
    corpus=snakemake.input.corpus,
    vocabulary=snakemake.input.vocabulary,
    kind=snakemake.params.kind,
    spaces=dict(zip(snakemake.params.names, snakemake.input.spaces, strict=True)),
    config=snakemake.params.config,
    identities=snakemake.params.identities,
    protocol=snakemake.params.protocol,
    scores=snakemake.output.scores,
    items=snakemake.output.per_item,
    history=snakemake.output.history,
    checkpoint=snakemake.params.checkpoint,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
