"""Find the inputs that most activate each word."""

from lexiscope.activation_maximisation.maximise import maximise_activation

maximise_activation(
    output_space=snakemake.input.output_space,
    layer=next(iter(snakemake.input.layer), None),
    config=snakemake.params.config,
    output=snakemake.output.space,
    checkpoint=snakemake.params.checkpoint,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
