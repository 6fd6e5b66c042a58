"""Make probing tasks of a treebank."""

from lexiscope.probes.build import build_probe

build_probe(
    name=snakemake.wildcards.probe,
    receipt=next(iter(snakemake.input.receipt), None),
    files=snakemake.input.files,
    config=snakemake.params.config,
    seed=snakemake.params.seed,
    output=snakemake.output.folder,
    receipt_output=snakemake.output.receipt,
    log=snakemake.log[0],
)
