"""Test the claims of the papers."""

from lexiscope.evaluation.claims import judge_claims

judge_claims(
    scores=snakemake.input.scores,
    items=snakemake.input.per_item,
    spaces=snakemake.params.spaces,
    roles=snakemake.params.roles,
    bias_predictions=snakemake.input.bias_predictions,
    output_spaces=snakemake.input.output_spaces,
    experiment_corpus=snakemake.params.experiment_corpus,
    protocol=snakemake.params.protocol,
    output=snakemake.output.claims,
    log=snakemake.log[0],
)
