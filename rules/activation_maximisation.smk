# Stage 5, activation maximisation. Needs: an output space. Makes: spaces of inputs that its softmax likes
# best, and λ paths of such spaces.


rule maximise_activation:
    """Find the inputs that most activate each word, for the space {wildcards.space}."""
    input:
        output_space=source_space,
        layer=lambda wildcards: whole_layer(STUDY.spaces[wildcards.space]),
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


rule follow_l2_path:
    """Solve exactly over a grid of λ, for the path {wildcards.path}."""
    input:
        output_space=lambda wildcards: space_file(STUDY.l2_paths[wildcards.path].of),
        layer=lambda wildcards: whole_layer(STUDY.l2_paths[wildcards.path]),
    output:
        path=directory(path_folder("{path}")),
    log:
        f"{LOGS}/follow_l2_path/{{path}}.log",
    benchmark:
        f"{TIMINGS}/follow_l2_path.{{path}}.tsv"
    wildcard_constraints:
        path=one_of(STUDY.l2_paths),
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        mem_mb=megabytes(3000, per_input_mb=10),
        runtime=minutes(0.5),
        gpu=GPUS,
    params:
        config=lambda wildcards: settings_of(STUDY.l2_paths[wildcards.path]),
        seed=lambda wildcards: PLAN.path_seed(wildcards.path),
        device=STUDY.device,
        checkpoint=f"{RESULTS}/checkpoints/l2_paths/{{path}}",
        code=digest("follow_l2_path"),
    script:
        "../workflow_scripts/follow_l2_path.py"
