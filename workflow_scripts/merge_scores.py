"""Put all scores into one table."""

from lexiscope.evaluation.merge import merge_scores

merge_scores(
    scores=snakemake.input.scores,
    items=snakemake.input.per_item,
    scores_output=snakemake.output.scores,
    items_output=snakemake.output.per_item,
    log=snakemake.log[0],
)
