"""List the words that all spaces share."""

from lexiscope.evaluation.shared_vocabulary import share_vocabulary

share_vocabulary(
    spaces=snakemake.input.spaces,
    output=snakemake.output.words,
    log=snakemake.log[0],
)
