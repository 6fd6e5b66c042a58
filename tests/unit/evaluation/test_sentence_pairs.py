from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lexiscope.evaluation.sentence_pairs import (
    SentencePairs,
    read_mrpc,
    read_sick_entailment,
    read_sick_relatedness,
    read_sts,
    read_sts_benchmark,
)

SICK = (
    "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment\n"
    "6\tThere is no boy\tA boy 's here\t3.3\tNEUTRAL\n"
    "7\tA man runs\tA man is running\t4.9\tENTAILMENT\n"
    "9\tA dog\tNo dog\t1\tCONTRADICTION\n"
)
MRPC = (
    "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    '1\t10\t20\tHe said " no " .\tNo , he said .\n'
    "0\t11\t21\tA b\tC d\n"
)
STS_BENCHMARK = (
    "main-captions\tMSRvid\t2012test\t0001\t0.000\ta man .\ta plane .\n"
    "main-news\theadlines\t2013\t7\t5\tit 's rain\train it is\n"
)

FORMS = {
    "as it is": lambda text: text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
    "blank end": lambda text: (text + "\n\n").encode(),
    "BOM": lambda text: b"\xef\xbb\xbf" + text.removeprefix("\ufeff").encode(),
}


def lists(pairs: SentencePairs) -> tuple[list[list[str]], list[list[str]], list[float], list[str]]:
    assert pairs.gold.dtype == "float64"
    assert len(pairs) == len(pairs.first) == len(pairs.second) == len(pairs.gold) == len(pairs.items)
    return pairs.first, pairs.second, pairs.gold.tolist(), pairs.items


@pytest.mark.parametrize("form", FORMS)
def test_sick_in_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "SICK_trial.txt"
    path.write_bytes(FORMS[form](SICK))
    first = [["There", "is", "no", "boy"], ["A", "man", "runs"], ["A", "dog"]]
    second = [["A", "boy", "'s", "here"], ["A", "man", "is", "running"], ["No", "dog"]]
    items = ["SICK_trial.txt:2", "SICK_trial.txt:3", "SICK_trial.txt:4"]
    assert lists(read_sick_relatedness(path)) == (first, second, [3.3, 4.9, 1.0], items)
    assert lists(read_sick_entailment(path)) == (first, second, [1.0, 2.0, 0.0], items)


@pytest.mark.parametrize("form", FORMS)
def test_mrpc_in_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(FORMS[form](MRPC))
    assert lists(read_mrpc(path)) == (
        [["He", "said", '"', "no", '"', "."], ["A", "b"]],
        [["No", ",", "he", "said", "."], ["C", "d"]],
        [1.0, 0.0],
        ["train.txt:2", "train.txt:3"],
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_sts_benchmark_in_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "sts-dev.csv"
    path.write_bytes(FORMS[form](STS_BENCHMARK))
    assert lists(read_sts_benchmark(path)) == (
        [["a", "man", "."], ["it", "'s", "rain"]],
        [["a", "plane", "."], ["rain", "it", "is"]],
        [0.0, 5.0],
        ["sts-dev.csv:1", "sts-dev.csv:2"],
    )


def write_sts(folder: Path, sentences: str, gold: str) -> tuple[Path, Path]:
    paths = folder / "STS.input.X.txt", folder / "STS.gs.X.txt"
    for path, text in zip(paths, (sentences, gold), strict=True):
        path.write_bytes(text.encode())
    return paths


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_pairs_without_a_score_are_left_out_at_the_end_too(tmp_path: Path, line_end: str) -> None:
    sentences, gold = "a b\tc\nd\te\nf\tg h\ni\tj\nk\tl\n", "\n4.25\n0\n\n\n"
    paths = write_sts(tmp_path, sentences.replace("\n", line_end), gold.replace("\n", line_end))
    assert lists(read_sts(*paths)) == (
        [["d"], ["f"]],
        [["e"], ["g", "h"]],
        [4.25, 0.0],
        ["STS.input.X.txt:2", "STS.input.X.txt:3"],
    )


def test_the_last_line_of_scores_may_lack_its_end(tmp_path: Path) -> None:
    assert read_sts(*write_sts(tmp_path, "a\tb\nc\td\n", "1\n2")).gold.tolist() == [1, 2]


def test_a_packed_file_gives_the_same_items(tmp_path: Path) -> None:
    (tmp_path / "SICK_trial.txt.gz").write_bytes(gzip.compress(SICK.encode()))
    assert read_sick_relatedness(tmp_path / "SICK_trial.txt.gz").items[0] == "SICK_trial.txt:2"


def test_characters_that_are_no_line_ends_stay_in_their_sentence(tmp_path: Path) -> None:
    paths = write_sts(tmp_path, "a\x85b c\td\u2028e\nf\tg\n", "1\n2\n")
    assert read_sts(*paths).items == ["STS.input.X.txt:1", "STS.input.X.txt:2"]


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "size"), [("train", 4500), ("trial", 500), ("test_annotated", 4927)])
def test_all_of_sick(mirror_root: Path, name: str, size: int) -> None:
    path = mirror_root / "senteval" / "downstream" / "SICK" / f"SICK_{name}.txt"
    related, entailed = read_sick_relatedness(path), read_sick_entailment(path)
    assert len(related) == len(entailed) == size
    assert related.first == entailed.first
    assert set(entailed.gold) == {0, 1, 2}


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "size"), [("train", 5749), ("dev", 1500), ("test", 1379)])
def test_all_of_the_sts_benchmark(mirror_root: Path, name: str, size: int) -> None:
    path = mirror_root / "senteval" / "downstream" / "STS" / "STSBenchmark" / f"sts-{name}.csv"
    assert len(read_sts_benchmark(path)) == size


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "size", "paraphrases"), [("train", 4076, 2753), ("test", 1725, 1147)])
def test_all_of_mrpc(mirror_root: Path, name: str, size: int, paraphrases: int) -> None:
    pairs = read_mrpc(mirror_root / "senteval" / "downstream" / "MRPC" / f"msr_paraphrase_{name}.txt")
    assert (len(pairs), pairs.gold.sum()) == (size, paraphrases)
