"""Train small language models with embeddings as their input."""

from lexiscope.language_modelling.reverse_transfer import train_reverse_transfer

train_reverse_transfer(
    corpus=snakemake.input.corpus,
    vocabulary=snakemake.input.vocabulary,
    spaces=dict(zip(snakemake.params.names, snakemake.input.spaces, strict=True)),
    with_none=snakemake.params.with_none,
    config=snakemake.params.config,
    identities=snakemake.params.identities,
    protocol=snakemake.params.protocol,
    scores=snakemake.output.scores,
    items=snakemake.output.per_item,
    history=snakemake.output.history,
    models=snakemake.output.models,
    checkpoint=snakemake.params.checkpoint,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
