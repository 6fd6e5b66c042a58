"""Find the domains of documents."""

from lexiscope.domains.labels import label_domains

label_domains(
    receipt=snakemake.input.receipt,
    files=snakemake.input.files,
    config=snakemake.params.config,
    seed=snakemake.params.seed,
    output=snakemake.output.folder,
    log=snakemake.log[0],
)
