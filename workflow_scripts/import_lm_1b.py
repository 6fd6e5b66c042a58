"""Read the softmax layer of the released lm_1b."""

from lexiscope.language_models.imports.lm_1b import import_lm_1b

import_lm_1b(
    folder=snakemake.params.folder,
    lexicon=next(iter(snakemake.input.lexicon), None),
    config=snakemake.params.config,
    output=snakemake.output.layer,
    log=snakemake.log[0],
)
