# Stage 3, embeddings. Needs: an encoded corpus and the lexicon, or a file of vectors. Makes: spaces, and exports of them.


rule train_word2vec:
    """Train word2vec for the space {wildcards.space}."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.spaces[wildcards.space].corpus),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/train_word2vec/{{space}}.log",
    benchmark:
        f"{TIMINGS}/train_word2vec.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("word2vec")),
    conda:
        "../envs/core.yaml"
    threads: workers
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(2),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        code=digest("train_word2vec"),
    script:
        "../workflow_scripts/train_word2vec.py"


rule train_fasttext:
    """Train fastText for the space {wildcards.space}."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.spaces[wildcards.space].corpus),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/train_fasttext/{{space}}.log",
    benchmark:
        f"{TIMINGS}/train_fasttext.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("fasttext")),
    conda:
        "../envs/core.yaml"
    threads: workers
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(1),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        code=digest("train_fasttext"),
    script:
        "../workflow_scripts/train_fasttext.py"


rule train_glove:
    """Count co-occurrences and train GloVe for the space {wildcards.space}."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.spaces[wildcards.space].corpus),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/train_glove/{{space}}.log",
    benchmark:
        f"{TIMINGS}/train_glove.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.glove_spaces("lexiscope")),
    conda:
        "../envs/core.yaml"
    threads: 2
    resources:
        mem_mb=megabytes(4000),
        runtime=minutes(0.5),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        checkpoint=f"{RESULTS}/checkpoints/glove/{{space}}",
        code=digest("train_glove"),
    script:
        "../workflow_scripts/train_glove.py"


rule train_glove_python:
    """Train the space {wildcards.space} by glove-python-binary, in an environment of its own."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.spaces[wildcards.space].corpus),
    output:
        vectors=f"{RESULTS}/spaces/{{space}}.glove_python.npy",
    log:
        f"{LOGS}/train_glove_python/{{space}}.log",
    benchmark:
        f"{TIMINGS}/train_glove_python.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.glove_spaces("glove_python")),
    conda:
        "../envs/glove.yaml"
    threads: workers
    resources:
        mem_mb=megabytes(8000),
        runtime=minutes(0.5),
    params:
        config=lambda wildcards: STUDY.spaces[wildcards.space].model_dump_json(),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        program=f"{workflow.basedir}/workflow_scripts/lexiscope/embeddings/glove_python.py",
        code=digest("lexiscope/embeddings/glove_python"),
    shell:
        "python {params.program:q} --corpus {input.corpus:q} --config {params.config:q} "
        "--seed {params.seed} --threads {threads} --output {output.vectors:q} > {log:q} 2>&1"


rule adopt_glove_python:
    """Make a space of the vectors that glove-python-binary trained for {wildcards.space}."""
    input:
        vectors=rules.train_glove_python.output.vectors,
        corpus=lambda wildcards: corpus_folder(STUDY.spaces[wildcards.space].corpus),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/adopt_glove_python/{{space}}.log",
    benchmark:
        f"{TIMINGS}/adopt_glove_python.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.glove_spaces("glove_python")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(100),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        code=digest("adopt_glove_python"),
    script:
        "../workflow_scripts/adopt_glove_python.py"


rule draw_random_vectors:
    """Draw Gaussian vectors for the control space {wildcards.space}."""
    input:
        lexicon=lambda wildcards: [] if like_of(wildcards) else lexicon_file(),
        like=lambda wildcards: like_of(wildcards),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/draw_random_vectors/{{space}}.log",
    benchmark:
        f"{TIMINGS}/draw_random_vectors.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("random")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(1000),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        code=digest("draw_random_vectors"),
    script:
        "../workflow_scripts/draw_random_vectors.py"


rule transform_space:
    """Make the control space {wildcards.space} of another space."""
    input:
        space=source_space,
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/transform_space/{{space}}.log",
    benchmark:
        f"{TIMINGS}/transform_space.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("centred", "all_but_the_top", "pca")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000, per_input_mb=10),
        runtime=minutes(100),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        code=digest("transform_space"),
    script:
        "../workflow_scripts/transform_space.py"


rule import_space:
    """Read the user's vectors for the space {wildcards.space}."""
    input:
        vectors=lambda wildcards: STUDY.spaces[wildcards.space].path,
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/import_space/{{space}}.log",
    benchmark:
        f"{TIMINGS}/import_space.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("file")),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(100),
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        code=digest("import_space"),
    script:
        "../workflow_scripts/import_space.py"


rule export_space:
    """Write the space {wildcards.space} as {wildcards.extension} for other programs."""
    input:
        space=space_file("{space}"),
    output:
        vectors=f"{RESULTS}/exports/{{space}}.{{extension}}",
    log:
        f"{LOGS}/export_space/{{space}}.{{extension}}.log",
    benchmark:
        f"{TIMINGS}/export_space.{{space}}.{{extension}}.tsv"
    wildcard_constraints:
        extension="[a-z]+",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(100),
    params:
        format=lambda wildcards: export_format(wildcards.extension),
        code=digest("export_space"),
    script:
        "../workflow_scripts/export_space.py"
