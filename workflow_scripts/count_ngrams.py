"""Count n-grams."""

from lexiscope.language_modelling.ngram import count_ngrams

count_ngrams(
    corpus=snakemake.input.corpus,
    vocabulary=snakemake.input.vocabulary,
    identity=snakemake.params.identity,
    protocol=snakemake.params.protocol,
    scores=snakemake.output.scores,
    items=snakemake.output.per_item,
    history=snakemake.output.history,
    max_tokens=snakemake.params.max_tokens,
    log=snakemake.log[0],
)
