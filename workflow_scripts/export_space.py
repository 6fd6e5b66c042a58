"""Write a space for other programs."""

from lexiscope.embeddings.export import export_space

export_space(
    space=snakemake.input.space,
    format=snakemake.params.format,
    output=snakemake.output.vectors,
    log=snakemake.log[0],
)
