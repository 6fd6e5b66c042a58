# Stage 6b, language modelling. Needs: an encoded corpus and spaces. Makes: language models with the spaces inside, their
# perplexities, and the ranks of chosen words under them.


rule choose_vocabulary:
    """List the words of the corpus that all spaces of {wildcards.experiment} have."""
    input:
        corpus=lambda wildcards: corpus_folder(
            PLAN.experiments[wildcards.experiment].corpus
        ),
        spaces=lambda wildcards: map(space_file, PLAN.spaces_in(wildcards.experiment)),
    output:
        words=f"{RESULTS}/language_modelling/{{experiment}}.vocabulary.txt",
    log:
        f"{LOGS}/choose_vocabulary/{{experiment}}.log",
    benchmark:
        f"{TIMINGS}/choose_vocabulary.{{experiment}}.tsv"
    wildcard_constraints:
        experiment=one_of(PLAN.experiments),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(100),
    params:
        size=lambda wildcards: PLAN.experiments[wildcards.experiment].vocabulary_size,
        code=digest("choose_vocabulary"),
    script:
        "../workflow_scripts/choose_vocabulary.py"


rule train_nnlm:
    """Train language models with frozen embeddings: {wildcards.job}."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.nnlm.corpus),
        vocabulary=f"{RESULTS}/language_modelling/nnlm.vocabulary.txt",
        spaces=lambda wildcards: map(space_file, PLAN.nnlm_jobs[wildcards.job][1]),
    output:
        scores=f"{RESULTS}/language_modelling/{{job}}.parquet",
        per_item=f"{RESULTS}/language_modelling/{{job}}.items.parquet",
        history=f"{RESULTS}/language_modelling/{{job}}.history.json",
    log:
        f"{LOGS}/train_nnlm/{{job}}.log",
    benchmark:
        f"{TIMINGS}/train_nnlm.{{job}}.tsv"
    wildcard_constraints:
        job=one_of(PLAN.nnlm_jobs),
    conda:
        "../envs/torch.yaml"
    threads: experiment_threads("nnlm")
    resources:
        mem_mb=megabytes(6000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=GPUS,
    params:
        kind=lambda wildcards: PLAN.nnlm_jobs[wildcards.job][0],
        names=lambda wildcards: list(PLAN.nnlm_jobs[wildcards.job][1]),
        identities=lambda wildcards: experiment_identities(
            "nnlm", "train_nnlm", PLAN.nnlm_jobs[wildcards.job]
        ),
        config=settings_of(STUDY.nnlm),
        protocol=settings_of(STUDY.protocol),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/language_modelling/{{job}}",
        code=digest("train_nnlm"),
    script:
        "../workflow_scripts/train_nnlm.py"


rule count_ngrams:
    """Count the n-grams of the same text: a floor for the language models."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.nnlm.corpus),
        vocabulary=f"{RESULTS}/language_modelling/nnlm.vocabulary.txt",
    output:
        scores=f"{RESULTS}/language_modelling/kneser_ney.parquet",
        per_item=f"{RESULTS}/language_modelling/kneser_ney.items.parquet",
        history=f"{RESULTS}/language_modelling/kneser_ney.history.json",
    log:
        f"{LOGS}/count_ngrams.log",
    benchmark:
        f"{TIMINGS}/count_ngrams.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=megabytes(2000, per_input_mb=400),
        runtime=minutes(2),
    params:
        identity=lambda wildcards: experiment_identity(
            "nnlm", "count_ngrams", None, "(kneser-ney 5)"
        ),
        max_tokens=STUDY.nnlm and STUDY.nnlm.max_tokens,
        protocol=settings_of(STUDY.protocol),
        code=digest("count_ngrams"),
    script:
        "../workflow_scripts/count_ngrams.py"


rule train_reverse_transfer:
    """Train small language models with embeddings as their input: {wildcards.job}."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.reverse_transfer.corpus),
        vocabulary=f"{RESULTS}/language_modelling/reverse_transfer.vocabulary.txt",
        spaces=lambda wildcards: map(
            space_file, PLAN.reverse_transfer_jobs[wildcards.job]
        ),
    output:
        scores=f"{RESULTS}/language_modelling/{{job}}.parquet",
        per_item=f"{RESULTS}/language_modelling/{{job}}.items.parquet",
        history=f"{RESULTS}/language_modelling/{{job}}.history.json",
        models=directory(f"{RESULTS}/language_modelling/{{job}}"),
    log:
        f"{LOGS}/train_reverse_transfer/{{job}}.log",
    benchmark:
        f"{TIMINGS}/train_reverse_transfer.{{job}}.tsv"
    wildcard_constraints:
        job=one_of(PLAN.reverse_transfer_jobs),
    conda:
        "../envs/torch.yaml"
    threads: experiment_threads("reverse_transfer")
    resources:
        mem_mb=megabytes(6000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=GPUS,
    params:
        names=lambda wildcards: list(PLAN.reverse_transfer_jobs[wildcards.job]),
        with_none=lambda wildcards: not PLAN.reverse_transfer_jobs[wildcards.job],
        identities=lambda wildcards: experiment_identities(
            "reverse_transfer",
            "train_reverse_transfer",
            ("none", PLAN.reverse_transfer_jobs[wildcards.job]),
        ),
        config=settings_of(STUDY.reverse_transfer),
        protocol=settings_of(STUDY.protocol),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/language_modelling/{{job}}",
        code=digest("train_reverse_transfer"),
    script:
        "../workflow_scripts/train_reverse_transfer.py"


rule probe_ranks:
    """Rank chosen words at their places, under each of the small language models."""
    input:
        models=[
            f"{RESULTS}/language_modelling/{job}" for job in PLAN.reverse_transfer_jobs
        ],
        corpus=lambda wildcards: corpus_folder(STUDY.reverse_transfer.corpus),
        vocabulary=f"{RESULTS}/language_modelling/reverse_transfer.vocabulary.txt",
    output:
        ranks=f"{RESULTS}/language_modelling/rank_probe.json",
    log:
        f"{LOGS}/probe_ranks.log",
    benchmark:
        f"{TIMINGS}/probe_ranks.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=megabytes(3000),
        runtime=minutes(10),
    params:
        config=settings_of(STUDY.reverse_transfer and STUDY.reverse_transfer.rank_probe),
        protocol=settings_of(STUDY.protocol),
        code=digest("probe_ranks"),
    script:
        "../workflow_scripts/probe_ranks.py"


rule train_multi_task:
    """Train language models that predict the domain of their text as well."""
    input:
        labelled=[
            domains_folder(task.domains)
            for experiment in [STUDY.reverse_transfer]
            if experiment and (task := experiment.multi_task)
        ],
    output:
        figures=f"{RESULTS}/language_modelling/multi_task.json",
    log:
        f"{LOGS}/train_multi_task.log",
    benchmark:
        f"{TIMINGS}/train_multi_task.tsv"
    conda:
        "../envs/torch.yaml"
    threads: experiment_threads("reverse_transfer")
    resources:
        mem_mb=megabytes(6000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=GPUS,
    params:
        config=settings_of(STUDY.reverse_transfer),
        protocol=settings_of(STUDY.protocol),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/language_modelling/multi_task",
        code=digest("train_multi_task"),
    script:
        "../workflow_scripts/train_multi_task.py"
