# Stage 6, evaluation. Needs: spaces and benchmark receipts. Makes: scores and items of each, and of all;
# how the spaces differ; and what becomes of the papers' claims.


rule share_vocabulary:
    """List the words that all spaces share."""
    input:
        spaces=[space_file(space) for space in PLAN.spaces()],
    output:
        words=f"{RESULTS}/shared_vocabulary.txt",
    log:
        f"{LOGS}/share_vocabulary.log",
    benchmark:
        f"{TIMINGS}/share_vocabulary.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(100),
    params:
        code=digest("share_vocabulary"),
    script:
        "../workflow_scripts/share_vocabulary.py"


rule evaluate_space:
    """Score the space {wildcards.space} on the task {wildcards.task}."""
    input:
        space=space_file("{space}"),
        receipts=lambda wildcards: task_receipts(
            wildcards.task, PLAN.tasks[wildcards.task]
        ),
        shared=shared_vocabulary(),
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
        mem_mb=megabytes(3000),
        runtime=minutes(2),
    params:
        datasets=lambda wildcards: list(PLAN.tasks[wildcards.task]),
        protocol=settings_of(STUDY.protocol),
        identity=lambda wildcards: {
            "study": STUDY.study,
            "space": PLAN.public_name(wildcards.space),
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
        receipts=lambda wildcards: task_receipts(
            wildcards.task, PLAN.path_tasks(wildcards.path)[wildcards.task]
        ),
        shared=shared_vocabulary(),
    output:
        scores=f"{RESULTS}/scores/{{path}}.{{task}}.parquet",
        per_item=f"{RESULTS}/scores/{{path}}.{{task}}.items.parquet",
    log:
        f"{LOGS}/evaluate_l2_path/{{path}}.{{task}}.log",
    benchmark:
        f"{TIMINGS}/evaluate_l2_path.{{path}}.{{task}}.tsv"
    wildcard_constraints:
        path=one_of(STUDY.l2_paths),
        task=one_of(PLAN.tasks_on_paths),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(3000),
        runtime=minutes(1),
    params:
        datasets=lambda wildcards: list(PLAN.path_tasks(wildcards.path)[wildcards.task]),
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
            for scored, task in PLAN.evaluations
        ]
        + [
            f"{RESULTS}/language_modelling/{job}.parquet"
            for job in PLAN.language_modelling_scores
        ],
        per_item=[
            f"{RESULTS}/scores/{scored}.{task}.items.parquet"
            for scored, task in PLAN.evaluations
        ]
        + [
            f"{RESULTS}/language_modelling/{job}.items.parquet"
            for job in PLAN.language_modelling_scores
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


rule compare_spaces:
    """Compare all spaces with one another, on the items that both cover."""
    input:
        scores=rules.merge_scores.output.scores,
        per_item=rules.merge_scores.output.per_item,
    output:
        comparisons=f"{REPORTS}/comparisons.parquet",
    log:
        f"{LOGS}/compare_spaces.log",
    benchmark:
        f"{TIMINGS}/compare_spaces.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(2),
    params:
        protocol=settings_of(STUDY.protocol),
        code=digest("compare_spaces"),
    script:
        "../workflow_scripts/compare_spaces.py"


rule judge_claims:
    """Test the claims of the papers on the scores of this study."""
    input:
        scores=rules.merge_scores.output.scores,
        per_item=rules.merge_scores.output.per_item,
        bias_predictions=[prediction_file(space) for space in PLAN.predicted_biases],
        output_spaces=[space_file(space) for space in PLAN.spaces("lm_output")],
    output:
        claims=f"{REPORTS}/claims.parquet",
    log:
        f"{LOGS}/judge_claims.log",
    benchmark:
        f"{TIMINGS}/judge_claims.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(2),
    params:
        spaces={name: settings_of(STUDY.spaces[name]) for name in PLAN.plain_spaces},
        roles=STUDY.analysis.claims.roles,
        experiment_corpus=STUDY.reverse_transfer and STUDY.reverse_transfer.corpus,
        protocol=settings_of(STUDY.protocol),
        code=digest("judge_claims"),
    script:
        "../workflow_scripts/judge_claims.py"
