"""Reading what a run left: histories, manifests, benchmarks, receipts, biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fabricated_run import MANIFEST, WORDS, fabricate, make_history
from scipy.stats import pearsonr

from lexiscope.embeddings.space import EmbeddingSpace, save_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.scores import Evaluation, Item, write_evaluation
from lexiscope.files import write_json, write_text
from lexiscope.report import gather


def test_a_history_with_its_final_record(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    write_json(path, make_history(4))
    history = gather.read_history(path)
    assert [record.epoch for record in history.validations] == [1, 2, 3, 4]
    assert history.test_perplexity == 143.9
    assert history.best == history.validations[-1]


def test_a_history_may_lack_everything_but_epochs(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    write_json(path, [{"epoch": 1}, {"epoch": 2, "valid_perplexity": None}])
    history = gather.read_history(path)
    assert history.best is None
    assert history.test_perplexity is None


@pytest.mark.parametrize("content", [{"epoch": 1}, [1, 2], [{"step": 3}]])
def test_what_is_no_history(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "history.json"
    write_json(path, content)
    with pytest.raises(LexiscopeError, match="not a training history"):
        gather.read_history(path)


def test_a_corpus_in_the_order_of_training(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", MANIFEST)
    corpus = gather.read_corpus("news", tmp_path)
    assert list(corpus.splits) == ["train", "valid", "test"]
    assert corpus.splits["train"].tokens == 518_689


@pytest.mark.parametrize("content", [[], {"casing": "as_is"}, {**MANIFEST, "splits": {"other": {}}}])
def test_what_is_no_manifest(tmp_path: Path, content: Any) -> None:
    write_json(tmp_path / "manifest.json", content)
    with pytest.raises(LexiscopeError, match="not the manifest"):
        gather.read_corpus("news", tmp_path)


def test_benchmarks_slowest_first_without_an_earlier_report(tmp_path: Path) -> None:
    for name, seconds in (("train_glove.mine", 3), ("encode_corpus.news", 9), ("build_report", 99)):
        write_text(tmp_path / f"{name}.tsv", f"s\tmax_rss\tmean_load\tcpu_time\n{seconds}\t1\t2\t3\n")
    timings = gather.read_timings(tmp_path)
    assert [timing.label for timing in timings] == ["encode_corpus news", "train_glove mine"]


def test_a_benchmark_is_the_mean_of_its_repeats_and_gaps_are_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    write_text(path, "s\tmax_rss\tmean_load\tcpu_time\n1.0\tNA\t50\t-\n3.0\tNA\t70\t2\n")
    timing = gather.read_timing("a", path)
    assert (timing.seconds, timing.max_rss_mb, timing.mean_load, timing.cpu_seconds) == (
        2.0,
        None,
        60.0,
        2.0,
    )


@pytest.mark.parametrize("content", ["", "s\tmax_rss\n", "time\n3\n", "s\nsoon\n"])
def test_what_is_no_benchmark(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.tsv"
    write_text(path, content)
    with pytest.raises(LexiscopeError, match="benchmark"):
        gather.read_timing("a", path)


def test_no_folder_of_benchmarks_is_no_benchmarks(tmp_path: Path) -> None:
    assert gather.read_timings(tmp_path / "none") == []


def biased(tmp_path: Path, count: list[float], bias: list[float]) -> gather.Spaces:
    words = WORDS[: len(count)]
    columns = {"count": np.array(count), "bias": np.array(bias, dtype=np.float32)}
    path = tmp_path / "output.safetensors"
    save_space(EmbeddingSpace(words, np.eye(len(words), 4, dtype=np.float32), {}, columns), path)
    return gather.read_spaces(
        {"output": path}, kinds={"output": "lm_output"}, words=(), asked_for=set(), count=3, k=3
    )


def test_the_bias_against_ln_count_is_that_of_scipy(tmp_path: Path) -> None:
    count, bias = [900.0, 40.0, 300.0, 7.0, 1.0], [2.0, 0.4, 1.9, -1.0, -1.5]
    (found,) = biased(tmp_path, count, bias).biases
    assert found.pearson == pytest.approx(pearsonr(np.log(count), np.float32(bias)).statistic, abs=1e-9)


def test_words_that_never_occur_are_left_out_of_the_bias(tmp_path: Path) -> None:
    (found,) = biased(tmp_path, [9.0, 4.0, 0.0, 2.0], [2.0, 1.0, -50.0, 0.0]).biases
    assert found.words == (WORDS[0], WORDS[1], WORDS[3])


@pytest.mark.parametrize("bias", [[1.0, 2.0], [3.0, 3.0, 3.0]])
def test_a_correlation_that_is_not_defined_is_none(tmp_path: Path, bias: list[float]) -> None:
    (found,) = biased(tmp_path, [9.0, 4.0, 2.0][: len(bias)], bias).biases
    assert found.pearson is None


def test_the_folder_of_the_data_is_not_told(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    dataset = gather.read_dataset(run["receipts"]["men"])
    assert dataset.key == "men"
    assert "/secret" not in repr(dataset)


def test_words_asked_for_come_from_items_of_either_form(tmp_path: Path) -> None:
    run = fabricate(tmp_path)
    assert {"river", "archipelago"} <= gather.words_asked_for(run["items"])


def test_sentences_are_no_words_asked_for(tmp_path: Path) -> None:
    def item(task: str, text: str) -> Item:
        return Item("s", "am", 1, task, "d", "test", 0, text, 1.0, 1.0, used=True)

    rows = [
        item("brainbench", "bear"),
        item("transfer", "rt-polarity.pos:17"),
        item("word_similarity", "a|b"),
    ]
    write_evaluation(Evaluation([], rows), tmp_path / "scores.parquet", tmp_path / "items.parquet")
    assert gather.words_asked_for(tmp_path / "items.parquet") == {"bear", "a", "b"}


def test_what_is_no_table_of_items(tmp_path: Path) -> None:
    write_evaluation(Evaluation(), tmp_path / "scores.parquet", tmp_path / "items.parquet")
    with pytest.raises(LexiscopeError, match="its columns are not those"):
        gather.words_asked_for(tmp_path / "scores.parquet")
    with pytest.raises(LexiscopeError, match="not a readable Parquet file"):
        gather.words_asked_for(tmp_path / "none.parquet")


def test_nested_settings_are_flattened_in_their_order() -> None:
    nested = {"b": {"y": 1, "x": [1, 2]}, "a": "text", "list": [{"k": None}], "empty": {}}
    assert gather.flatten(nested) == [
        ("b.y", "1"),
        ("b.x", "[1, 2]"),
        ("a", "text"),
        ("list.0.k", "null"),
        ("empty", "{}"),
    ]
