"""Predict the softmax bias from output and activation-maximisation vectors."""

from lexiscope.analysis.bias_prediction import predict_bias

predict_bias(
    output_space=snakemake.input.output_space,
    am_space=snakemake.input.am_space,
    config=snakemake.params.config,
    output=snakemake.output.prediction,
    seed=snakemake.params.seed,
    log=snakemake.log[0],
)
