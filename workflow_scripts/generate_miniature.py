"""Make the artificial language and its benchmarks."""

from lexiscope.data.miniature.write import generate_miniature

generate_miniature(
    root=snakemake.params.root,
    seed=snakemake.params.seed,
    config=snakemake.params.config,
    marker=snakemake.output.marker,
    log=snakemake.log[0],
)
