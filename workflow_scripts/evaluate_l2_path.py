"""Score every space of a λ path on one task."""

from lexiscope.evaluation.evaluate import evaluate_l2_path

evaluate_l2_path(
    path=snakemake.input.path,
    task=snakemake.wildcards.task,
    receipts=dict(zip(snakemake.params.datasets, snakemake.input.receipts, strict=True)),
    shared=snakemake.input.shared,
    protocol=snakemake.params.protocol,
    identity=snakemake.params.identity,
    scores=snakemake.output.scores,
    items=snakemake.output.per_item,
    log=snakemake.log[0],
)
