"""Write the report."""

from lexiscope.report.build import build_report

build_report(
    study=snakemake.params.study,
    scores=snakemake.input.scores,
    items=snakemake.input.per_item,
    claims=snakemake.input.claims,
    comparisons=snakemake.input.comparisons,
    spaces=dict(zip(snakemake.params.spaces, snakemake.input.spaces, strict=True)),
    histories=dict(zip(snakemake.params.models, snakemake.input.histories, strict=True)),
    corpora=dict(zip(snakemake.params.corpora, snakemake.input.corpora, strict=True)),
    paths=dict(zip(snakemake.params.paths, snakemake.input.paths, strict=True)),
    bias_predictions=dict(
        zip(snakemake.params.bias_predictions, snakemake.input.bias_predictions, strict=True)
    ),
    maps=dict(zip(snakemake.params.maps, snakemake.input.maps, strict=True)),
    experiments=dict(zip(snakemake.params.experiments, snakemake.input.experiments, strict=True)),
    rank_probe=snakemake.input.rank_probe,
    multi_task=snakemake.input.multi_task,
    domains=dict(zip(snakemake.params.domains, snakemake.input.domains, strict=True)),
    receipts=dict(zip(snakemake.params.datasets, snakemake.input.receipts, strict=True)),
    timings=snakemake.params.timings,
    output=snakemake.output.report,
    figures=snakemake.output.figures,
    log=snakemake.log[0],
)
