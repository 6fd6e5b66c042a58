# Stage 6a, probes. Needs: treebanks. Makes: probing tasks in SentEval's format, with a receipt.


rule build_probe:
    """Make probing tasks of the treebank behind {wildcards.probe}."""
    input:
        receipt=lambda wildcards: treebank_receipt(wildcards.probe),
        files=lambda wildcards: STUDY.probes[wildcards.probe].paths(),
    output:
        receipt=f"{RESULTS}/probes/{{probe}}.json",
        folder=directory(f"{RESULTS}/probes/{{probe}}"),
    log:
        f"{LOGS}/build_probe/{{probe}}.log",
    benchmark:
        f"{TIMINGS}/build_probe.{{probe}}.tsv"
    wildcard_constraints:
        probe=one_of(PLAN.probes),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000, per_input_mb=20),
        runtime=minutes(10),
    params:
        config=lambda wildcards: settings_of(STUDY.probes[wildcards.probe]),
        seed=lambda wildcards: PLAN.probe_seed(wildcards.probe),
        code=digest("build_probe"),
    script:
        "../workflow_scripts/build_probe.py"
