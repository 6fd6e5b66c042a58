"""Compare all spaces with one another."""

from lexiscope.evaluation.comparison import compare_spaces

compare_spaces(
    scores=snakemake.input.scores,
    items=snakemake.input.per_item,
    protocol=snakemake.params.protocol,
    output=snakemake.output.comparisons,
    log=snakemake.log[0],
)
