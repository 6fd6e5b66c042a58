"""Import of causal language models of transformers."""

from __future__ import annotations

import json
import logging
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import transformers
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from safetensors.numpy import load_file, save_file
from tiny_pretrained import LEXICON, SIZES, VOCAB_SIZE, byte_level, make_model, metaspace, save, word_piece
from tokenizers import Tokenizer, models

from lexiscope.embeddings.space import EmbeddingSpace, load_space
from lexiscope.errors import LexiscopeError
from lexiscope.language_models.imports.huggingface import extract_huggingface_space, import_huggingface


class RunsWhenRead:
    """Fails the test if it is ever unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return pytest.fail, ("a file of the user was unpickled",)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Any:
    """Tests never download."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A tied model without bias and its folder; tests that change the folder take a copy."""
    model = make_model("gpt2")
    return model, save(model, tmp_path_factory.mktemp("pretrained") / "tiny-gpt2")


@pytest.fixture
def folder(tmp_path: Path, gpt2: tuple[Any, Path]) -> Path:
    return Path(shutil.copytree(gpt2[1], tmp_path / "model"))


@pytest.fixture
def lexicon(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.tsv"
    path.write_text("".join(f"{word}\t{count}\n" for word, count in LEXICON.items()), encoding="utf-8")
    return path


def config(path: Path | str, **settings: object) -> dict[str, object]:
    return {"kind": "huggingface", "path": str(path), **settings}


def read_layer(path: Path | str, output: Path, **settings: object) -> EmbeddingSpace:
    import_huggingface(config=config(path, **settings), output=output)
    return load_space(output)


def extract(
    path: Path, lexicon: Path | None, which: str = "lm_output", **settings: object
) -> EmbeddingSpace:
    output = path.parent / f"{which}.safetensors"
    extract_huggingface_space(config=config(path, **settings), lexicon=lexicon, which=which, output=output)
    return load_space(output)


def hidden_state_and_logits(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """What goes into the model's softmax layer for a text, and the logits that the model gives."""
    seen = []
    handle = model.get_output_embeddings().register_forward_hook(
        lambda _module, inputs, _output: seen.append(inputs[0])
    )
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[5, 70, 9, 3]])).logits
    handle.remove()
    return seen[0][0].numpy().astype(np.float64), logits[0].numpy()


MODELS = {
    "gpt2": {},
    "llama": {"tie_word_embeddings": False},
    "phi": {"tie_word_embeddings": False},
    "opt": {"word_embed_proj_dim": 8, "ffn_dim": 16, "do_layer_norm_before": False},
    "cohere": {"logit_scale": 0.0625},
    "granite": {"logits_scaling": 6.0},
    "xglm": {"d_model": 16, "num_layers": 1, "attention_heads": 2, "ffn_dim": 16},
}


@pytest.mark.parametrize("kind", MODELS)
def test_softmax_of_the_layer_is_that_of_the_model(tmp_path: Path, kind: str) -> None:
    model = make_model(kind, **MODELS[kind])
    n_tokens = byte_level().get_vocab_size()
    layer = read_layer(save(model, tmp_path / "model"), tmp_path / "layer")
    hidden, logits = hidden_state_and_logits(model)
    ours = hidden @ layer.vectors.T.astype(np.float64) + layer.columns.get("bias", 0.0)
    np.testing.assert_allclose(ours, logits[:, :n_tokens], rtol=1e-4, atol=1e-4 * np.abs(logits).max())
    assert ("bias" in layer.columns) == (kind == "phi")
    assert layer.provenance["tied"] == (kind not in ("llama", "phi", "granite"))
    assert layer.provenance["logits_are_linear"] is True
    assert layer.provenance["n_padding_rows"] == VOCAB_SIZE - n_tokens


def test_factor_on_the_logits_becomes_part_of_the_rows(tmp_path: Path, caplog) -> None:
    model = make_model("cohere", logit_scale=0.0625)
    with caplog.at_level("INFO", logger="lexiscope"):
        layer = read_layer(save(model, tmp_path / "model"), tmp_path / "layer")
    rows = model.get_output_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(layer.vectors, rows[: len(layer)] / 16)
    assert layer.provenance["logit_scale"] == 0.0625
    assert layer.provenance["tied"] is True
    assert "multiplies its logits by 0.0625" in caplog.text


def test_capped_logits_are_warned_about(tmp_path: Path, caplog) -> None:
    model = make_model("gemma2", final_logit_softcapping=10.0)
    layer = read_layer(save(model, tmp_path / "model"), tmp_path / "layer")
    rows = model.get_output_embeddings().weight.detach().numpy()
    np.testing.assert_array_equal(layer.vectors, rows[: len(layer)])
    assert layer.provenance["logits_are_linear"] is False
    assert "does not use the logits of its softmax layer as they are" in caplog.text


def test_model_that_does_not_run_is_warned_about(folder: Path, tmp_path: Path, caplog, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotImplementedError("no kernel for this machine")

    monkeypatch.setattr(transformers.GPT2LMHeadModel, "forward", fail)
    layer = read_layer(folder, tmp_path / "layer")
    assert layer.provenance["logits_are_linear"] is None
    assert layer.provenance["logit_scale"] is None
    assert "no kernel for this machine" in caplog.text


def test_layer_has_the_tokens_in_the_order_of_their_ids(folder: Path, tmp_path: Path) -> None:
    layer = read_layer(folder, tmp_path / "layer")
    vocabulary = byte_level().get_vocab()
    assert layer.words == tuple(sorted(vocabulary, key=vocabulary.__getitem__))
    assert "Ġdog" in layer
    assert layer.provenance["model"] == "model"
    assert layer.provenance["kind"] == "huggingface"


def test_token_names_are_unique_and_of_one_line(tmp_path: Path) -> None:
    tokens = {"a": 0, "b\nc": 1, "b\\nc": 2, "": 4, "<end>": 5}  # and none for 3
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="a"))
    layer = read_layer(save(make_model("gpt2"), tmp_path / "model", tokenizer), tmp_path / "layer")
    assert layer.words[:5] == ("a", "b\\nc", "b\\nc<id 2>", "<id 3>", "<id 4>")
    np.testing.assert_equal(len(set(layer.words)), len(layer))


def test_word_vectors_are_rows_of_the_models_matrices(tmp_path: Path, lexicon: Path) -> None:
    model = make_model("phi", tie_word_embeddings=False)
    path = save(model, tmp_path / "model")
    layer = read_layer(path, tmp_path / "layer")
    output, inputs = extract(path, lexicon), extract(path, lexicon, "lm_input")
    ids = byte_level().get_vocab()
    rows = [ids["Ġthe"], ids["Ġdog"], ids["Ġcafé".replace("é", "Ã©")], ids["Paris"]]
    assert output.words == inputs.words == ("the", "dog", "café", "Paris")
    np.testing.assert_array_equal(output.columns["row"], rows)
    np.testing.assert_array_equal(output.vectors, model.lm_head.weight.detach().numpy()[rows])
    np.testing.assert_array_equal(output.columns["bias"], model.lm_head.bias.detach().numpy()[rows])
    np.testing.assert_array_equal(output.vectors, layer.vectors[output.columns["row"]])
    np.testing.assert_array_equal(
        inputs.vectors, model.get_input_embeddings().weight.detach().numpy()[rows]
    )
    assert set(inputs.columns) == {"count"}
    for space in (output, inputs):
        np.testing.assert_array_equal(space.columns["count"], [LEXICON[word] for word in space.words])
        assert space.provenance["coverage"] == {"leading_space": 3, "bare": 1, "pieces": 0, "dropped": 3}
        assert space.provenance["n_lexicon_words"] == len(LEXICON)
        assert space.provenance["tied"] is False


def test_pieces_are_averaged_if_asked_for(tmp_path: Path, lexicon: Path) -> None:
    model = make_model("phi", tie_word_embeddings=False)
    space = extract(save(model, tmp_path / "model"), lexicon, pieces="mean")
    assert space.words == tuple(LEXICON)
    assert space.provenance["coverage"] == {"leading_space": 3, "bare": 1, "pieces": 3, "dropped": 0}
    pieces = byte_level().encode(" unseen").ids
    assert len(pieces) > 1
    at = space.index["unseen"]
    weight, bias = (p.detach().numpy() for p in (model.lm_head.weight, model.lm_head.bias))
    np.testing.assert_allclose(space.vectors[at], weight[pieces].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(space.columns["bias"][at], bias[pieces].mean(), rtol=1e-5)
    assert space.columns["row"][at] == -1
    assert (space.columns["row"] >= 0).sum() == 4


def test_words_of_one_token_are_kept_and_counted(tmp_path: Path, lexicon: Path, caplog) -> None:
    path = save(make_model("gpt2"), tmp_path / "model", word_piece())
    space = extract(path, lexicon)
    assert {"dog", "Dog"} < set(space.words)
    np.testing.assert_array_equal(space["dog"], space["Dog"])
    assert space.provenance["n_words_sharing_a_token"] == 2
    assert "2 words have the same tokens as another word" in caplog.text


def test_without_a_lexicon_the_words_are_the_single_tokens(folder: Path, gpt2: tuple[Any, Path]) -> None:
    space = extract(folder, None, tokens="leading_space")
    assert {"the", "dog", "café", "running"} < set(space.words)
    rows = space.columns["row"]
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(space.vectors, gpt2[0].lm_head.weight.detach().numpy()[rows])
    assert "count" not in space.columns
    assert space.provenance["coverage"] == {
        "leading_space": len(space),
        "bare": 0,
        "pieces": 0,
        "dropped": 0,
    }


def test_tied_matrices_saved_twice_are_tied(tmp_path: Path) -> None:
    model = make_model("llama", tie_word_embeddings=False)
    with torch.no_grad():
        model.lm_head.weight.copy_(model.get_input_embeddings().weight)
    assert read_layer(save(model, tmp_path / "model"), tmp_path / "layer").provenance["tied"] is True


def test_configuration_that_says_otherwise_is_warned_about(tmp_path: Path, caplog) -> None:
    path = save(make_model("llama", tie_word_embeddings=False), tmp_path / "model")
    edit(path / "config.json", tie_word_embeddings=True)
    assert read_layer(path, tmp_path / "layer").provenance["tied"] is False
    assert "the configuration says that input and output are tied" in caplog.text


def test_weights_of_16_bits(tmp_path: Path, gpt2: tuple[Any, Path]) -> None:
    model = make_model("gpt2").to(torch.bfloat16)
    layer = read_layer(save(model, tmp_path / "model"), tmp_path / "layer")
    np.testing.assert_array_equal(
        layer.vectors, model.lm_head.weight.float().detach().numpy()[: len(layer)]
    )


def test_shards_and_place_do_not_change_a_byte(tmp_path: Path, gpt2: tuple[Any, Path]) -> None:
    for place, size in (("a/model", "1GB"), ("b/model", "20KB")):
        path = save(gpt2[0], tmp_path / place, max_shard_size=size)
        read_layer(path, path.parent / "layer")
    assert len(list((tmp_path / "b" / "model").glob("*.safetensors"))) > 1
    assert (tmp_path / "a" / "layer").read_bytes() == (tmp_path / "b" / "layer").read_bytes()


def test_log_is_ours_alone(folder: Path, tmp_path: Path, capfd) -> None:
    import_huggingface(config=config(folder), output=tmp_path / "layer", log=tmp_path / "log")
    shown = capfd.readouterr()
    assert "Loading weights" not in shown.out + shown.err
    assert "input and output are one matrix" in (tmp_path / "log").read_text(encoding="utf-8")
    assert logging.getLogger("transformers").handlers, "transformers got its own log back"


# Faults


def edit(path: Path, **changes: object) -> None:
    content = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}), encoding="utf-8")


def refuse(path: Path | str, message: str, tmp_path: Path, **settings: object) -> None:
    with pytest.raises(LexiscopeError, match=message) as caught:
        import_huggingface(config=config(path, **settings), output=tmp_path / "layer")
    assert str(caught.value).startswith(str(path))
    assert not (tmp_path / "layer").exists()


def test_pickles_are_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(RunsWhenRead()))
    refuse(folder, "not in safetensors .only pytorch_model.bin.*save_pretrained", tmp_path)


def test_pickles_beside_safetensors_are_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(RunsWhenRead()))
    assert len(read_layer(folder, tmp_path / "layer"))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "there is no config.json"),
        ("model.safetensors", "there is no model.safetensors"),
        ("tokenizer.json", "there is no tokenizer. Save it there"),
    ],
)
def test_missing_files(folder: Path, tmp_path: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    refuse(folder, message, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt22"}, r"unknown architecture 'gpt22'\. Did you mean 'gpt2'"),
        ({"model_type": None}, "there is no 'model_type'"),
        ({"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine"}}, "'mine' needs code .* never run"),
        ({"architectures": ["GPT2ForSequenceClassification"]}, r"not a causal .*GPT2ForSequenceClass"),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, r"\(encoder, BertForMaskedLM\)"),
        ({"model_type": "bert", "architectures": ["BertLMHeadModel"]}, r"\(encoder, BertLMHeadModel\)"),
        ({"model_type": "distilbert", "architectures": None}, r"not a causal .*\(encoder, distilbert\)"),
        (
            {"model_type": "t5", "architectures": ["T5Model"], "is_encoder_decoder": True},
            r"\(encoder-decoder, T5Model\)",
        ),
        ({"vocab_size": 400}, r"transformer.wte.weight is of shape \(384, \d+\).*\(400, \d+\) is needed"),
        ({"n_head": 5}, "cannot be loaded"),
    ],
)
def test_bad_configurations(folder: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (folder / "code.py").write_text("raise SystemExit('code of the model was run')")
    edit(folder / "config.json", **changes)
    refuse(folder, message, tmp_path)


def test_configuration_that_is_no_json(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")
    refuse(folder, r"config.json:1: not valid JSON", tmp_path)


def test_known_architecture_with_code_is_read_without_it(folder: Path, tmp_path: Path, caplog) -> None:
    (folder / "code.py").write_text("raise SystemExit('code of the model was run')")
    edit(folder / "config.json", auto_map={"AutoConfig": "code.A", "AutoModelForCausalLM": "code.B"})
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.C", None]})
    with caplog.at_level("INFO", logger="lexiscope"):
        assert len(read_layer(folder, tmp_path / "layer"))
    assert "the code that comes with the model is not run" in caplog.text


def test_encoder_saved_by_transformers_is_refused(tmp_path: Path) -> None:
    model = transformers.BertForMaskedLM(transformers.BertConfig(**SIZES))
    refuse(save(model, tmp_path / "model", word_piece()), "encoder, BertForMaskedLM", tmp_path)


def test_decoder_of_the_same_family_is_not(tmp_path: Path) -> None:
    model = make_model("bert", is_decoder=True)
    layer = read_layer(save(model, tmp_path / "model", word_piece()), tmp_path / "layer")
    hidden, logits = hidden_state_and_logits(model)
    ours = hidden @ layer.vectors.T.astype(np.float64) + layer.columns["bias"]
    np.testing.assert_allclose(ours, logits[:, : len(layer)], rtol=1e-4, atol=1e-4)


def test_model_without_its_softmax_layer(tmp_path: Path) -> None:
    settings = transformers.LlamaConfig(**SIZES, tie_word_embeddings=False)
    path = save(transformers.LlamaModel(settings), tmp_path / "model")
    refuse(path, r"the files have no lm_head.weight\. Give the whole LlamaForCausalLM", tmp_path)


def test_missing_shard(tmp_path: Path, gpt2: tuple[Any, Path]) -> None:
    path = save(gpt2[0], tmp_path / "model", max_shard_size="20KB")
    shards = sorted(path.glob("*.safetensors"))
    shards[-1].unlink()
    refuse(
        path, f"1 of the {len(shards)} files of weights are missing, such as {shards[-1].name}", tmp_path
    )


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([], "no 'weight_map'"),
        ({"weight_map": {"a": 3}}, "no 'weight_map'"),
        ({"weight_map": {"a": "../a.safetensors"}}, "outside the folder"),
    ],
)
def test_bad_index_of_shards(folder: Path, tmp_path: Path, index: object, message: str) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    refuse(folder, message, tmp_path)


@pytest.mark.parametrize("kept", [0, 5, 500, -10])
def test_weights_that_are_cut_off(folder: Path, tmp_path: Path, kept: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    refuse(folder, r"cannot be loaded .*Check that the files are whole", tmp_path)


def test_weights_that_are_not_finite(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.wte.weight"][3, 2] = np.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    refuse(folder, "NaN or infinite", tmp_path)


def test_tokenizer_with_more_ids_than_rows(tmp_path: Path) -> None:
    path = save(make_model("gpt2", vocab_size=200), tmp_path / "model")
    n_tokens = byte_level().get_vocab_size()
    refuse(path, f"has 200 rows, the tokenizer {n_tokens} ids", tmp_path)


def test_tokenizer_that_is_damaged(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    refuse(folder, "the tokenizer cannot be loaded", tmp_path)


def test_model_without_a_softmax_matrix(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(transformers.GPT2LMHeadModel, "get_output_embeddings", lambda self: None)
    refuse(folder, "a GPT2LMHeadModel has no softmax matrix", tmp_path)


def test_adapter(folder: Path, tmp_path: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    refuse(folder, "an adapter, not a whole model", tmp_path)


def test_file_and_missing_folder(folder: Path, tmp_path: Path) -> None:
    refuse(folder / "config.json", "a file, not a model", tmp_path)
    refuse(tmp_path / "none", "no such folder", tmp_path)
    refuse(folder, "a folder has no revision", tmp_path, revision="main")


def test_no_word_of_one_token(tmp_path: Path, folder: Path) -> None:
    lexicon = tmp_path / "lexicon.tsv"
    lexicon.write_text("unseen\t3\n", encoding="utf-8")
    with pytest.raises(LexiscopeError, match=r"lexicon.tsv: no word is one token .*Set pieces: mean"):
        extract(folder, lexicon)


# The hub, which is never asked


def test_hub_without_a_network(tmp_path: Path) -> None:
    refuse(
        "someone/model-of-2031", r"the hub cannot be asked .*'hf download' and give the folder", tmp_path
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (GatedRepoError, "accepted its terms"),
        (RepositoryNotFoundError, "no such folder, nor such a model on the hub"),
        (ConnectionError, "the hub cannot be asked"),
    ],
)
def test_hub_that_refuses(tmp_path: Path, monkeypatch, error: type[Exception], message: str) -> None:
    def refuse_download(*_: object, **__: object) -> str:
        raise error.__new__(error)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse_download)
    refuse("someone/model", message, tmp_path)


def test_model_of_the_hub_is_named_with_its_commit(tmp_path: Path, folder: Path, monkeypatch) -> None:
    asked: list[Any] = []

    def download(name: str, **options: Any) -> str:
        asked.append((name, options))
        return str(folder.rename(tmp_path / ("c0" * 20)))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    layer = read_layer("someone/model", tmp_path / "layer", revision="main")
    assert layer.provenance["model"] == "someone/model"
    assert layer.provenance["revision"] == "main"
    assert layer.provenance["commit"] == "c0" * 20
    ((name, options),) = asked
    assert name == "someone/model"
    assert options["revision"] == "main"
    assert not any("bin" in pattern or pattern == "*" for pattern in options["allow_patterns"])


def test_unmarked_tokens_of_a_metaspace_tokenizer(tmp_path: Path, lexicon: Path) -> None:
    path = save(make_model("llama"), tmp_path / "model", metaspace())
    space = extract(path, lexicon)
    tokens = metaspace()
    assert space.columns["row"][space.index["dog"]] == tokens.token_to_id("▁dog")
    assert "狗" not in space  # unknown to the tokenizer: the vector of <unk> is nobody's
