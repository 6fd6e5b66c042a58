# Common: the validated study, where its products lie, and what every rule asks for. No rules here.

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow_scripts"))

# A thread that waits for the others gives its core away soon. On a machine that is shared it would else spin
# while those others wait for that very core. Jobs inherit this.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

from snakemake.exceptions import WorkflowError

from lexiscope import __version__
from lexiscope.config.load import load_study
from lexiscope.digests import code_digest
from lexiscope.embeddings.config import EXPORT_EXTENSIONS
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.tasks import BUILT_PROBES
from lexiscope.plan import Plan

try:
    settings = workflow.config_settings
    STUDY = load_study(
        [Path(workflow.basedir) / "config.yaml", *settings.configfiles], settings.config
    )
    PLAN = Plan(STUDY)
    PLAN.check_inputs()
except LexiscopeError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{STUDY.study}"
REPORTS = f"reports/{STUDY.study}"
LOGS = f"logs/{STUDY.study}"
TIMINGS = f"logs/{STUDY.study}/timings"
GPUS = 1 if STUDY.device == "cuda" else 0


def digest(script):
    """What a rule's products depend on besides its inputs and settings: the code behind its script."""
    return code_digest(Path(workflow.basedir) / "workflow_scripts" / f"{script}.py")


def one_of(names):
    """A wildcard constraint that admits these names; none at all when there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def settings_of(section):
    """The settings of one section of the study as a rule's param: plain values that can be compared.

    None for a section that the study does not have.
    """
    return None if section is None else section.model_dump(mode="json")


def lexicon_file():
    """The lexicon, as an input; nothing when the study trains nothing and has none."""
    return [f"{RESULTS}/lexicon.tsv"] if PLAN.lexicon_corpus else []


def space_file(space):
    return f"{RESULTS}/spaces/{space}.safetensors"


def source_space(wildcards):
    """The file of the space that a space is made of."""
    return space_file(STUDY.spaces[wildcards.space].of)


def path_folder(path):
    return f"{RESULTS}/l2_paths/{path}"


def prediction_file(space):
    return f"{RESULTS}/analysis/bias_prediction/{space}.json"


def map_file(name):
    return f"{RESULTS}/analysis/maps/{name}.json"


def output_layer_file(model):
    """The whole softmax layer of a language model."""
    return f"{RESULTS}/language_models/{model}.output.safetensors"


def whole_layer(config):
    """The layer, as an input, for a softmax over the whole vocabulary; nothing otherwise."""
    return (
        [output_layer_file(PLAN.model_of(config.of))]
        if config.softmax_over == "vocabulary"
        else []
    )


def model_of(wildcards):
    """The settings of the language model that a space is taken from."""
    return STUDY.language_models[STUDY.spaces[wildcards.space].model]


def receipt_file(dataset):
    return f"{RESULTS}/data/{dataset}.json"


def probe_receipt(probe):
    return f"{RESULTS}/probes/{probe}.json"


def treebank_receipt(probe):
    """The receipt of the treebank that a probe is built from; nothing if the files are the user's own."""
    treebank = STUDY.probes[probe].treebank
    return [receipt_file(treebank)] if treebank else []


def task_receipts(task, datasets):
    """The receipts of some datasets of a task group, in their order."""
    receipt = probe_receipt if task == BUILT_PROBES else receipt_file
    return [receipt(PLAN.source_of(task, dataset)) for dataset in datasets]


def documents_receipt(domains):
    """The receipt of the documents behind domain labels; nothing if the files are the user's own."""
    documents = STUDY.domains[domains].documents
    return [receipt_file(documents)] if documents else []


def domains_folder(domains):
    return f"{RESULTS}/domains/{domains}"


def rank_probe_file():
    """The ranks of chosen words, as an input; nothing where the study asks for none."""
    experiment = STUDY.reverse_transfer
    wanted = experiment and experiment.rank_probe
    return [f"{RESULTS}/language_modelling/rank_probe.json"] if wanted else []


def multi_task_file():
    """The figures of the multi-task model, as an input; nothing where the study asks for none."""
    experiment = STUDY.reverse_transfer
    wanted = experiment and experiment.multi_task
    return [f"{RESULTS}/language_modelling/multi_task.json"] if wanted else []


def experiment_threads(experiment):
    """CPU threads of the jobs of a language-modelling experiment."""
    config = PLAN.experiments.get(experiment)
    return config.threads if config else 1


def experiment_identity(experiment, rule, space, name):
    """Whose scores those of a language model with a space inside are; the seed is the model's."""
    return {
        "study": STUDY.study,
        "space": name,
        "model": PLAN.model_of(space) if space else experiment,
        "config_sha256": PLAN.experiment_sha256(experiment, space),
        "code_version": f"{__version__}+{digest(rule)}",
    }


def experiment_identities(experiment, rule, job):
    """The identities of all models of a job, by space; a model without one bears its kind in brackets."""
    kind, spaces = job
    if spaces:
        return {
            space: experiment_identity(experiment, rule, space, space)
            for space in spaces
        }
    name = f"({kind})"
    return {name: experiment_identity(experiment, rule, None, name)}


def shared_vocabulary():
    """The words that all spaces share, as an input; nothing if spaces are scored with their own alone."""
    return (
        []
        if STUDY.protocol.vocabulary == "own"
        else [f"{RESULTS}/shared_vocabulary.txt"]
    )


def lm_1b_receipt(model):
    """The receipt of the released files, where the study does not say where they lie."""
    return [receipt_file("lm_1b")] if PLAN.model_path(model) is None else []


def like_of(wildcards):
    """The space whose norms the random vectors have, as an input; nothing if they have their own."""
    like = STUDY.spaces[wildcards.space].like
    return [space_file(like)] if like else []


def corpus_folder(corpus):
    return f"{RESULTS}/corpora/{corpus}"


def input_mb(paths):
    """Size of a job's inputs. Snakemake's own input.size_mb takes a folder for its entry alone."""
    files = [
        file
        for path in map(Path, paths)
        for file in (path.iterdir() if path.is_dir() else [path])
    ]
    return sum(file.stat().st_size for file in files) / 1e6


def minutes(mb_per_minute, size=None):
    """Run time that grows with the input (or with ``size`` of the wildcards) and doubles with each attempt."""

    def runtime(wildcards, input, attempt):
        mb = input_mb(input) if size is None else size(wildcards)
        return int((10 + mb / mb_per_minute) * 2 ** (attempt - 1))

    return runtime


def megabytes(base, per_input_mb=4, size=None):
    """Memory that grows with the input (or with ``size`` of the wildcards) and doubles with each attempt."""

    def mem_mb(wildcards, input, attempt):
        mb = input_mb(input) if size is None else size(wildcards)
        return int((base + per_input_mb * mb) * 2 ** (attempt - 1))

    return mem_mb


def dataset_mb(wildcards):
    return PLAN.dataset_mb(wildcards.dataset)


def corpus_mb(wildcards):
    return PLAN.corpus_mb(wildcards.corpus)


def all_targets():
    """Everything a study makes."""
    exports = [
        f"{RESULTS}/exports/{space}.{EXPORT_EXTENSIONS[format]}"
        for space in PLAN.spaces()
        for format in STUDY.export
    ]
    return [f"{REPORTS}/report.html", *map(space_file, PLAN.spaces()), *exports]


def export_format(extension):
    """The export format that a file extension stands for."""
    return {ending: name for name, ending in EXPORT_EXTENSIONS.items()}[extension]


def workers(wildcards):
    """Threads of a trainer whose threads race: one when the same seed must give the same bytes."""
    return 1 if STUDY.spaces[wildcards.space].deterministic else 8
