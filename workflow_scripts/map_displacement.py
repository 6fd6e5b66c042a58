"""Map words in two spaces, with arrows from one to the other."""

from lexiscope.analysis.maps import map_displacement

map_displacement(
    start=snakemake.input.start,
    end=snakemake.input.end,
    config=snakemake.params.config,
    output=snakemake.output.map,
    seed=snakemake.params.seed,
    threads=snakemake.threads,
    log=snakemake.log[0],
)
