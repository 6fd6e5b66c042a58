# Stage 2, corpora. Needs: receipts, or the user's own text. Makes: integer shards with their vocabulary; the lexicon.


rule encode_corpus:
    """Read, count and encode the corpus {wildcards.corpus}."""
    input:
        receipts=lambda wildcards: map(
            receipt_file, STUDY.corpora[wildcards.corpus].datasets
        ),
        texts=lambda wildcards: map(str, STUDY.corpora[wildcards.corpus].text_paths()),
    output:
        corpus=directory(corpus_folder("{corpus}")),
    log:
        f"{LOGS}/encode_corpus/{{corpus}}.log",
    benchmark:
        f"{TIMINGS}/encode_corpus.{{corpus}}.tsv"
    conda:
        "../envs/core.yaml"
    threads: 2
    resources:
        mem_mb=megabytes(2000, per_input_mb=1, size=corpus_mb),
        runtime=minutes(20, size=corpus_mb),
    params:
        config=lambda wildcards: settings_of(STUDY.corpora[wildcards.corpus]),
        seed=STUDY.seed,
        code=digest("encode_corpus"),
    script:
        "../workflow_scripts/encode_corpus.py"


rule build_lexicon:
    """Choose the words that all spaces share."""
    input:
        corpus=corpus_folder(PLAN.lexicon_corpus or "none"),
    output:
        lexicon=f"{RESULTS}/lexicon.tsv",
    log:
        f"{LOGS}/build_lexicon.log",
    benchmark:
        f"{TIMINGS}/build_lexicon.tsv"
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(1000, per_input_mb=0),
        runtime=minutes(1000),
    params:
        size=STUDY.lexicon.size,
        code=digest("build_lexicon"),
    script:
        "../workflow_scripts/build_lexicon.py"
