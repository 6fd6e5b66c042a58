# Stage 5, activation maximisation. Needs: an output space. Makes: a space of inputs that its softmax likes best.


rule maximise_activation:
    """Find the inputs that most activate each word, for the space {wildcards.space}."""
    input:
        output_space=lambda wildcards: space_file(STUDY.spaces[wildcards.space].of),
    output:
        space=space_file("{space}"),
    log:
        f"{LOGS}/maximise_activation/{{space}}.log",
    benchmark:
        f"{TIMINGS}/maximise_activation.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.spaces("activation_maximisation")),
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=megabytes(3000, per_input_mb=10),
        runtime=minutes(0.5),
        gpu=GPUS,
    params:
        config=lambda wildcards: settings_of(STUDY.spaces[wildcards.space]),
        seed=lambda wildcards: PLAN.space_seed(wildcards.space),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/activation_maximisation/{{space}}",
        code=digest("maximise_activation"),
    script:
        "../workflow_scripts/maximise_activation.py"
