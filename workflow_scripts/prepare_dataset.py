"""Find, check or download a dataset."""

from lexiscope.data.prepare import prepare_dataset

prepare_dataset(
    dataset=snakemake.wildcards.dataset,
    source=snakemake.params.source,
    root=snakemake.params.root,
    receipt=snakemake.output.receipt,
    log=snakemake.log[0],
)
