from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from plain_trees import made_brackets, made_conllu, made_sentence

from lexiscope.data.prepare import prepare_dataset
from lexiscope.data.receipt import Receipt, ReceiptFile, read_receipt, write_receipt
from lexiscope.errors import LexiscopeError
from lexiscope.probes.build import build_probe
from lexiscope.probes.config import ProbeConfig, tasks_of

N_SENTENCES = 900


def build(folder: Path, files: list[Path], receipt: Path | None = None, seed: int = 1, **settings) -> dict:
    config = {"min_class_size": 4, "n_words": 4, **settings}
    if not receipt:
        config["files"] = [str(file) for file in files]
    build_probe(
        receipt=receipt,
        files=files,
        config=config,
        seed=seed,
        output=folder / "probe",
        receipt_output=folder / "probe.json",
        name="made",
    )
    return json.loads((folder / "probe" / "probe.json").read_text())


def rows(folder: Path, task: str) -> list[list[str]]:
    return [line.split("\t") for line in (folder / "probe" / f"{task}.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def bracketed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("brackets") / "made.mrg"
    path.write_text("".join(map(made_brackets, range(N_SENTENCES))))
    return path


@pytest.fixture(scope="module")
def conllu_parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("conllu")
    parts = {"train": range(0, 600), "dev": range(600, 750), "test": range(750, 900)}
    paths = []
    for part, numbers in parts.items():
        paths.append(folder / f"made-ud-{part}.conllu.gz")
        paths[-1].write_bytes(gzip.compress("".join(map(made_conllu, numbers)).encode()))
    return paths


MADE = [made_sentence(number) for number in range(N_SENTENCES)]
TRUTH = {" ".join(word for word, _ in pairs): labels for pairs, labels in MADE}


def test_every_line_has_its_true_class(tmp_path: Path, conllu_parts: list[Path]) -> None:
    build(tmp_path, conllu_parts)
    for task in ("tense", "subj_number", "obj_number"):
        assert len(rows(tmp_path, task)) > 50
        for _, label, sentence in rows(tmp_path, task):
            assert TRUTH[sentence][task] == label


def test_every_line_has_its_true_class_by_brackets(tmp_path: Path, bracketed: Path) -> None:
    build(tmp_path, [bracketed])
    for task in ("tense", "subj_number", "obj_number"):
        for _, label, sentence in rows(tmp_path, task):
            assert TRUTH[sentence.removeprefix("in time , ")][task] == label
    tops = {label for _, label, _ in rows(tmp_path, "top_constituents")}
    assert tops == {"NP_VP_.", "PP_,_NP_VP_."}
    for _, label, sentence in rows(tmp_path, "top_constituents"):
        assert sentence.startswith("in time") == label.startswith("PP")


@pytest.mark.parametrize("source", ["brackets", "conllu"])
def test_what_probe_json_says_is_true(
    tmp_path: Path, bracketed: Path, conllu_parts: list[Path], source: str
) -> None:
    files = [bracketed] if source == "brackets" else conllu_parts
    summary = build(tmp_path, files)
    assert summary["parts_from"] == ("sentences" if source == "brackets" else "treebank")
    read = summary["sentences"]
    assert read["read"] == N_SENTENCES
    assert sum(read["excluded"].values()) + sum(read["used_by_part"].values()) == N_SENTENCES
    for task, facts in summary["tasks"].items():
        counts = defaultdict(Counter)
        parts_of = defaultdict(set)
        for part, label, sentence in rows(tmp_path, task):
            counts[part][label] += 1
            parts_of[sentence.lower()].add(part)
        assert facts["sentences_by_class"] == counts
        assert facts["majority"] == pytest.approx(dict.fromkeys(counts, 1 / len(facts["classes"])))
        assert all(len(parts) == 1 for parts in parts_of.values())
        assert facts["shared_sentences"] == facts["shared_target_words"] == 0


def test_the_treebanks_own_parts_are_kept(tmp_path: Path, conllu_parts: list[Path]) -> None:
    def forms(numbers: range) -> set[str]:
        return {" ".join(word for word, _ in made_sentence(number)[0]) for number in numbers}

    own = {"tr": forms(range(600)), "va": forms(range(600, 750)), "te": forms(range(750, 900))}
    tasks = build(tmp_path, conllu_parts)["tasks"]
    for task in tasks:
        assert all(sentence in own[part] for part, _, sentence in rows(tmp_path, task))
    drawn = build(tmp_path, conllu_parts, parts="drawn")
    assert drawn["parts_from"] == "sentences"
    assert drawn["tasks"]["tense"]["parts_from"] == "target words"
    assert not all(sentence in own[part] for part, _, sentence in rows(tmp_path, "tense"))
    # No sentence is lost because its target belongs elsewhere, which is the reason to draw.
    for task in ("tense", "subj_number", "obj_number"):
        assert drawn["tasks"][task]["sentences"]["te"] > tasks[task]["sentences"]["te"]


def test_target_words_are_in_one_part(tmp_path: Path, conllu_parts: list[Path]) -> None:
    build(tmp_path, conllu_parts)
    for task, place in (("tense", 2), ("subj_number", 1), ("obj_number", 4)):
        words = defaultdict(set)
        for part, _, sentence in rows(tmp_path, task):
            words[sentence.split()[place].lower()].add(part)
        assert all(len(parts) == 1 for parts in words.values())


def test_documents_stay_together(tmp_path: Path) -> None:
    files = []
    for document in range(40):
        files.append(tmp_path / f"d{document:02d}.mrg")
        files[-1].write_text("".join(made_brackets(document * 20 + number) for number in range(20)))
    sentences = {
        " ".join(word for word, _ in made_sentence(number)[0]): number // 20 for number in range(800)
    }
    summary = build(tmp_path, files, tasks=["sentence_length"])
    assert summary["parts_from"] == "documents"
    parts = defaultdict(set)
    for part, _, sentence in rows(tmp_path, "sentence_length"):
        parts[sentences[sentence.removeprefix("in time , ")]].add(part)
    assert len(parts) == 40
    assert all(len(part) == 1 for part in parts.values())
    used = summary["sentences"]["used_by_part"]
    assert used["tr"] / sum(used.values()) == pytest.approx(0.6, abs=0.05)


def test_equal_sentences_are_used_once_and_stay_in_the_test(tmp_path: Path) -> None:
    for part, numbers in {"train": range(300), "dev": range(50, 200), "test": range(100)}.items():
        content = "".join(map(made_conllu, numbers))
        # Letters' case makes no other sentence.
        content = content.replace("The\t", "THE\t") if part == "dev" else content
        (tmp_path / f"a-{part}.conllu").write_text(content)
    files = [tmp_path / f"a-{part}.conllu" for part in ("train", "dev", "test")]
    summary = build(tmp_path, files, tasks=["sentence_length"])
    assert summary["sentences"]["used_by_part"] == {"te": 100, "va": 100, "tr": 100}
    assert summary["sentences"]["excluded"] == {"the same tokens as another sentence": 250}


def test_limits_lengths_and_casing(tmp_path: Path, bracketed: Path) -> None:
    summary = build(
        tmp_path,
        [bracketed],
        tasks=["tense", "tree_depth"],
        casing="lower",
        n_train=31,
        n_test=20,
        min_length=7,
        max_length=12,
    )
    assert set(summary["tasks"]) == {"tense", "tree_depth"}
    assert summary["tasks"]["tense"]["sentences"]["tr"] == 30
    assert summary["tasks"]["tense"]["sentences"]["te"] == 20
    for task in summary["tasks"]:
        for _, _, sentence in rows(tmp_path, task):
            assert sentence == sentence.lower()
            assert 7 <= len(sentence.split()) <= 12


def test_the_receipt_finds_the_tasks(tmp_path: Path, bracketed: Path) -> None:
    build(tmp_path, [bracketed])
    receipt = read_receipt(tmp_path / "probe.json")
    assert (receipt.dataset, receipt.source) == ("made", "treebank")
    tasks = tasks_of(ProbeConfig(files=("x.mrg",)))
    assert [file.role for file in receipt.files] == list(tasks)
    for file in receipt.files:
        content = receipt.path(file.role).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_same_seed_same_bytes_and_no_paths(tmp_path: Path, bracketed: Path) -> None:
    products = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        build(tmp_path / name, [bracketed], seed=seed, tasks=["tense", "word_content", "tree_depth"])
        products.append({path.name: path.read_bytes() for path in (tmp_path / name / "probe").iterdir()})
    assert products[0] == products[1]
    assert products[0]["tense.txt"] != products[2]["tense.txt"]
    assert str(tmp_path).encode() not in products[0]["probe.json"]


def test_a_treebank_of_the_catalogue(tmp_path: Path, conllu_parts: list[Path]) -> None:
    roles = ("train", "valid", "test")
    files = tuple(
        ReceiptFile(path.name.removesuffix(".gz"), role, "0", 1)
        for role, path in zip(roles, conllu_parts, strict=True)
    )
    licence = ReceiptFile("LICENSE.txt", "licence", "0", 1)
    (tmp_path / "root").mkdir()
    for path in conllu_parts:
        (tmp_path / "root" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "root" / "LICENSE.txt").write_text("(not a tree")
    write_receipt(
        Receipt("ud-english-ewt", "mirror", str(tmp_path / "root"), (*files, licence)), tmp_path / "r.json"
    )
    summary = build(tmp_path, [], receipt=tmp_path / "r.json", treebank="ud-english-ewt")
    assert summary["parts_from"] == "treebank"
    assert summary["sentences"]["read"] == N_SENTENCES


def test_too_few_sentences_are_told_for_all_tasks_at_once(tmp_path: Path, bracketed: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"^probes.made: too few sentences for ") as caught:
        build(tmp_path, [bracketed], tasks=["tense", "obj_number"], min_class_size=400)
    for part in ("tense: class 'PRES' has", "obj_number: class 'NN' has", "lower min_class_size"):
        assert part in str(caught.value)
    assert not (tmp_path / "probe").exists()


@pytest.mark.mirror
def test_the_real_penn_sample(tmp_path: Path, mirror_root: Path) -> None:
    receipt = tmp_path / "receipt.json"
    prepare_dataset(dataset="nltk-treebank", source="mirror", root=mirror_root, receipt=receipt)
    tasks = ["tense", "subj_number"]
    summary = build(tmp_path, [], receipt=receipt, treebank="nltk-treebank", tasks=tasks)
    assert summary["sentences"]["read"] == 3914
    assert summary["parts_from"] == "documents"
    for facts in summary["tasks"].values():
        assert min(facts["sentences"].values()) >= 200
        assert facts["shared_target_words"] == 0
