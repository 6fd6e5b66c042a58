from __future__ import annotations

import gzip

import numpy as np
import pytest

from lexiscope.evaluation.sentence_files import (
    LabelledSentences,
    read_one_class,
    read_probing,
    read_questions,
    read_sentiment,
    read_xprobe,
)


@pytest.fixture
def write(tmp_path):
    def make(content: bytes, name: str = "set.txt"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


def told(read: LabelledSentences) -> list[tuple[str, int, str]]:
    words = [" ".join(sentence) for sentence in read.sentences]
    return list(zip(words, read.labels.tolist(), read.items, strict=True))


def test_a_file_of_one_class_is_latin1(write):
    path = write(b"a  good\tfilm \ncaf\xe9\r\nlast", "rt-polarity.pos")
    assert told(read_one_class(path, 1)) == [
        ("a good film", 1, "rt-polarity.pos:1"),
        ("café", 1, "rt-polarity.pos:2"),
        ("last", 1, "rt-polarity.pos:3"),
    ]


def test_lines_of_a_file_of_one_class_end_where_splitlines_ends_them(write):
    content = b"a\x85b\x1cc\x0cd\x0be\rf\n\x1eg\n"
    expected = [line.split() for line in content.decode("latin-1").splitlines()]
    assert read_one_class(write(content), 0).sentences == expected
    assert len(expected) == 8


def test_empty_lines_of_a_file_of_one_class_are_sentences_without_words(write):
    read = read_one_class(write(b"a\n\n \nb\n\n"), 0)
    assert told(read) == [
        ("a", 0, "set.txt:1"),
        ("", 0, "set.txt:2"),
        ("", 0, "set.txt:3"),
        ("b", 0, "set.txt:4"),
        ("", 0, "set.txt:5"),
    ]


def test_questions(write):
    path = write(b"DESC:manner How did x ?\r\nNUM:dist How  far : y ?\n\xa0LOC:other W\xf6 \x85 z\n\n")
    assert told(read_questions(path)) == [
        ("How did x ?", 1, "set.txt:1"),
        ("How far : y ?", 5, "set.txt:2"),
        ("Wö z", 4, "set.txt:3"),
    ]


def test_sentiment_of_two_and_of_five_classes(write):
    assert told(read_sentiment(write("crème brûlée \t1\nbad\t0\n".encode()), 2)) == [
        ("crème brûlée", 1, "set.txt:1"),
        ("bad", 0, "set.txt:2"),
    ]
    assert told(read_sentiment(write(b"4 very good\r\n0  bad 1\n"), 5)) == [
        ("very good", 4, "set.txt:1"),
        ("bad 1", 0, "set.txt:2"),
    ]


def test_probing_numbers_classes_by_the_sorted_labels_of_the_training_part(write):
    path = write(b"te\tPRES\te f\ntr\tPRES\ta b\nva\tPAST\tc\ntr\tPAST\td \x1c d\n")
    task = read_probing(path)
    assert task.classes == ("PAST", "PRES")
    assert told(task.train) == [("a b", 1, "set.txt:2"), ("d d", 0, "set.txt:4")]
    assert told(task.valid) == [("c", 0, "set.txt:3")]
    assert told(task.test) == [("e f", 1, "set.txt:1")]


def test_classes_are_sorted_as_text_like_senteval(write):
    path = write(b"tr\t10\ta\ntr\t9\tb\ntr\t1\tc\nva\t1\ta\nte\t9\ta\n")
    assert read_probing(path).classes == ("1", "10", "9")


def test_xprobe(write):
    valid, test = write(b"a b\tSing\nc d\tPlur\n", "va.txt"), write(b"e\tSing\n", "te.txt")
    found, unseen, classes = read_xprobe(valid, test)
    assert classes == ("Plur", "Sing")
    assert told(found) == [("a b", 1, "va.txt:1"), ("c d", 0, "va.txt:2")]
    assert told(unseen) == [("e", 1, "te.txt:1")]


def test_a_packed_file_is_found_under_its_plain_name_and_named_by_it(tmp_path):
    for name, content in (("pos", b"a b\n"), ("train", b"a\t1\n")):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    assert read_one_class(tmp_path / "pos", 1).items == ["pos:1"]
    assert read_sentiment(tmp_path / "train.gz", 2).items == ["train:1"]


def test_sets_are_joined_and_cut():
    one = LabelledSentences([["a"], ["b"]], np.array([1, 1]), ["x:1", "x:2"])
    other = LabelledSentences([["c"]], np.array([0]), ["y:1"])
    both = one + other
    assert (len(both), both.labels.tolist()) == (3, [1, 1, 0])
    assert told(both[np.array([2, 0])]) == [("c", 0, "y:1"), ("a", 1, "x:1")]


SENTEVAL = "senteval/downstream"

COUNTS = {
    "MR/rt-polarity.pos": 5331,
    "MR/rt-polarity.neg": 5331,
    "CR/custrev.pos": 2407,
    "CR/custrev.neg": 1368,
    "MPQA/mpqa.pos": 3312,
    "MPQA/mpqa.neg": 7294,
    "SUBJ/subj.objective": 5000,
    "SUBJ/subj.subjective": 5000,
    "TREC/train_5500.label": 5452,
    "TREC/TREC_10.label": 500,
    "SST/binary/sentiment-train": 67349,
    "SST/binary/sentiment-dev": 872,
    "SST/binary/sentiment-test": 1821,
    "SST/fine/sentiment-train": 8544,
    "SST/fine/sentiment-dev": 1101,
    "SST/fine/sentiment-test": 2210,
}


@pytest.mark.mirror
@pytest.mark.parametrize("name", COUNTS)
def test_real_sets_are_read_as_senteval_counts_them(mirror_root, name):
    path = mirror_root / SENTEVAL / name
    if name.startswith("TREC"):
        read, n_classes = read_questions(path), 6
    elif name.startswith("SST"):
        n_classes = 2 if "binary" in name else 5
        read = read_sentiment(path, n_classes)
    else:
        read, n_classes = read_one_class(path, 0), 1
    assert len(read) == len(set(read.items)) == COUNTS[name]
    assert np.unique(read.labels).tolist() == list(range(n_classes))
    n_empty = sum(not sentence for sentence in read.sentences)
    assert n_empty == {
        "CR/custrev.pos": 2,
        "CR/custrev.neg": 2,
        "MPQA/mpqa.pos": 1,
        "MPQA/mpqa.neg": 2,
    }.get(name, 0)


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("task", "count", "n_classes"),
    [("sentence_length", 4998, 6), ("word_content", 10_000, 1000), ("tree_depth", 10_000, 5)],
)
def test_real_xprobe(mirror_root, task, count, n_classes):
    folder = mirror_root / "xprobe-en" / task
    valid, test, classes = read_xprobe(folder / "va.txt", folder / "te.txt")
    assert (len(valid), len(test), len(classes)) == (count, count, n_classes)
