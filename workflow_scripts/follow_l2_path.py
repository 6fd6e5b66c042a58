"""Solve activation maximisation exactly over a grid of λ."""

from lexiscope.activation_maximisation.l2_path import follow_l2_path

follow_l2_path(
    output_space=snakemake.input.output_space,
    layer=next(iter(snakemake.input.layer), None),
    config=snakemake.params.config,
    output=snakemake.output.path,
    checkpoint=snakemake.params.checkpoint,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
