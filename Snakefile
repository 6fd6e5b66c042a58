from snakemake.utils import min_version

min_version("9.0")


# common.smk reads and checks the study: config.yaml, or the files given with --configfile (docs/studies.md).
include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/corpora.smk"
include: "rules/embeddings.smk"
include: "rules/language_models.smk"
include: "rules/activation_maximisation.smk"
include: "rules/domains.smk"
include: "rules/probes.smk"
include: "rules/evaluation.smk"
include: "rules/language_modelling.smk"
include: "rules/analysis.smk"
include: "rules/report.smk"


localrules:
    all,


rule all:
    default_target: True
    input:
        all_targets(),
