from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import TINY

from lexiscope.corpora.encode import encode_corpus
from lexiscope.corpora.encoded import EncodedCorpus
from lexiscope.corpora.lexicon import read_lexicon
from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.char_cnn_lstm import CharCNNLSTM
from lexiscope.language_models.config import CharCNNLSTMConfig
from lexiscope.language_models.extract import extract_layer, extract_space
from lexiscope.language_models.model_file import load_model, save_model, vocabulary_digest


@pytest.fixture
def model_path(tmp_path: Path, corpus: EncodedCorpus, tiny_config: CharCNNLSTMConfig) -> Path:
    torch.manual_seed(0)
    words = corpus.vocabulary.words
    model = CharCNNLSTM(tiny_config, words)
    torch.nn.init.normal_(model.softmax_bias)
    metadata = {
        "config": tiny_config.model_dump(mode="json"),
        "vocabulary_sha256": vocabulary_digest(words),
        "seed": 1,
        "casing": "as_is",
        "test_perplexity": 12.0,
    }
    path = tmp_path / "model.safetensors"
    save_model(model.state_dict(), metadata, path)
    return path


def test_output_space_has_softmax_rows_bias_and_counts(
    tmp_path: Path, model_path: Path, corpus_path: Path, corpus: EncodedCorpus, lexicon_path: Path
) -> None:
    output = tmp_path / "output.safetensors"
    extract_space(
        model=model_path,
        corpus=corpus_path,
        lexicon=lexicon_path,
        which="lm_output",
        output=output,
        device="cpu",
    )
    space = load_space(output)
    model, _ = load_model(model_path, corpus.vocabulary.words)
    weight, bias = model.output_layer()
    assert space.words == read_lexicon(lexicon_path).words
    for row, word in enumerate(space.words):
        number = corpus.vocabulary.index[word]
        assert np.array_equal(space[word], weight[number].numpy())
        assert space.columns["bias"][row] == bias[number]
        assert space.columns["count"][row] == corpus.vocabulary.counts[number]
        assert space.columns["row"][row] == number
    assert space.columns["bias"].dtype == np.float32
    assert space.columns["count"].dtype == np.int64
    assert space.columns["row"].dtype == np.int64
    assert space.provenance["kind"] == "lm_output"
    assert space.provenance["n_words_before_lexicon"] == len(corpus.vocabulary)


def test_words_outside_the_vocabulary_have_an_input_vector_and_no_output_row(
    tmp_path: Path, model_path: Path, corpus_path: Path, corpus: EncodedCorpus
) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("red1\t9\nunheard\t7\nblue1\t5\n")
    spaces = {}
    for which in ("lm_input", "lm_output"):
        path = tmp_path / f"{which}.safetensors"
        extract_space(
            model=model_path, corpus=corpus_path, lexicon=lexicon, which=which, output=path, device="cpu"
        )
        spaces[which] = load_space(path)
    assert spaces["lm_input"].words == ("red1", "unheard", "blue1")
    assert spaces["lm_output"].words == ("red1", "blue1")
    assert spaces["lm_input"].columns["count"].tolist()[1] == 0
    assert "row" not in spaces["lm_input"].columns
    rows = spaces["lm_output"].columns["row"].tolist()
    assert rows == [corpus.vocabulary.index[word] for word in ("red1", "blue1")]
    model, _ = load_model(model_path, corpus.vocabulary.words)
    expected = model.input_embeddings(["unheard"])[0].numpy()
    np.testing.assert_allclose(spaces["lm_input"]["unheard"], expected, atol=1e-6)


def test_the_layer_has_every_softmax_row_in_the_order_of_ids(
    tmp_path: Path, model_path: Path, corpus_path: Path, corpus: EncodedCorpus
) -> None:
    output = tmp_path / "layer.safetensors"
    extract_layer(model=model_path, corpus=corpus_path, output=output, device="cpu")
    layer = load_space(output)
    weight, bias = load_model(model_path, corpus.vocabulary.words)[0].output_layer()
    assert layer.words == corpus.vocabulary.words
    np.testing.assert_array_equal(layer.vectors, weight.numpy())
    np.testing.assert_array_equal(layer.columns["bias"], bias.numpy())
    np.testing.assert_array_equal(layer.columns["count"], corpus.vocabulary.counts)
    assert set(layer.columns) == {"bias", "count"}
    assert (layer.columns["bias"].dtype, layer.columns["count"].dtype) == (np.float32, np.int64)
    assert str(tmp_path) not in str(layer.provenance)


def test_rows_of_the_output_space_are_those_of_the_layer(
    tmp_path: Path, model_path: Path, corpus_path: Path, lexicon_path: Path
) -> None:
    layer_path, space_path = tmp_path / "layer", tmp_path / "output"
    extract_layer(model=model_path, corpus=corpus_path, output=layer_path, device="cpu")
    extract_space(
        model=model_path,
        corpus=corpus_path,
        lexicon=lexicon_path,
        which="lm_output",
        output=space_path,
        device="cpu",
    )
    layer, space = load_space(layer_path), load_space(space_path)
    rows = space.columns["row"]
    assert tuple(layer.words[row] for row in rows) == space.words
    np.testing.assert_array_equal(layer.vectors[rows], space.vectors)
    for column in ("bias", "count"):
        np.testing.assert_array_equal(layer.columns[column][rows], space.columns[column])


def test_the_layer_of_a_model_of_another_corpus_is_refused(tmp_path: Path, model_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("other words here\n")
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.0}
    encode_corpus(receipts=[], config=config, output=tmp_path / "other", seed=1, threads=1)
    with pytest.raises(LexiscopeError, match="another vocabulary"):
        extract_layer(model=model_path, corpus=tmp_path / "other", output=tmp_path / "x", device="cpu")
    assert not (tmp_path / "x").exists()


def test_a_lexicon_of_unknown_words_only_is_an_error(
    tmp_path: Path, model_path: Path, corpus_path: Path
) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("unheard\t7\n")
    with pytest.raises(LexiscopeError, match="no word of the lexicon"):
        extract_space(
            model=model_path,
            corpus=corpus_path,
            lexicon=lexicon,
            which="lm_output",
            output=tmp_path / "x",
            device="cpu",
        )


def test_a_model_of_another_corpus_is_refused(tmp_path: Path, model_path: Path, lexicon_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("other words here\n")
    config = {"sources": [{"text": str(text), "tokenised": True}], "held_out": 0.0}
    encode_corpus(receipts=[], config=config, output=tmp_path / "other", seed=1, threads=1)
    with pytest.raises(LexiscopeError, match="another vocabulary"):
        extract_space(
            model=model_path,
            corpus=tmp_path / "other",
            lexicon=lexicon_path,
            which="lm_input",
            output=tmp_path / "x",
            device="cpu",
        )


def test_the_same_model_always_gives_the_same_bytes(
    tmp_path: Path, model_path: Path, corpus: EncodedCorpus
) -> None:
    model, metadata = load_model(model_path, corpus.vocabulary.words)
    again = tmp_path / "again.safetensors"
    kept = {k: v for k, v in metadata.items() if k not in ("format", "weights_sha256")}
    save_model(model.state_dict(), kept, again)
    assert again.read_bytes() == model_path.read_bytes()


def test_a_flipped_bit_is_noticed(model_path: Path, corpus: EncodedCorpus) -> None:
    content = bytearray(model_path.read_bytes())
    content[-3] ^= 1
    model_path.write_bytes(content)
    with pytest.raises(LexiscopeError, match="do not match their own digest"):
        load_model(model_path, corpus.vocabulary.words)


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x80\x04K\x01."])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(LexiscopeError, match="not a language model"):
        load_model(path, TINY)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        load_model(tmp_path / "none", ())
