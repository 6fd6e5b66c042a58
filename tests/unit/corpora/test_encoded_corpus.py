from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from plain_encoder import decoded

from lexiscope.corpora import encoded
from lexiscope.corpora.encoded import EncodedCorpus, ShardedIds
from lexiscope.errors import LexiscopeError

Encode = Callable[..., EncodedCorpus]

TEXT = "the cat sat\nthe rare dog\nrare2\n\nthe cat\n"


def lines(path: Path) -> list[str]:
    content = path.read_text(encoding="utf-8")
    assert content.endswith("\n") or not content
    return content.split("\n")[:-1]


def test_text_without_unknown_words(encode_text: Encode, tmp_path: Path) -> None:
    corpus = encode_text(TEXT, min_count=2)
    corpus.write_text("train", tmp_path / "out.txt")
    assert lines(tmp_path / "out.txt") == ["the cat", "the", "the cat"]
    corpus.write_text("train", tmp_path / "out.txt", drop_unknown=False)
    assert lines(tmp_path / "out.txt") == ["the cat <unk>", "the <unk> <unk>", "<unk>", "the cat"]


def test_text_of_many_blocks_and_shards(
    encode_text: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "DECODE_TOKENS", 100)
    random = np.random.default_rng(0)
    sentences = [
        " ".join(f"é{n}" for n in random.integers(0, 400, size)) for size in random.integers(1, 150, 300)
    ]
    corpus = encode_text("\n".join(sentences), min_count=30, shard_tokens=1500)
    assert len(corpus.shards("train")) > 5
    for drop in (True, False):
        corpus.write_text("train", tmp_path / "out.txt", drop_unknown=drop)
        words = [[w for w in sentence if w != "<unk>" or not drop] for sentence in decoded(corpus)]
        assert lines(tmp_path / "out.txt") == [" ".join(sentence) for sentence in words if sentence]


def test_an_empty_split_is_empty_everywhere(encode_text: Encode, tmp_path: Path) -> None:
    corpus = encode_text(TEXT)
    assert corpus.shards("valid") == []
    assert len(corpus.tokens("valid")) == 0
    assert corpus.tokens("valid").dtype == np.uint16
    assert corpus.n_tokens("valid") == corpus.n_sentences("valid") == 0
    corpus.write_text("valid", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == b""


def test_one_shard_is_a_read_only_memory_map(encode_text: Encode) -> None:
    tokens = encode_text(TEXT).tokens("train")
    assert isinstance(tokens, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 5


def test_several_shards_read_as_one_array() -> None:
    whole = np.random.default_rng(0).integers(0, 1000, 500).astype(np.uint16)
    view = ShardedIds([whole[:100], whole[100:101], whole[101:400], whole[400:]])
    assert len(view) == 500
    assert view.shape == (500,)
    assert view.dtype == np.uint16
    np.testing.assert_array_equal(np.asarray(view), whole)
    np.testing.assert_array_equal(list(view), whole)
    for start, stop in [
        (0, 500),
        (50, 60),
        (99, 102),
        (100, 100),
        (400, 10_000),
        (-30, None),
        (300, 200),
        (500, 500),
    ]:
        np.testing.assert_array_equal(view[start:stop], whole[start:stop])
        assert view[start:stop].dtype == np.uint16
    positions = np.random.default_rng(1).integers(-500, 500, (7, 9))
    np.testing.assert_array_equal(view[positions], whole[positions])
    assert view[100] == whole[100]
    assert view[-1] == whole[-1]
    assert view[[]].shape == (0,)
    for position in (500, -501):
        with pytest.raises(IndexError):
            view[position]
    with pytest.raises(IndexError):
        view[::2]


def test_shards_without_a_slice_are_not_copied() -> None:
    shards = [np.arange(10, dtype=np.uint16), np.arange(10, dtype=np.uint16)]
    assert np.shares_memory(ShardedIds(shards)[12:15], shards[1])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "manifest.json").unlink(), "not a finished encoded corpus"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "manifest.json").write_text("{}"), "not a manifest"),
        (lambda folder: (folder / "train-00000.npy").unlink(), "is missing"),
        (lambda folder: (folder / "train-00000.npy").write_bytes(b"x"), "has 1 bytes"),
        (lambda folder: swap(folder / "vocabulary.tsv"), "content has changed"),
        (lambda folder: swap(folder / "train-00000.npy"), "content has changed"),
    ],
)
def test_damage_is_seen(
    encode_text: Encode, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(encode_text(TEXT).path)
    with pytest.raises(LexiscopeError, match=message):
        EncodedCorpus.open(tmp_path / "encoded", verify=True)


def swap(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def test_a_manifest_with_missing_keys_is_an_error(encode_text: Encode) -> None:
    folder = encode_text(TEXT).path
    (folder / "manifest.json").write_text(json.dumps({"format": encoded.FORMAT}))
    with pytest.raises(LexiscopeError, match="not a manifest"):
        EncodedCorpus.open(folder)


def test_a_moved_corpus_is_the_same(encode_text: Encode, tmp_path: Path) -> None:
    corpus = encode_text(TEXT)
    moved = EncodedCorpus.open(shutil.copytree(corpus.path, tmp_path / "moved"))
    assert moved.sha256 == corpus.sha256
    assert decoded(moved) == decoded(corpus)
