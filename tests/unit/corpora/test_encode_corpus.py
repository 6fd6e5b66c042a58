from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_encoder import decoded, read_plainly, vocabulary_plainly

import lexiscope
from lexiscope.corpora import readers
from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.gathering import uniform_hash
from lexiscope.corpora.readers import LINE_CATEGORIES
from lexiscope.errors import LexiscopeError

Encode = Callable[..., EncodedCorpus]


def random_text(n_lines: int, seed: int = 0) -> bytes:
    choose = random.Random(seed)
    words = [f"w{number}" for number in range(300)] + ["É", "é", "<unk>", "\x00", "\u2028", "A"]
    lines = [" ".join(choose.choices(words, k=choose.randrange(12))) for _ in range(n_lines)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("casing", ["as_is", "lower"])
@pytest.mark.parametrize(("min_count", "most"), [(1, None), (4, None), (2, 50)])
def test_vocabulary_and_ids_are_those_of_a_plain_loop(
    encode_text: Encode, casing: str, min_count: int, most: int | None
) -> None:
    content = random_text(400)
    corpus = encode_text(content, casing=casing, min_count=min_count, max_vocabulary=most)
    sentences = read_plainly(content, casing)
    expected = vocabulary_plainly(sentences, min_count, most)
    assert list(corpus.vocabulary.words) == ["<unk>", "</s>", *(word for word, _ in expected)]
    assert corpus.vocabulary.counts[2:].tolist() == [count for _, count in expected]
    known = {word for word, _ in expected}
    assert decoded(corpus) == [[w if w in known else "<unk>" for w in sentence] for sentence in sentences]
    n_unknown = sum(word not in known for sentence in sentences for word in sentence)
    assert corpus.vocabulary.counts[:2].tolist() == [n_unknown, len(sentences)]
    assert corpus.manifest["splits"]["train"]["unknown"] == n_unknown
    assert corpus.vocabulary.counts.sum() == corpus.n_tokens("train")


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_processes_do_not_change_a_byte(encode_text: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "TOKENISED_CHUNK_BYTES", 4096)
    content = random_text(3000)
    one = digests(encode_text(content, threads=1, held_out=0.1).path)
    three = digests(encode_text(content, threads=3, held_out=0.1).path)
    assert one == three


def test_chunks_do_not_change_a_byte(encode_text: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    content = random_text(3000)
    whole = digests(encode_text(content, held_out=0.1, max_tokens=5000).path)
    monkeypatch.setattr(readers, "TOKENISED_CHUNK_BYTES", 4096)
    cut = digests(encode_text(content, held_out=0.1, max_tokens=5000).path)
    del whole["manifest.json"], cut["manifest.json"]  # it tells how much was read beyond max_tokens
    assert whole == cut


def test_no_line_and_no_shard_is_lost(make_receipt: Callable[..., Path], tmp_path: Path) -> None:
    shards = {
        f"lm1b/news.en-{number:05d}": (
            "train",
            b"".join(b"shard %d line %d\n" % (number, n) for n in range(50)),
        )
        for number in range(7)
    }
    shards["lm1b/news.en-00007"] = ("train", b"the last line has no end")
    shards["lm1b/held"] = ("valid", b"a valid line\r\n\r\nanother\r\n")
    receipt = make_receipt("lm1b", shards)
    encode_corpus(
        receipts=[receipt],
        config={"sources": ["lm1b"], "held_out": 0.2},
        output=tmp_path / "o",
        seed=1,
        threads=2,
    )
    corpus = EncodedCorpus.open(tmp_path / "o", verify=True)
    # There is a valid split, so only test is held out.
    everything = decoded(corpus, "train") + decoded(corpus, "test")
    expected = [["shard", str(number), "line", str(n)] for number in range(7) for n in range(50)]
    known = sorted(
        " ".join(sentence) for sentence in [*expected, ["the", "last", "line", "has", "no", "end"]]
    )
    rare = corpus.vocabulary.words
    assert len(everything) == 351
    assert sorted(" ".join(w if w in rare else "<unk>" for w in line.split()) for line in known) == sorted(
        " ".join(sentence) for sentence in everything
    )
    assert 40 <= corpus.n_sentences("test") <= 100
    assert corpus.n_sentences("valid") == 2
    source = corpus.manifest["sources"][0]
    assert source["read"]["train"]["lines"] == 351
    assert source["read"]["valid"] == {
        **source["read"]["valid"],
        "lines": 3,
        "blank_lines": 1,
        "text_lines": 2,
    }
    assert source["kept"]["train_sentences"] + source["kept"]["test_sentences"] == 351


def test_the_counts_of_every_source_add_up(make_receipt: Callable[..., Path], tmp_path: Path) -> None:
    ptb = make_receipt(
        "ptb",
        {
            "ptb/train.gz": ("train", gzip.compress(b" aer banknote \n <unk> N years \n")),
            "ptb/valid": ("valid", b" no N \n"),
            "ptb/test": ("test", b" pierre \n"),
        },
    )
    wiki = make_receipt(
        "enwiki-extracts",
        {"e/AA.txt": ("train", b'<doc id="1" title="Cat">\nCat\n\nA cat. It purrs.\n</doc>\n')},
    )
    own = tmp_path / "own.txt"
    own.write_bytes(b"tokenised text\n\nof mine")
    config = {
        "sources": ["enwiki-extracts", "ptb", {"text": str(own), "tokenised": True}],
        "held_out": 0,
    }
    encode_corpus(receipts=[ptb, wiki], config=config, output=tmp_path / "o", seed=1, threads=1)
    corpus = EncodedCorpus.open(tmp_path / "o", verify=True)
    assert [" ".join(sentence) for sentence in decoded(corpus)] == [
        "A cat .",
        "It purrs .",
        "aer banknote",
        "<unk> N years",
        "tokenised text",
        "of mine",
    ]
    assert [source["name"] for source in corpus.manifest["sources"]] == ["enwiki-extracts", "ptb", "text"]
    for source in corpus.manifest["sources"]:
        for counts in source["read"].values():
            lines = counts["lines"] + counts["line_cuts"]
            assert lines == sum(counts.get(category, 0) for category in LINE_CATEGORIES)
        kept = source["kept"]
        read = sum(counts["sentences"] for counts in source["read"].values())
        assert (
            read
            == sum(kept.get(f"{s}_sentences", 0) for s in ("train", "valid", "test"))
            + (kept["sentences_left_out"])
        )
    assert str(tmp_path) not in json.dumps(corpus.manifest)


@pytest.mark.parametrize(("max_tokens", "n_sentences"), [(3, 1), (4, 1), (6, 2), (1000, 4)])
def test_max_tokens_ends_with_a_sentence(encode_text: Encode, max_tokens: int, n_sentences: int) -> None:
    corpus = encode_text("a b\nc d\ne f\ng h", max_tokens=max_tokens)
    assert corpus.n_sentences("train") == n_sentences
    assert corpus.manifest["sources"][0]["kept"]["sentences_left_out"] == 4 - n_sentences


def test_held_out_sentences_are_a_partition_by_seed(encode_text: Encode) -> None:
    content = "\n".join(f"s{number}" for number in range(4000))

    def parts(seed: int) -> list[list[str]]:
        corpus = encode_text(content, held_out=0.05, seed=seed)
        assert corpus.vocabulary.counts[2:].tolist() == [1] * corpus.n_sentences("train")
        return [corpus.n_sentences(split) for split in ("train", "valid", "test")], corpus.vocabulary.words

    (train, valid, test), words = parts(1)
    assert train + valid + test == 4000
    assert 150 < valid < 250
    assert 150 < test < 250
    assert parts(1)[1] == words
    assert parts(2)[1] != words


def test_the_hash_is_uniform_and_never_changes() -> None:
    draw = uniform_hash(np.arange(100_000, dtype=np.uint64), seed=3, stream=1)
    assert np.histogram(draw, 20, (0, 1))[0].std() < 150
    assert abs(np.corrcoef(draw[:-1], draw[1:])[0, 1]) < 0.02
    # The first output of SplitMix64 with state 0, as published with the algorithm's reference code.
    assert uniform_hash(np.zeros(1, dtype=np.uint64), 0, 0)[0] == (0xE220A8397B1DCDAF >> 11) * 2.0**-53


def test_no_training_text_is_an_error(encode_text: Encode, tmp_path: Path) -> None:
    for content in (b"", b"\n \n\x00"):
        with pytest.raises(LexiscopeError, match="no training text"):
            encode_text(content)
        with pytest.raises(LexiscopeError, match="not a finished"):
            EncodedCorpus.open(tmp_path / "encoded")


def test_a_missing_receipt_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no receipt was given for the dataset 'ptb'"):
        encode_corpus(receipts=[], config={"sources": ["ptb"]}, output=tmp_path, seed=1, threads=1)


def test_a_dataset_that_is_no_corpus_is_an_error(make_receipt: Callable[..., Path], tmp_path: Path) -> None:
    receipt = make_receipt("men", {"men.txt": ("pairs", b"a b 1\n")})
    with pytest.raises(LexiscopeError, match="no corpus"):
        encode_corpus(receipts=[receipt], config={"sources": ["men"]}, output=tmp_path, seed=1, threads=1)


def test_leftovers_of_an_earlier_run_go(encode_text: Encode, tmp_path: Path) -> None:
    folder = tmp_path / "encoded"
    (folder / "scratch-x").mkdir(parents=True)
    stale = [
        "manifest.json",
        "vocabulary.tsv",
        "train-00007.npy",
        ".train-00000.npy.x.part",
        "scratch-x/train",
    ]
    for name in [*stale, "notes.txt"]:
        (folder / name).write_text("stale")
    encode_text("a b c")
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json",
        "vocabulary.tsv",
        "train-00000.npy",
        "notes.txt",
    }


def test_shards_hold_whole_sentences(encode_text: Encode) -> None:
    content = b"\n".join(b"x " * (number * 137 % 700 + 1) for number in range(60))
    corpus = encode_text(content, shard_tokens=1001)
    shards = corpus.shards("train")
    assert len(shards) > 10
    assert all(shard[-1] == 1 and len(shard) <= 1001 for shard in shards)
    assert [len(sentence) for sentence in decoded(corpus)] == [
        number * 137 % 700 + 1 for number in range(60)
    ]


def test_many_words_need_uint32(encode_text: Encode) -> None:
    fits = encode_text("\n".join(f"w{number}" for number in range(2**16 - 2)))
    assert fits.tokens("train").dtype == np.uint16
    larger = encode_text("\n".join(f"w{number}" for number in range(2**16 - 1)))
    assert larger.tokens("train").dtype == np.uint32
    assert len({word for sentence in decoded(larger) for word in sentence}) == 2**16 - 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=30), max_size=8))
def test_untokenised_text_of_any_kind_is_encoded(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "t.txt").write_text("\n".join(["One sentence.", *lines]), encoding="utf-8", newline="")
    config = {"sources": [{"text": str(folder / "t.txt")}], "held_out": 0}
    encode_corpus(receipts=[], config=config, output=folder / "o", seed=1, threads=1)
    corpus = EncodedCorpus.open(folder / "o")
    assert decoded(corpus)[0] == ["One", "sentence", "."]
    assert all(not set(word) & set(" \t\n\r\x85\u2028") for word in corpus.vocabulary.words)


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux reports it")
def test_a_giant_line_needs_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "giant.txt"
    with path.open("wb") as stream:
        for _ in range(120):
            stream.write(b"the quick brown fox jumps over a lazy dog and more " * 4000)  # 24 MB in one line
    code = f"""
import resource, sys
from pathlib import Path
from lexiscope.corpora import encode, readers
readers.TOKENISED_CHUNK_BYTES = 1 << 18
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
encode.encode_corpus(receipts=[], config={{"sources": [{{"text": {str(path)!r}, "tokenised": True}}],
    "held_out": 0, "shard_tokens": 1 << 18}}, output=Path({str(tmp_path / "o")!r}), seed=1, threads=1)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    ).stdout
    corpus = EncodedCorpus.open(tmp_path / "o")
    assert corpus.n_tokens("train") - corpus.n_sentences("train") == 120 * 4000 * 11
    assert float(told) < 40  # MB; the ids alone are 42 MB in scratch


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(lexiscope.__file__).parents[1])}


def test_a_killed_run_leaves_nothing_that_opens_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(random_text(20_000) * 20)
    code = f"""
from pathlib import Path
from lexiscope.corpora.encode import encode_corpus
encode_corpus(receipts=[], config={{"sources": [{{"text": {str(path)!r}, "tokenised": True}}]}},
    output=Path({str(tmp_path / "o")!r}), seed=1, threads=2)
"""
    process = subprocess.Popen([sys.executable, "-c", code], env=environment())
    until = time.monotonic() + 60
    while not list((tmp_path / "o").glob("scratch-*/train")) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((tmp_path / "o").glob("scratch-*")), "it was killed too late for this test"
    with pytest.raises(LexiscopeError, match="not a finished"):
        EncodedCorpus.open(tmp_path / "o")
    config = {"sources": [{"text": str(path), "tokenised": True}]}
    for output in ("o", "fresh"):
        encode_corpus(receipts=[], config=config, output=tmp_path / output, seed=1, threads=1)
    assert digests(tmp_path / "o") == digests(tmp_path / "fresh")


def test_a_killed_worker_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexiscope.corpora import chunks

    monkeypatch.setattr(readers, "TOKENISED_CHUNK_BYTES", 4096)
    monkeypatch.setattr(chunks, "intern", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    path = tmp_path / "text.txt"
    path.write_bytes(random_text(3000))
    with pytest.raises(LexiscopeError, match="killed"):
        encode_corpus(
            receipts=[],
            config={"sources": [{"text": str(path), "tokenised": True}]},
            output=tmp_path / "o",
            seed=1,
            threads=2,
        )


def test_tokenised_text_needs_no_tokeniser(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("a b c\n")
    code = f"""
import sys
from pathlib import Path
from lexiscope.corpora.encode import encode_corpus
source = {{"text": {str(tmp_path / "text.txt")!r}, "tokenised": True}}
config = {{"sources": [source], "held_out": 0}}
encode_corpus(receipts=[], config=config, output=Path({str(tmp_path / "o")!r}), seed=1, threads=1)
print(*sys.modules)
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    ).stdout.split()
    assert not {"sacremoses", "syntok", "torch", "pandas"} & set(loaded)


@pytest.mark.mirror
def test_the_published_sizes_of_the_penn_treebank(mirror_root: Path, tmp_path: Path) -> None:
    from lexiscope.data.receipt import Receipt, ReceiptFile, write_receipt

    files = [(f"ptb/ptb.{split}.txt", split) for split in ("train", "valid", "test")]
    receipt = Receipt(
        "ptb",
        "mirror",
        str(mirror_root),
        tuple(ReceiptFile(path, role, "0" * 64, 0) for path, role in files),
    )
    write_receipt(receipt, tmp_path / "ptb.json")
    encode_corpus(
        receipts=[tmp_path / "ptb.json"],
        config={"sources": ["ptb"]},
        output=tmp_path / "o",
        seed=1,
        threads=2,
    )
    corpus = EncodedCorpus.open(tmp_path / "o")
    assert [corpus.n_sentences(split) for split in ("train", "valid", "test")] == [42068, 3370, 3761]
    # 929k / 73k / 82k tokens with </s>, 10k words with <unk> and </s> (Mikolov et al. 2010).
    assert [corpus.n_tokens(split) for split in ("train", "valid", "test")] == [929589, 73760, 82430]
    assert len(corpus.vocabulary) == 10_000
