"""Train a bidirectional language model and average its states."""

from lexiscope.domains.bilm import train_bilm

train_bilm(
    corpus=snakemake.input.corpus,
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
