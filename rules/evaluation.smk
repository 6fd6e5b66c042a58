# Stage 6, evaluation. Needs: spaces and benchmark receipts. Makes: scores and items of each, and of all.


rule evaluate_space:
    """Score the space {wildcards.space} on the task {wildcards.task}."""
    input:
        space=space_file("{space}"),
        receipts=lambda wildcards: map(receipt_file, PLAN.tasks[wildcards.task]),
    output:
        scores=f"{RESULTS}/scores/{{space}}.{{task}}.parquet",
        per_item=f"{RESULTS}/scores/{{space}}.{{task}}.items.parquet",
    log:
        f"{LOGS}/evaluate_space/{{space}}.{{task}}.log",
    benchmark:
        f"{TIMINGS}/evaluate_space.{{space}}.{{task}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces()),
        task=one_of(PLAN.tasks),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(100),
    params:
        datasets=lambda wildcards: list(PLAN.tasks[wildcards.task]),
        protocol=settings_of(STUDY.protocol),
        identity=lambda wildcards: {
            "study": STUDY.study,
            "space": wildcards.space,
            "model": PLAN.model_of(wildcards.space),
            "seed": PLAN.space_seed(wildcards.space),
            "config_sha256": PLAN.config_sha256(wildcards.space),
            "code_version": f"{__version__}+{digest('evaluate_space')}",
        },
        code=digest("evaluate_space"),
    script:
        "../workflow_scripts/evaluate_space.py"


rule evaluate_l2_path:
    """Score every space of the path {wildcards.path} on the task {wildcards.task}."""
    input:
        path=path_folder("{path}"),
        receipts=lambda wildcards: map(receipt_file, PLAN.tasks[wildcards.task]),
    output:
        scores=f"{RESULTS}/scores/{{path}}.{{task}}.parquet",
        per_item=f"{RESULTS}/scores/{{path}}.{{task}}.items.parquet",
    log:
        f"{LOGS}/evaluate_l2_path/{{path}}.{{task}}.log",
    benchmark:
        f"{TIMINGS}/evaluate_l2_path.{{path}}.{{task}}.tsv"
    wildcard_constraints:
        path=one_of(STUDY.l2_paths),
        task=one_of(PLAN.tasks),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(50),
    params:
        datasets=lambda wildcards: list(PLAN.tasks[wildcards.task]),
        protocol=settings_of(STUDY.protocol),
        identity=lambda wildcards: {
            "study": STUDY.study,
            "space": wildcards.path,
            "model": PLAN.model_of(STUDY.l2_paths[wildcards.path].of),
            "seed": PLAN.path_seed(wildcards.path),
            "config_sha256": PLAN.path_sha256(wildcards.path),
            "code_version": f"{__version__}+{digest('evaluate_l2_path')}",
        },
        code=digest("evaluate_l2_path"),
    script:
        "../workflow_scripts/evaluate_l2_path.py"


rule merge_scores:
    """Put all scores into one table, and all items into another."""
    input:
        scores=[
            f"{RESULTS}/scores/{scored}.{task}.parquet"
            for scored in (*PLAN.spaces(), *STUDY.l2_paths)
            for task in PLAN.tasks
        ],
        per_item=[
            f"{RESULTS}/scores/{scored}.{task}.items.parquet"
            for scored in (*PLAN.spaces(), *STUDY.l2_paths)
            for task in PLAN.tasks
        ],
    output:
        scores=f"{REPORTS}/scores.parquet",
        per_item=f"{REPORTS}/items.parquet",
    log:
        f"{LOGS}/merge_scores.log",
    benchmark:
        f"{TIMINGS}/merge_scores.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(100),
    params:
        code=digest("merge_scores"),
    script:
        "../workflow_scripts/merge_scores.py"
