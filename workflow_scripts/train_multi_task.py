"""Train language models that predict the domain of their text as well."""

from lexiscope.language_modelling.multi_task import train_multi_task

train_multi_task(
    labelled=next(iter(snakemake.input.labelled)),
    config=snakemake.params.config,
    protocol=snakemake.params.protocol,
    output=snakemake.output.figures,
    checkpoint=snakemake.params.checkpoint,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
