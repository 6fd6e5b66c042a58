"""Read a softmax layer that the user brings."""

from lexiscope.language_models.imports.softmax_file import read_softmax_file

read_softmax_file(
    path=snakemake.input.file,
    config=snakemake.params.config,
    output=snakemake.output.layer,
    log=snakemake.log[0],
)
