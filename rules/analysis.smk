# Analyses: the appendix of Derby et al. 2020. Needs: output and activation-maximisation spaces. Makes: JSON for the report.


rule predict_bias:
    """Predict the softmax bias from the space {wildcards.space} and its output space."""
    input:
        output_space=source_space,
        am_space=space_file("{space}"),
    output:
        prediction=prediction_file("{space}"),
    log:
        f"{LOGS}/predict_bias/{{space}}.log",
    benchmark:
        f"{TIMINGS}/predict_bias.{{space}}.tsv"
    wildcard_constraints:
        space=one_of(PLAN.predicted_biases),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000, per_input_mb=20),
        runtime=minutes(10),
    params:
        config=lambda wildcards: settings_of(STUDY.analysis.bias_prediction),
        seed=lambda wildcards: PLAN.analysis_seed(STUDY.analysis.bias_prediction),
        code=digest("predict_bias"),
    script:
        "../workflow_scripts/predict_bias.py"


rule map_displacement:
    """Map the words of {wildcards.map} in two spaces."""
    input:
        start=lambda wildcards: space_file(STUDY.analysis.maps[wildcards.map].start),
        end=lambda wildcards: space_file(STUDY.analysis.maps[wildcards.map].end),
    output:
        map=map_file("{map}"),
    log:
        f"{LOGS}/map_displacement/{{map}}.log",
    benchmark:
        f"{TIMINGS}/map_displacement.{{map}}.tsv"
    wildcard_constraints:
        map=one_of(STUDY.analysis.maps),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(50),
    params:
        config=lambda wildcards: settings_of(STUDY.analysis.maps[wildcards.map]),
        seed=lambda wildcards: PLAN.analysis_seed(STUDY.analysis.maps[wildcards.map]),
        code=digest("map_displacement"),
    script:
        "../workflow_scripts/map_displacement.py"
