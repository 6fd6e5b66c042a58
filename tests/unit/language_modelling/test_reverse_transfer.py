"""The reverse-transfer experiment, the models it keeps, and the ranks that they give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tiny_experiment import PROTOCOL, SIZES, Killed, Tiny, identity_of, kill_after, make_tiny

from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json
from lexiscope.language_modelling.model import LanguageModelGroup
from lexiscope.language_modelling.model_store import ModelStore, Name, read_models
from lexiscope.language_modelling.passages import CORPUS_SENTENCES
from lexiscope.language_modelling.predict import predict, token_log_probabilities
from lexiscope.language_modelling.rank_probe import probe_ranks
from lexiscope.language_modelling.reverse_transfer import train_reverse_transfer
from lexiscope.language_modelling.settings import ModelSpec, Settings
from lexiscope.language_modelling.text import table_of
from lexiscope.language_modelling.train import Trainer
from lexiscope.language_modelling.vocabulary import restricted_text

CONFIG = {**SIZES, "compression": 3, "compressed": "both", "epochs": 1}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return make_tiny(tmp_path_factory.mktemp("reverse-transfer"))


def train(tiny: Tiny, folder: Path, **changes):
    spaces = changes.get("spaces", tiny.spaces)
    arguments = {
        **tiny.text,
        "spaces": spaces,
        "with_none": True,
        "config": CONFIG,
        "identities": {name: identity_of(name) for name in ("(none)", *spaces)},
        "protocol": PROTOCOL,
        "scores": folder / "scores.parquet",
        "items": folder / "items.parquet",
        "history": folder / "history.json",
        "models": folder / "models",
        "checkpoint": folder / "unfinished",
        "threads": 1,
        "device": "cpu",
    }
    train_reverse_transfer(**{**arguments, **changes})
    return [pq.read_table(folder / f"{name}.parquet").to_pylist() for name in ("scores", "items")]


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, *train(tiny, folder)


# -- training --------------------------------------------------------------------------------------


def test_with_and_without_the_layer_and_the_vectors(trained):
    _, scores, _ = trained
    found = [(r["dataset"], r["space"], r["seed"]) for r in scores if r["split"] == "test"]
    expected = [("lstm_lm", "(none)", 1), ("lstm_lm", "(none)", 2)]
    for space in ("first", "second"):
        for dataset in ("lstm_lm", "lstm_lm_compressed"):
            expected += [(dataset, space, 1), (dataset, space, 2)]
    assert found == expected
    protocols = {(r["dataset"], r["space"] == "(none)"): r["protocol"] for r in scores}
    for key, part in (
        (("lstm_lm", True), "lm=lstm embeddings=none compression=3 "),
        (("lstm_lm", False), "lm=lstm embeddings=frozen compression=none "),
        (("lstm_lm_compressed", False), "lm=lstm embeddings=frozen compression=3 "),
    ):
        assert protocols[key].startswith(part)
        assert " adam=0.001 " in protocols[key]


def test_fine_tuned_vectors_change_and_are_kept(tiny, tmp_path):
    config = {**CONFIG, "embeddings": "fine_tuned", "compressed": "without", "seeds": [1]}
    spaces = {"first": tiny.spaces["first"]}
    scores, _ = train(tiny, tmp_path, config=config, spaces=spaces, with_none=False)
    assert {row["space"] for row in scores} == {"first"}
    (model,) = read_models(tmp_path / "models")
    before = table_of(load_space(spaces["first"]), restricted_text(**tiny.text), missing="mean").vectors
    after = model.group.input_table()[0].detach().numpy()
    assert after.shape == before.shape
    assert 0 < np.abs(after - before).max() < 0.2


def test_no_model_to_train_is_an_error(tiny, tmp_path):
    with pytest.raises(LexiscopeError, match="no spaces"):
        train(tiny, tmp_path, spaces={}, with_none=False)


def test_a_killed_job_ends_with_the_same_bytes(tiny, tmp_path, trained, monkeypatch):
    of_an_epoch = -(-restricted_text(**tiny.text).n_tokens("train") // (4 * 7))
    with monkeypatch.context() as patch:
        kill_after(patch, Trainer, 2 * of_an_epoch + 1)
        with pytest.raises(Killed):
            train(tiny, tmp_path)
    with pytest.raises(LexiscopeError, match="not a finished folder of language models"):
        list(read_models(tmp_path / "models"))
    train(tiny, tmp_path)
    whole = trained[0]
    products = [path for path in whole.rglob("*") if path.is_file() and path.name != "history.json"]
    assert len(products) > 12
    for path in products:
        assert (tmp_path / path.relative_to(whole)).read_bytes() == path.read_bytes()


# -- kept models -----------------------------------------------------------------------------------


def test_kept_models_give_the_scored_perplexities(tiny, trained):
    folder, scores, _ = trained
    test = restricted_text(**tiny.text).splits["test"]
    value = {(r["dataset"], r["space"], r["seed"]): r["value"] for r in scores if r["split"] == "test"}
    n_models = 0
    for model in read_models(folder / "models"):
        found = np.exp(-token_log_probabilities(model.group, test).mean())
        key = (model.name.dataset, model.name.space, model.name.seed)
        assert found == pytest.approx(value[key], rel=1e-6)
        n_models += 1
    assert n_models == len(value) == 10


def test_the_seeds_of_a_space_share_one_table(trained):
    tables = list((trained[0] / "models").glob("table-*"))
    assert len(tables) == 2


def test_damaged_models_are_refused(trained, tmp_path):
    for path in (trained[0] / "models").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    list(read_models(tmp_path))
    raw = bytearray((tmp_path / "000.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "000.safetensors").write_bytes(raw)
    with pytest.raises(LexiscopeError, match="does not match its own digest"):
        list(read_models(tmp_path))
    # Weights of another model, themselves in order.
    listed = read_json(tmp_path / "models.json")
    plain, given = (next(e for e in listed["models"] if bool(e["table"]) == has) for has in (False, True))
    (tmp_path / "000.safetensors").write_bytes((tmp_path / given["file"]).read_bytes())
    assert plain["file"] == "000.safetensors"
    with pytest.raises(LexiscopeError, match="not the weights of this model"):
        list(read_models(tmp_path))
    (tmp_path / "000.safetensors").unlink()
    with pytest.raises(LexiscopeError, match="no such file"):
        list(read_models(tmp_path))
    (tmp_path / "models.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(LexiscopeError, match="not a list of format"):
        list(read_models(tmp_path))


# -- ranks -----------------------------------------------------------------------------------------

PASSAGE = "red3 blue4 the red0\nRed5 , blue2 blue2 .\n"


def probe(tiny, folder, models, config=None, passage=PASSAGE):
    (folder / "passage.txt").write_text(passage, encoding="utf-8")
    probe_ranks(
        models=models,
        corpus=tiny.corpus,
        vocabulary=tiny.vocabulary,
        config={"text": str(folder / "passage.txt"), **(config or {})},
        protocol=PROTOCOL,
        output=folder / "ranks.json",
    )
    return read_json(folder / "ranks.json")


def test_ranks_are_those_of_the_sorted_predictions(tiny, trained, tmp_path):
    models = trained[0] / "models"
    found = probe(tiny, tmp_path, [models])
    words = tiny.vocabulary.read_text().split("\n")[:-1]
    # "the", "," and "." are no content words; the vocabulary lacks "red0", and has "Red5" as "red5".
    assert [(p["sentence"], p["position"], p["word"]) for p in found["places"]] == [
        (1, 1, "red3"),
        (1, 2, "blue4"),
        (2, 1, "red5"),
        (2, 3, "blue2"),
        (2, 4, "blue2"),
    ]
    assert found["places"][2]["token"] == "Red5"
    assert [(p["sentence"], p["position"], p["token"]) for p in found["unknown"]] == [(1, 4, "red0")]
    text = ["red3", "blue4", "<unk>", "<unk>", "</s>", "red5", "<unk>", "blue2", "blue2", "<unk>", "</s>"]
    ids = np.array([words.index(word) for word in text])
    assert found["vocabulary_size"] == len(words)
    kept = list(read_models(models))
    assert len(found["models"]) == len(kept) == 10
    for record, model in zip(found["models"], kept, strict=True):
        (chances,) = predict(model.group, ids)
        order = [np.argsort(-row, kind="stable").tolist() for row in chances]
        expected = [order[place].index(ids[place]) + 1 for place in (0, 1, 5, 7, 8)]
        assert record["ranks"] == expected
        assert record["mean_log_rank"] == pytest.approx(np.log(expected).mean())
        assert (record["dataset"], record["space"]) == (model.name.dataset, model.name.space)


def test_spaces_are_means_over_seeds_and_held_against_none(tiny, trained, tmp_path):
    found = probe(tiny, tmp_path, [trained[0] / "models"])
    logs = {(m["dataset"], m["space"], m["seed"]): np.log(m["ranks"]) for m in found["models"]}
    plain = (logs["lstm_lm", "(none)", 1] + logs["lstm_lm", "(none)", 2]) / 2
    assert len(found["spaces"]) == 5
    for row in found["spaces"]:
        own = (logs[row["dataset"], row["space"], 1] + logs[row["dataset"], row["space"], 2]) / 2
        assert row["seeds"] == [1, 2]
        assert row["mean_log_ranks"] == pytest.approx(own.tolist())
        assert np.log(row["geometric_mean_rank"]) == pytest.approx(own.mean())
        if row["space"] == "(none)":
            assert row["against_none"] is None
        else:
            against = row["against_none"]
            assert against["difference"] == pytest.approx((own - plain).mean())
            assert against["ci_low"] <= against["difference"] <= against["ci_high"]


def constant_model(folder: Path, words: tuple[str, ...], bias: dict[str, float]) -> Path:
    """A model that says the same of each place: all weights are 0 but the words' biases."""
    spec, settings = ModelSpec("constant", "trainable", "trainable"), Settings(4, 1, 0, 1, 1, 1, 1, "sgd")
    weights = LanguageModelGroup([spec], settings, len(words)).weights_of(0)
    weights = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    for word, value in bias.items():
        weights["output_bias"][words.index(word)] = value
    store = ModelStore(folder, words, settings)
    store.add(Name("lstm_lm", "constant", 1), spec, weights)
    store.finish()
    return folder


def test_equally_likely_words_count_as_better(tiny, tmp_path):
    words = tuple(tiny.vocabulary.read_text().split("\n")[:-1])
    models = constant_model(tmp_path / "models", words, {"red3": 2.0, "blue4": 1.0, "blue2": 1.0})
    found = probe(tiny, tmp_path, [models])
    # red3 is alone at the top; two share the next place; all others are alike.
    assert found["models"][0]["ranks"] == [1, 3, len(words), 3, 3]
    assert found["spaces"][0]["against_none"] is None


def test_a_vocabulary_in_another_language_is_asked_about_its_own_text(tiny, trained, tmp_path):
    found = probe(tiny, tmp_path, [trained[0] / "models"], {"text": None})
    assert found["source"] == "corpus"
    known = set(tiny.vocabulary.read_text().split())
    assert {place["token"] for place in found["places"]} <= known
    assert len(found["sentences"]) == CORPUS_SENTENCES
    assert "</s>" not in found["sentences"][0]


def test_chosen_words_alone_are_ranked(tiny, trained, tmp_path):
    found = probe(tiny, tmp_path, [trained[0] / "models"], {"words": ["BLUE2", "red0"]})
    assert [place["token"] for place in found["places"]] == ["blue2", "blue2"]
    assert [place["token"] for place in found["unknown"]] == ["red0"]


def test_what_cannot_be_ranked(tiny, trained, tmp_path):
    models = [trained[0] / "models"]
    with pytest.raises(LexiscopeError, match="'hurricane' is to be ranked, but does not stand"):
        probe(tiny, tmp_path, models, {"words": ["hurricane"]})
    with pytest.raises(LexiscopeError, match="of the 1 words to be ranked none is in"):
        probe(tiny, tmp_path, models, {"words": ["red0"]})
    with pytest.raises(LexiscopeError, match="has no words"):
        probe(tiny, tmp_path, models, passage="\n \n")
    with pytest.raises(LexiscopeError, match="no such file"):
        probe(tiny, tmp_path, models, {"text": str(tmp_path / "none.txt")})
    with pytest.raises(LexiscopeError, match="no language models"):
        probe(tiny, tmp_path, [])
    words = tuple(tiny.vocabulary.read_text().split("\n")[:-1])
    other = constant_model(tmp_path / "models", words[:-1], {})
    with pytest.raises(LexiscopeError, match="another vocabulary"):
        probe(tiny, tmp_path, [other])
