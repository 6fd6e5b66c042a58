"""Score a space on a task."""

from lexiscope.evaluation.evaluate import evaluate_space

evaluate_space(
    space=snakemake.input.space,
    task=snakemake.wildcards.task,
    receipts=dict(zip(snakemake.params.datasets, snakemake.input.receipts, strict=True)),
    shared=snakemake.input.shared,
    protocol=snakemake.params.protocol,
    identity=snakemake.params.identity,
    scores=snakemake.output.scores,
    items=snakemake.output.per_item,
    log=snakemake.log[0],
)
