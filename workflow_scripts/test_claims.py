"""Test the claims of the papers."""

from lexiscope.evaluation.claims import test_claims

test_claims(
    scores=snakemake.input.scores,
    items=snakemake.input.per_item,
    spaces=snakemake.params.spaces,
    roles=snakemake.params.roles,
    bias_predictions=snakemake.input.bias_predictions,
    protocol=snakemake.params.protocol,
    output=snakemake.output.claims,
    log=snakemake.log[0],
)
