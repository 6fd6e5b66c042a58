from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from small_lm_1b import (
    DIM,
    LONG,
    ROWS,
    SHARDS,
    WORDS,
    change_graph,
    draw_numbers,
    embed_in_numpy,
    write_checkpoint,
    write_release,
)

from lexiscope.corpora.vocabulary import write_counts
from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.imports import lm_1b
from lexiscope.language_models.imports.lm_1b import embed_with_lm_1b, import_lm_1b
from lexiscope.language_models.imports.lm_1b_characters import CharacterIds

pytestmark = pytest.mark.tensorflow

CONFIG = {"kind": "lm_1b"}
NUMBERS = draw_numbers()


@pytest.fixture(autouse=True)
def log_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "tensorflow")  # each file written in the old format is warned of
    caplog.set_level(logging.INFO, "lexiscope")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("lm_1b") / "release", NUMBERS)


@pytest.fixture
def release(published: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(published, tmp_path / "release"))


def imported(folder: Path, tmp_path: Path, **options: Any) -> EmbeddingSpace:
    import_lm_1b(folder=folder, config=CONFIG, output=tmp_path / "layer.safetensors", **options)
    return load_space(tmp_path / "layer.safetensors")


def embedded(folder: Path, tmp_path: Path, lexicon: Path | None = None) -> EmbeddingSpace:
    embed_with_lm_1b(folder=folder, lexicon=lexicon, config=CONFIG, output=tmp_path / "in.safetensors")
    return load_space(tmp_path / "in.safetensors")


def refused(match: str, folder: Path, tmp_path: Path, *, embedding: bool = False) -> str:
    with pytest.raises(LexiscopeError, match=match) as error:
        embedded(folder, tmp_path) if embedding else imported(folder, tmp_path)
    assert error.value.remedy
    assert not list(tmp_path.glob("*.safetensors"))
    return str(error.value)


def edit_vocabulary(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "vocab-2016-09-10.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")


def test_softmax_rows_stand_in_the_order_of_the_vocabulary(published: Path, tmp_path: Path) -> None:
    layer = imported(published, tmp_path)
    # As the release's own graph puts the shards together (the tensor Reshape_3).
    side_by_side = np.concatenate([NUMBERS[f"softmax/W_{shard}"] for shard in range(SHARDS)], axis=1)
    assert layer.words == WORDS
    np.testing.assert_array_equal(layer.vectors, side_by_side.reshape(-1, DIM)[: len(WORDS)])
    np.testing.assert_array_equal(layer.columns["bias"], NUMBERS["softmax/b"][: len(WORDS)])
    np.testing.assert_array_equal(layer["café"], NUMBERS["softmax/W_0"][1])  # word 8 of 8 shards
    assert layer.columns["bias"].dtype == np.float32
    assert layer.provenance["n_shards"] == SHARDS
    assert layer.provenance["n_padding_rows"] == 3
    assert len(layer.provenance["files"]) == SHARDS + 3


@pytest.mark.parametrize("embedding", [False, True])
def test_second_checkpoint_format_gives_the_same_numbers(
    published: Path, tmp_path: Path, embedding: bool
) -> None:
    second = write_release(tmp_path / "v2", NUMBERS, v2=True)
    assert not (second / "ckpt-softmax0").exists()
    read = embedded if embedding else imported
    np.testing.assert_array_equal(read(second, tmp_path).vectors, read(published, tmp_path).vectors)


def test_bias_is_checked_against_rank(
    published: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provenance = imported(published, tmp_path).provenance
    rows = range(3, len(WORDS))  # without </S>, <S> and <UNK>
    wanted = np.corrcoef(NUMBERS["softmax/b"][3 : len(WORDS)], [-np.log(row + 1) for row in rows])[0, 1]
    assert provenance["bias_frequency_pearson"] == pytest.approx(wanted, abs=1e-6)
    assert provenance["bias_frequency_measured_against"].startswith("-ln(rank")
    assert provenance["bias_frequency_n_words"] == len(rows)
    assert f"r = {wanted:.3f} over {len(rows)} words" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_bias_is_checked_against_counts_of_a_lexicon(published: Path, tmp_path: Path) -> None:
    words, counts = ("Paris", "zebra", "the", "of", "x"), np.array([30, 20, 1000, 500, 0])
    write_counts(tmp_path / "lexicon.tsv", words, counts)
    provenance = imported(published, tmp_path, lexicon=tmp_path / "lexicon.tsv").provenance
    bias = [NUMBERS["softmax/b"][WORDS.index(word)] for word in ("Paris", "the", "of")]
    wanted = np.corrcoef(bias, np.log([30, 1000, 500]))[0, 1]
    assert provenance["bias_frequency_pearson"] == pytest.approx(wanted, abs=1e-6)
    assert provenance["bias_frequency_measured_against"] == "ln(count in the lexicon)"
    assert provenance["bias_frequency_n_words"] == 3


def test_misaligned_bias_is_warned_of(
    release: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_checkpoint(release / f"ckpt-softmax{SHARDS}", {"softmax/b": NUMBERS["softmax/b"][::-1].copy()})
    assert imported(release, tmp_path).provenance["bias_frequency_pearson"] < 0
    assert "may not be aligned" in caplog.text


def test_embeddings_of_any_word_equal_numpy(published: Path, tmp_path: Path) -> None:
    words = (
        "the",
        "café",
        "<S>",
        "</S>",
        "<UNK>",
        LONG,
        "é" * 24 + "x",
        "zyzzyva",
        "日本語",
        "the cat",
        "A",
    )
    write_counts(tmp_path / "lexicon.tsv", words, np.arange(len(words)))
    space = embedded(published, tmp_path, tmp_path / "lexicon.tsv")
    assert space.words == words
    np.testing.assert_array_equal(space.columns["count"], np.arange(len(words)))
    wanted = np.stack([embed_in_numpy(NUMBERS, word) for word in words])
    np.testing.assert_allclose(space.vectors, wanted, atol=1e-5, rtol=0)
    assert space.provenance["n_words_out_of_vocabulary"] == 5
    assert space.provenance["n_words_cut"] == 2
    assert space.provenance["words_at_once"] == lm_1b.BATCH_SIZE


def test_without_a_lexicon_the_vocabulary_is_embedded(published: Path, tmp_path: Path) -> None:
    space = embedded(published, tmp_path)
    assert space.words == WORDS
    assert not space.columns
    wanted = np.stack([embed_in_numpy(NUMBERS, word) for word in WORDS])
    np.testing.assert_allclose(space.vectors, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("takes", ["batch", "time", "single"])
def test_words_in_batches_equal_words_alone(
    takes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    release = write_release(tmp_path / "release", NUMBERS, takes=takes)
    calls: list[Any] = []
    start = lm_1b.CharacterCNN.start

    def counted(*arguments: Any) -> Any:
        running = start(*arguments)
        run = running._session.run
        running._session.run = lambda *a: calls.append(a[1]) or run(*a)
        return running

    monkeypatch.setattr(lm_1b.CharacterCNN, "start", counted)
    monkeypatch.setattr(lm_1b, "BATCH_SIZE", 10)  # the last batch has 7
    space = embedded(release, tmp_path)
    wanted = np.stack([embed_in_numpy(NUMBERS, word) for word in WORDS])
    np.testing.assert_allclose(space.vectors, wanted, atol=1e-5, rtol=0)
    sizes = [len(next(iter(feed.values())).reshape(-1, 50)) for feed in calls]
    assert sizes[-4:] == ([1] * 4 if takes == "single" else [10, 10, 10, 7])
    assert ("one word at a time" in caplog.text) == (takes == "single")
    assert space.provenance["words_at_once"] == (1 if takes == "single" else 10)


def test_a_graph_that_mixes_up_a_batch_gets_words_one_by_one(
    release: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def reverse_the_batch(graph: Any, nodes: dict[str, Any]) -> None:
        nodes["all_embs_out"].name = "in_order"
        axis = graph.node.add(name="axis", op="Const")
        axis.attr["dtype"].type = 3
        axis.attr["value"].tensor.dtype = 3
        axis.attr["value"].tensor.tensor_shape.dim.add(size=1)
        axis.attr["value"].tensor.int_val.append(0)
        turned = graph.node.add(name="all_embs_out", op="ReverseV2", input=["in_order", "axis"])
        turned.attr["T"].type = 1
        turned.attr["Tidx"].type = 3

    change_graph(release, reverse_the_batch)
    space = embedded(release, tmp_path)
    assert "one word at a time" in caplog.text
    np.testing.assert_allclose(space["Paris"], embed_in_numpy(NUMBERS, "Paris"), atol=1e-5, rtol=0)


def test_same_files_give_the_same_bytes(published: Path, tmp_path: Path) -> None:
    for run in ("a", "b"):
        embed_with_lm_1b(folder=published, lexicon=None, config=CONFIG, output=tmp_path / f"in-{run}")
        import_lm_1b(folder=published, config=CONFIG, output=tmp_path / f"out-{run}")
    assert (tmp_path / "in-a").read_bytes() == (tmp_path / "in-b").read_bytes()
    assert (tmp_path / "out-a").read_bytes() == (tmp_path / "out-b").read_bytes()


@pytest.mark.parametrize(
    ("name", "embedding"),
    [
        ("ckpt-softmax3", False),
        (f"ckpt-softmax{SHARDS}", False),
        ("vocab-2016-09-10.txt", False),
        ("graph-2016-09-10.pbtxt", True),
        ("ckpt-char-embedding", True),
        ("ckpt-base", True),
    ],
)
def test_missing_file_is_named(release: Path, tmp_path: Path, name: str, embedding: bool) -> None:
    (release / name).unlink()
    refused(f"a file of lm_1b is missing: {name}", release, tmp_path, embedding=embedding)


def test_folder_with_characters_of_a_pattern(published: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(published, tmp_path / "a[1]*?"))
    np.testing.assert_array_equal(imported(folder, tmp_path).vectors, imported(published, tmp_path).vectors)


def test_missing_folder(tmp_path: Path) -> None:
    refused("no such folder", tmp_path / "nowhere", tmp_path)


def test_shard_of_a_wrong_shape(release: Path, tmp_path: Path) -> None:
    write_checkpoint(release / "ckpt-softmax2", {"softmax/W_2": np.zeros((ROWS - 1, DIM), np.float32)})
    message = refused(r"'softmax/W_2' has shape \(4, 6\); the graph wants \(5, 6\)", release, tmp_path)
    assert "ckpt-softmax2" in message


def test_shards_that_do_not_give_the_rows_of_the_bias(release: Path, tmp_path: Path) -> None:
    def leave_open(graph: Any, nodes: dict[str, Any]) -> None:
        for shard in range(SHARDS):
            nodes[f"softmax/W_{shard}"].attr["shape"].shape.Clear()

    change_graph(release, leave_open)
    imported(release, tmp_path)  # the shapes of the shards themselves do
    (tmp_path / "layer.safetensors").unlink()
    write_checkpoint(release / "ckpt-softmax2", {"softmax/W_2": np.zeros((ROWS + 1, DIM), np.float32)})
    refused(r"'softmax/W_2' has shape \(6, 6\); 8 shards of one shape", release, tmp_path)


def test_shard_under_another_name(release: Path, tmp_path: Path) -> None:
    shutil.copy(release / "ckpt-softmax1", release / "ckpt-softmax2")
    refused("no tensor 'softmax/W_2'", release, tmp_path)


def test_variable_of_the_character_cnn_of_a_wrong_shape(release: Path, tmp_path: Path) -> None:
    write_checkpoint(release / "ckpt-base", {"projection/b": np.zeros(DIM + 1, np.float32)})
    refused(r"'projection/b' has shape \(7,\); the graph wants \(6,\)", release, tmp_path, embedding=True)


def test_missing_variable_of_the_character_cnn(release: Path, tmp_path: Path) -> None:
    write_checkpoint(release / "ckpt-base", {"global_step": np.zeros(1, np.float32)})
    refused("no tensor 'projection/b'", release, tmp_path, embedding=True)


def test_integers_are_no_weights(release: Path, tmp_path: Path) -> None:
    write_checkpoint(release / "ckpt-softmax0", {"softmax/W_0": np.zeros((ROWS, DIM), np.int32)})
    refused("'softmax/W_0' is int32, not float32", release, tmp_path)


def test_bias_with_nan(release: Path, tmp_path: Path) -> None:
    bias = np.full(SHARDS * ROWS, np.nan, np.float32)
    write_checkpoint(release / f"ckpt-softmax{SHARDS}", {"softmax/b": bias})
    refused("one finite number a word", release, tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", None])
def test_damaged_shard(release: Path, tmp_path: Path, content: bytes | None) -> None:
    path = release / "ckpt-softmax5"
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    assert "ckpt-softmax5" in refused("not a readable checkpoint", release, tmp_path)


def test_vocabulary_and_softmax_must_fit(release: Path, tmp_path: Path) -> None:
    edit_vocabulary(release, WORDS[:32])
    refused("shorter than the softmax: 32 words, 40 rows", release, tmp_path)
    edit_vocabulary(release, (*WORDS, "a", "b", "c", "d"))
    refused("longer than the softmax: 41 words, 40 rows", release, tmp_path)
    edit_vocabulary(release, WORDS[:33])  # seven rows may fill up the last row of eight shards
    assert len(imported(release, tmp_path)) == 33


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"a\nb\na\n", "3: the word 'a' occurs twice"),
        (b"a\n\nb\n", "2: an empty line"),
        (b"a\n\xff\n", "2: not UTF-8"),
    ],
)
def test_bad_vocabulary(release: Path, tmp_path: Path, content: bytes, match: str) -> None:
    (release / "vocab-2016-09-10.txt").write_bytes(content)
    refused(match, release, tmp_path)


def test_graph_that_is_none(release: Path, tmp_path: Path) -> None:
    (release / "graph-2016-09-10.pbtxt").write_text("node { name: 3 }", encoding="utf-8")
    refused("not a graph definition", release, tmp_path)


def test_graph_without_softmax(release: Path, tmp_path: Path) -> None:
    def rename(graph: Any, nodes: dict[str, Any]) -> None:
        nodes["softmax/W_4"].name = "softmax/other"

    change_graph(release, rename)
    refused("without a gap", release, tmp_path)


@pytest.mark.parametrize("name", ["char_inputs_in", "all_embs_out", "projection/W/read"])
def test_graph_without_a_node_of_the_character_cnn(release: Path, tmp_path: Path, name: str) -> None:
    def rename(graph: Any, nodes: dict[str, Any]) -> None:
        nodes[name].name = "another"

    change_graph(release, rename)
    refused(f"'{name}'", release, tmp_path, embedding=True)


@pytest.mark.parametrize(
    "operation", ["PyFunc", "EagerPyFunc", "ReadFile", "WriteFile", "RestoreV2", "function_of_the_file"]
)
def test_hostile_operation_is_refused(release: Path, tmp_path: Path, operation: str) -> None:
    def put_between(graph: Any, nodes: dict[str, Any]) -> None:
        graph.node.add(name="innocent", op=operation, input=[nodes["all_embs_out"].input[0]])
        nodes["all_embs_out"].input[0] = "innocent"

    change_graph(release, put_between)
    message = refused("the node 'innocent' is the operation", release, tmp_path, embedding=True)
    assert operation in message


def test_operation_beside_the_character_cnn_is_not_run(release: Path, tmp_path: Path) -> None:
    def write_on_the_way(graph: Any, nodes: dict[str, Any]) -> None:
        for name, text in (("where", str(tmp_path / "written")), ("what", "x")):
            constant = graph.node.add(name=name, op="Const")
            constant.attr["dtype"].type = 7
            constant.attr["value"].tensor.dtype = 7
            constant.attr["value"].tensor.tensor_shape.SetInParent()
            constant.attr["value"].tensor.string_val.append(text.encode())
        graph.node.add(name="writing", op="WriteFile", input=["where", "what"])
        nodes["all_embs_out"].input.append("^writing")

    change_graph(release, write_on_the_way)
    space = embedded(release, tmp_path)
    np.testing.assert_allclose(space["the"], embed_in_numpy(NUMBERS, "the"), atol=1e-5, rtol=0)
    imported(release, tmp_path)
    assert not (tmp_path / "written").exists()


def test_markers_take_the_lowest_bytes_that_no_word_has() -> None:
    characters = CharacterIds(("a\x01", "\x03b", "<S>"), length=8)
    assert characters.encode(("ab", "<S>", "</S>", "é", "abcdefgh")).tolist() == [
        [4, 97, 98, 5, 6, 6, 6, 6],
        [4, 0, 5, 6, 6, 6, 6, 6],
        [4, 2, 5, 6, 6, 6, 6, 6],
        [4, 0xC3, 0xA9, 5, 6, 6, 6, 6],
        [4, 97, 98, 99, 100, 101, 102, 5],
    ]
    assert [characters.is_cut(word) for word in ("abcdef", "abcdefg", "ééé", "éééé")] == [False, True] * 2


def test_markers_of_a_vocabulary_with_every_character() -> None:
    # The first value that UTF-8 never has.
    assert CharacterIds(tuple(map(chr, range(0x2000)))).begin_sentence == 0xC0
