# Stage 4, language models. Needs: an encoded corpus. Makes: a trained model, its history, its input and output spaces.


rule train_language_model:
    """Train the language model {wildcards.model}."""
    input:
        corpus=lambda wildcards: corpus_folder(
            STUDY.language_models[wildcards.model].corpus
        ),
    output:
        model=f"{RESULTS}/language_models/{{model}}.safetensors",
        history=f"{RESULTS}/language_models/{{model}}.history.json",
    log:
        f"{LOGS}/train_language_model/{{model}}.log",
    benchmark:
        f"{TIMINGS}/train_language_model.{{model}}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: lambda wildcards: STUDY.language_models[wildcards.model].threads
    resources:
        mem_mb=megabytes(6000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=GPUS,
    params:
        config=lambda wildcards: settings_of(STUDY.language_models[wildcards.model]),
        seed=lambda wildcards: PLAN.model_seed(wildcards.model),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/language_models/{{model}}",
        code=digest("train_language_model"),
    script:
        "../workflow_scripts/train_language_model.py"


rule extract_space:
    """Take the space {wildcards.space} out of its language model."""
    input:
        model=lambda wildcards: f"{RESULTS}/language_models/{STUDY.spaces[wildcards.space].model}.safetensors",
        corpus=lambda wildcards: corpus_folder(
            STUDY.language_models[STUDY.spaces[wildcards.space].model].corpus
        ),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/extract_space/{{space}}.log",
    benchmark:
        f"{TIMINGS}/extract_space.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("lm_input", "lm_output")),
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=megabytes(3000),
        runtime=minutes(100),
    params:
        which=lambda wildcards: STUDY.spaces[wildcards.space].kind,
        device=STUDY.device,
        code=digest("extract_space"),
    script:
        "../workflow_scripts/extract_space.py"
