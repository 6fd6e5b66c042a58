"""Make a control space of another space."""

from lexiscope.embeddings.transforms import transform_space

transform_space(
    space=snakemake.input.space,
    config=snakemake.params.config,
    output=snakemake.output.space,
    log=snakemake.log[0],
)
