"""Train a language model."""

from lexiscope.language_models.train import train_language_model

train_language_model(
    corpus=snakemake.input.corpus,
    config=snakemake.params.config,
    output=snakemake.output.model,
    history=snakemake.output.history,
    checkpoint=snakemake.params.checkpoint,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
