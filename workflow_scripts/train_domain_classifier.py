"""Train a domain classifier and average its states."""

from lexiscope.domains.domain_classifier import train_domain_classifier

train_domain_classifier(
    labelled=snakemake.input.labelled,
    lexicon=next(iter(snakemake.input.lexicon), None),
    config=snakemake.params.config,
    output=snakemake.output.space,
    history=snakemake.output.history,
    checkpoint=snakemake.params.checkpoint,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    device=snakemake.params.device,
    log=snakemake.log[0],
)
