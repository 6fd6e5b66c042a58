# Stage 7, report. Needs: the scores and everything they came from. Makes: one page, and its figures.


rule build_report:
    """Write the report."""
    input:
        scores=rules.merge_scores.output.scores,
        per_item=rules.merge_scores.output.per_item,
        claims=rules.judge_claims.output.claims,
        comparisons=rules.compare_spaces.output.comparisons,
        spaces=[space_file(space) for space in PLAN.plain_spaces],
        histories=[
            f"{RESULTS}/language_models/{model}.history.json"
            for model in PLAN.models_of("char_cnn_lstm")
        ],
        paths=[path_folder(path) for path in STUDY.l2_paths],
        bias_predictions=[prediction_file(space) for space in PLAN.predicted_biases],
        maps=[map_file(name) for name in STUDY.analysis.maps],
        experiments=[
            f"{RESULTS}/language_modelling/{job}.history.json"
            for job in PLAN.language_modelling_scores
        ],
        rank_probe=rank_probe_file(),
        multi_task=multi_task_file(),
        domains=[domains_folder(domains) for domains in STUDY.domains],
        corpora=[corpus_folder(corpus) for corpus in PLAN.corpora],
        receipts=[receipt_file(dataset) for dataset in PLAN.datasets],
    output:
        report=f"{REPORTS}/report.html",
        figures=directory(f"{REPORTS}/figures"),
    log:
        f"{LOGS}/build_report.log",
    benchmark:
        f"{TIMINGS}/build_report.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(100),
    params:
        study=settings_of(STUDY),
        spaces=PLAN.plain_spaces,
        models=PLAN.models_of("char_cnn_lstm"),
        paths=list(STUDY.l2_paths),
        bias_predictions=PLAN.predicted_biases,
        maps=list(STUDY.analysis.maps),
        experiments=PLAN.language_modelling_scores,
        domains=list(STUDY.domains),
        corpora=PLAN.corpora,
        datasets=PLAN.datasets,
        timings=TIMINGS,
        code=digest("build_report"),
    script:
        "../workflow_scripts/build_report.py"
