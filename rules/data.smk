# Stage 1, data. Needs: nothing, a mirror's folder, or the internet. Makes: a receipt for each dataset.


rule generate_miniature:
    """Make the artificial language and its benchmarks."""
    output:
        marker=f"{PLAN.data_root}/miniature.json",
    log:
        f"{LOGS}/generate_miniature.log",
    benchmark:
        f"{TIMINGS}/generate_miniature.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(100),
    params:
        root=lambda wildcards, output: str(Path(output.marker).parent),
        seed=STUDY.seed,
        config=settings_of(STUDY.data.miniature),
        code=digest("generate_miniature"),
    script:
        "../workflow_scripts/generate_miniature.py"


rule prepare_dataset:
    """Find, check or download the dataset {wildcards.dataset}."""
    input:
        marker=(
            rules.generate_miniature.output.marker
            if STUDY.data.source == "miniature"
            else []
        ),
        files=lambda wildcards: PLAN.dataset_inputs(wildcards.dataset),
    output:
        receipt=receipt_file("{dataset}"),
    log:
        f"{LOGS}/prepare_dataset/{{dataset}}.log",
    benchmark:
        f"{TIMINGS}/prepare_dataset.{{dataset}}.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000, per_input_mb=0),
        runtime=minutes(20, size=dataset_mb),
    params:
        source=STUDY.data.source,
        root=lambda wildcards: str(PLAN.data_root),
        code=digest("prepare_dataset"),
    script:
        "../workflow_scripts/prepare_dataset.py"
