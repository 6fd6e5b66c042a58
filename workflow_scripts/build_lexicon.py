"""Choose the words that all spaces share."""

from lexiscope.corpora.lexicon import build_lexicon

build_lexicon(
    corpus=snakemake.input.corpus,
    size=snakemake.params.size,
    output=snakemake.output.lexicon,
    log=snakemake.log[0],
)
