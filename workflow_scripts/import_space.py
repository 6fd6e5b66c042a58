"""Read the user's vectors."""

from lexiscope.embeddings.import_space import import_space

import_space(
    path=snakemake.input.vectors,
    lexicon=next(iter(snakemake.input.lexicon), None),
    config=snakemake.params.config,
    output=snakemake.output.space,
    log=snakemake.log[0],
)
