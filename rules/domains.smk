# Stage 4a, domains. Needs: documents, an encoded corpus. Makes: domain labels of paragraphs and sentences, and spaces of
# averaged states of bidirectional LSTMs.


rule label_domains:
    """Find the domains {wildcards.domains} of documents."""
    input:
        receipt=lambda wildcards: documents_receipt(wildcards.domains),
        files=lambda wildcards: STUDY.domains[wildcards.domains].paths(),
    output:
        folder=directory(f"{RESULTS}/domains/{{domains}}"),
    log:
        f"{LOGS}/label_domains/{{domains}}.log",
    benchmark:
        f"{TIMINGS}/label_domains.{{domains}}.tsv"
    wildcard_constraints:
        domains=one_of(STUDY.domains),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(3000, per_input_mb=30),
        runtime=minutes(2),
    params:
        config=lambda wildcards: settings_of(STUDY.domains[wildcards.domains]),
        seed=lambda wildcards: PLAN.domains_seed(wildcards.domains),
        code=digest("label_domains"),
    script:
        "../workflow_scripts/label_domains.py"


rule train_domain_classifier:
    """Train a domain classifier, and average its states for the space {wildcards.space}."""
    input:
        labelled=lambda wildcards: domains_folder(STUDY.spaces[wildcards.space].domains),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
        history=f"{RESULTS}/domains/{{space}}.history.json",
    log:
        f"{LOGS}/train_domain_classifier/{{space}}.log",
    benchmark:
        f"{TIMINGS}/train_domain_classifier.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("domain_classifier")),
    conda:
        "../envs/torch.yaml"
    threads: lambda wildcards: STUDY.spaces[wildcards.space].threads
    resources:
        mem_mb=megabytes(4000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=GPUS,
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/domains/{{space}}",
        code=digest("train_domain_classifier"),
    script:
        "../workflow_scripts/train_domain_classifier.py"


rule train_bilm:
    """Train a bidirectional language model, and average its states for the space {wildcards.space}."""
    input:
        corpus=lambda wildcards: corpus_folder(STUDY.spaces[wildcards.space].corpus),
        lexicon=lexicon_file(),
    output:
        space=space_file("{space}"),
        history=f"{RESULTS}/domains/{{space}}.history.json",
    log:
        f"{LOGS}/train_bilm/{{space}}.log",
    benchmark:
        f"{TIMINGS}/train_bilm.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("bilm")),
    conda:
        "../envs/torch.yaml"
    threads: lambda wildcards: STUDY.spaces[wildcards.space].threads
    resources:
        mem_mb=megabytes(4000, per_input_mb=10),
        runtime=minutes(0.2),
        gpu=GPUS,
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/domains/{{space}}",
        code=digest("train_bilm"),
    script:
        "../workflow_scripts/train_bilm.py"
