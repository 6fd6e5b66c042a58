# Stage 4, language models. Needs: an encoded corpus, or a model of others. Makes: trained models, their softmax layers,
# their input and output spaces.


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
    wildcard_constraints:
        model=one_of(PLAN.models_of("char_cnn_lstm")),
    priority: 1  # most other jobs wait for it
    conda:
        "../envs/torch.yaml"
    threads: lambda wildcards: STUDY.language_models[wildcards.model].threads
    resources:
        mem_mb=megabytes(6000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=lambda wildcards: GPUS * STUDY.language_models[wildcards.model].processes,
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
        corpus=lambda wildcards: corpus_folder(model_of(wildcards).corpus),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/extract_space/{{space}}.log",
    benchmark:
        f"{TIMINGS}/extract_space.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(
            PLAN.spaces_of("lm_input", "char_cnn_lstm")
            + PLAN.spaces_of("lm_output", "char_cnn_lstm")
        ),
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


rule extract_layer:
    """Take the whole softmax layer out of the language model {wildcards.model}."""
    input:
        model=f"{RESULTS}/language_models/{{model}}.safetensors",
        corpus=lambda wildcards: corpus_folder(
            STUDY.language_models[wildcards.model].corpus
        ),
    output:
        layer=output_layer_file("{model}"),
    log:
        f"{LOGS}/extract_layer/{{model}}.log",
    benchmark:
        f"{TIMINGS}/extract_layer.{{model}}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.models_of("char_cnn_lstm")),
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=megabytes(3000),
        runtime=minutes(100),
    params:
        device=STUDY.device,
        code=digest("extract_layer"),
    script:
        "../workflow_scripts/extract_layer.py"


rule import_lm_1b:
    """Read the softmax layer of lm_1b for the model {wildcards.model}."""
    input:
        files=lambda wildcards: PLAN.model_files(wildcards.model),
        receipt=lambda wildcards: lm_1b_receipt(wildcards.model),
        lexicon=lexicon_file(),
    output:
        layer=output_layer_file("{model}"),
    log:
        f"{LOGS}/import_lm_1b/{{model}}.log",
    benchmark:
        f"{TIMINGS}/import_lm_1b.{{model}}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.models_of("lm_1b")),
    conda:
        "../envs/jlm.yaml"
    resources:
        mem_mb=megabytes(12000, per_input_mb=0),
        runtime=minutes(100, size=lambda wildcards: 4000),
    params:
        folder=lambda wildcards: PLAN.model_folder(wildcards.model),
        config=lambda wildcards: settings_of(STUDY.language_models[wildcards.model]),
        code=digest("import_lm_1b"),
    script:
        "../workflow_scripts/import_lm_1b.py"


rule embed_with_lm_1b:
    """Make the space {wildcards.space} with the character CNN of lm_1b."""
    input:
        files=lambda wildcards: PLAN.model_files(STUDY.spaces[wildcards.space].model),
        receipt=lambda wildcards: lm_1b_receipt(STUDY.spaces[wildcards.space].model),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/embed_with_lm_1b/{{space}}.log",
    benchmark:
        f"{TIMINGS}/embed_with_lm_1b.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces_of("lm_input", "lm_1b")),
    conda:
        "../envs/jlm.yaml"
    threads: 2
    resources:
        mem_mb=megabytes(6000, per_input_mb=0),
        runtime=minutes(50, size=lambda wildcards: 4000),
    params:
        folder=lambda wildcards: PLAN.model_folder(STUDY.spaces[wildcards.space].model),
        config=lambda wildcards: settings_of(model_of(wildcards)),
        code=digest("embed_with_lm_1b"),
    script:
        "../workflow_scripts/embed_with_lm_1b.py"


rule import_huggingface:
    """Read the softmax layer of the Hugging Face model {wildcards.model}."""
    input:
        files=lambda wildcards: PLAN.model_files(wildcards.model),
    output:
        layer=output_layer_file("{model}"),
    log:
        f"{LOGS}/import_huggingface/{{model}}.log",
    benchmark:
        f"{TIMINGS}/import_huggingface.{{model}}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.models_of("huggingface")),
    conda:
        "../envs/transformers.yaml"
    resources:
        mem_mb=megabytes(6000),
        runtime=minutes(100),
    params:
        config=lambda wildcards: settings_of(STUDY.language_models[wildcards.model]),
        code=digest("import_huggingface"),
    script:
        "../workflow_scripts/import_huggingface.py"


rule extract_huggingface_space:
    """Take the words of the space {wildcards.space} out of its Hugging Face model."""
    input:
        files=lambda wildcards: PLAN.model_files(STUDY.spaces[wildcards.space].model),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/extract_huggingface_space/{{space}}.log",
    benchmark:
        f"{TIMINGS}/extract_huggingface_space.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(
            PLAN.spaces_of("lm_input", "huggingface")
            + PLAN.spaces_of("lm_output", "huggingface")
        ),
    conda:
        "../envs/transformers.yaml"
    resources:
        mem_mb=megabytes(6000),
        runtime=minutes(100),
    params:
        which=lambda wildcards: STUDY.spaces[wildcards.space].kind,
        config=lambda wildcards: settings_of(model_of(wildcards)),
        code=digest("extract_huggingface_space"),
    script:
        "../workflow_scripts/extract_huggingface_space.py"


rule read_softmax_file:
    """Read the softmax layer {wildcards.model}, which the user brings."""
    input:
        file=lambda wildcards: PLAN.model_path(wildcards.model),
    output:
        layer=output_layer_file("{model}"),
    log:
        f"{LOGS}/read_softmax_file/{{model}}.log",
    benchmark:
        f"{TIMINGS}/read_softmax_file.{{model}}.tsv"
    wildcard_constraints:
        model=one_of(PLAN.models_of("softmax_file")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(100),
    params:
        config=lambda wildcards: settings_of(STUDY.language_models[wildcards.model]),
        code=digest("read_softmax_file"),
    script:
        "../workflow_scripts/read_softmax_file.py"


rule align_space:
    """Take the words of the space {wildcards.space} out of an imported layer."""
    input:
        layer=lambda wildcards: output_layer_file(STUDY.spaces[wildcards.space].model),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/align_space/{{space}}.log",
    benchmark:
        f"{TIMINGS}/align_space.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces_of("lm_output", "lm_1b", "softmax_file")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(100),
    params:
        config=lambda wildcards: settings_of(model_of(wildcards)),
        code=digest("align_space"),
    script:
        "../workflow_scripts/align_space.py"
