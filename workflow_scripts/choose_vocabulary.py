"""List the words that language models share."""

from lexiscope.language_modelling.vocabulary import choose_vocabulary

choose_vocabulary(
    corpus=snakemake.input.corpus,
    spaces=snakemake.input.spaces,
    size=snakemake.params.size,
    output=snakemake.output.words,
    log=snakemake.log[0],
)
