"""Open a causal language model in the format of Hugging Face's transformers, without running its code.

Only safetensors are read. A model on the hub is first brought here as a folder, so that both kinds of path
meet the same checks.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
import transformers
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_MAPPING_NAMES,
)

from lexiscope.config.base import suggest
from lexiscope.errors import LexiscopeError
from lexiscope.files import read_json, sha256_file
from lexiscope.language_models.imports.config import HuggingFaceConfig
from lexiscope.language_models.imports.heads import embedding_modules

logger = logging.getLogger("lexiscope")

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
FOREIGN_WEIGHTS = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack", ".gguf")
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
    "tekken.json",
)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_CAUSAL_CLASS = re.compile(r"(ForCausalLM|LMHeadModel)$")
_SAVE_AGAIN = "load it where you trust it, and save it again with model.save_pretrained(folder)"


@dataclass(frozen=True)
class Pretrained:
    """An open model.

    Attributes
    ----------
    model, tokenizer
        Of transformers; weights float32, on the CPU.
    name
        For messages: the folder as given, or the name on the hub.
    provenance
        What identifies the model, without a path of this machine.
    """

    model: Any
    tokenizer: Any
    name: str
    provenance: dict[str, Any]


def open_pretrained(config: HuggingFaceConfig) -> Pretrained:
    """Open the model and the tokenizer that ``config`` names.

    Raises
    ------
    LexiscopeError
        If there is no such folder or model on the hub, a file is missing or damaged, the weights are
        pickles, the architecture is unknown, needs code of its own, or is no causal language model.
    """
    with _quiet():
        folder, commit = _find_folder(config)
        settings = _check_files(folder, config.path)
        _check_architecture(settings, config.path)
        model = _load_model(folder, config.path)
        tokenizer = _load_tokenizer(folder, config.path)
    provenance = {
        "model": config.path if commit else folder.name,
        "revision": config.revision,
        "commit": commit,
        "architecture": type(model).__name__,
        "model_config_sha256": sha256_file(folder / "config.json"),
    }
    return Pretrained(model, tokenizer, config.path, provenance)


def _find_folder(config: HuggingFaceConfig) -> tuple[Path, str | None]:
    """The model's folder, and its commit if it came from the hub."""
    path = Path(config.path).expanduser()
    if path.is_dir():
        if config.revision is not None:
            raise LexiscopeError(
                "a folder has no revision",
                where=config.path,
                remedy="leave 'revision' out, or name the hub's model",
            )
        return path.resolve(), None
    if path.exists():
        raise LexiscopeError(
            "a file, not a model",
            where=config.path,
            remedy="give the folder with config.json and the weights",
        )
    if not _HUB_NAME.fullmatch(config.path):
        raise LexiscopeError("no such folder", where=config.path)
    return _fetch(config)


def _fetch(config: HuggingFaceConfig) -> tuple[Path, str]:
    logger.info("%s is no folder here; asking the hub for it", config.path)
    try:
        snapshot = huggingface_hub.snapshot_download(
            config.path,
            revision=config.revision,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            # Other exports of the same weights, which can be as large again.
            ignore_patterns=["*/*", "consolidated*"],
        )
    except GatedRepoError:
        raise LexiscopeError(
            "the hub gives this model only to those who accepted its terms",
            where=config.path,
            remedy="accept them on the model's page, and log in with: hf auth login",
        ) from None
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        what = (
            "revision"
            if isinstance(error, RevisionNotFoundError)
            else "folder, nor such a model on the hub"
        )
        raise LexiscopeError(
            f"no such {what}", where=config.path, remedy="correct 'path' or 'revision'"
        ) from None
    except Exception as error:  # networks fail in more ways than can be listed
        raise LexiscopeError(
            f"no such folder, and the hub cannot be asked ({_first_line(error)})",
            where=config.path,
            remedy="check the path; for a model of the hub connect to the network, or fetch it elsewhere "
            "with 'hf download' and give the folder",
        ) from None
    folder = Path(snapshot)
    if config.revision != folder.name:
        logger.info("%s: commit %s (as 'revision' it would stay the same)", config.path, folder.name)
    return folder, folder.name


def _check_files(folder: Path, name: str) -> dict[str, Any]:
    """Check that the folder holds a whole model in safe formats; returns what its config.json says."""
    files = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    if "adapter_config.json" in files:
        raise LexiscopeError(
            "an adapter, not a whole model", where=name, remedy="merge it into its model and save that"
        )
    if "config.json" not in files:
        raise LexiscopeError(
            "no model in the format of transformers: there is no config.json",
            where=name,
            remedy="give the folder that model.save_pretrained wrote",
        )
    settings = read_json(folder / "config.json")
    if not isinstance(settings, dict):
        raise LexiscopeError("not a JSON object", where=f"{name}/config.json")
    if INDEX in files:
        _check_shards(folder, name)
    elif WEIGHTS not in files:
        foreign = [file for file in files if file.endswith(FOREIGN_WEIGHTS)]
        held = (
            f"only {foreign[0]}, which is not read as it can run code or is of another format"
            if foreign
            else ""
        )
        raise LexiscopeError(
            f"the weights are not in safetensors ({held or f'there is no {WEIGHTS}'})",
            where=name,
            remedy=_SAVE_AGAIN,
        )
    if not any(file in files for file in TOKENIZER_FILES):
        raise LexiscopeError(
            "there is no tokenizer", where=name, remedy="save it there: tokenizer.save_pretrained(folder)"
        )
    return settings


def _check_shards(folder: Path, name: str) -> None:
    index = read_json(folder / INDEX)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise LexiscopeError("there is no 'weight_map' of file names", where=f"{name}/{INDEX}")
    shards = sorted(set(places.values()))
    for shard in shards:
        if Path(shard).name != shard:
            raise LexiscopeError(f"the shard {shard!r} lies outside the folder", where=f"{name}/{INDEX}")
    if missing := [shard for shard in shards if not (folder / shard).is_file()]:
        raise LexiscopeError(
            f"{len(missing)} of the {len(shards)} files of weights are missing, such as {missing[0]}",
            where=name,
            remedy="fetch the model again",
        )


def _check_architecture(settings: dict[str, Any], name: str) -> None:
    kind, classes = settings.get("model_type"), settings.get("architectures") or []
    if not isinstance(kind, str):
        raise LexiscopeError("there is no 'model_type'", where=f"{name}/config.json")
    if kind not in transformers.CONFIG_MAPPING:
        if "auto_map" in settings:
            raise LexiscopeError(
                f"the architecture {kind!r} needs code that comes with the model, which is never run",
                where=name,
            )
        raise LexiscopeError(
            f"unknown architecture {kind!r}",
            where=name,
            remedy=suggest(kind, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        )
    if "auto_map" in settings:
        logger.info("%s: the code that comes with the model is not run; that of transformers is", name)
    own = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    is_pair = bool(settings.get("is_encoder_decoder"))
    is_encoder = not is_pair and (kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES or kind.endswith("bert"))
    # Of families with an encoder there are decoders too; their settings say so.
    is_decoder = settings.get("is_decoder") or (kind == "xlm" and settings.get("causal"))
    fits = not classes or any(
        known in (own, MODEL_MAPPING_NAMES.get(kind)) or _CAUSAL_CLASS.search(known) for known in classes
    )
    if own is None or not fits or ((is_pair or is_encoder) and not is_decoder):
        label = classes[0] if classes else kind
        family = "encoder-decoder, " if is_pair else "encoder, " if is_encoder else ""
        raise LexiscopeError(
            f"not a causal language model ({family}{label})",
            where=name,
            remedy="give a model that predicts each token from those before it",
        )


def _load_model(folder: Path, name: str) -> Any:
    factory: Any = transformers.AutoModelForCausalLM
    try:
        model, report = factory.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            # A configuration may name another implementation, to be fetched and run.
            attn_implementation="eager",
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:  # bad weights and settings raise almost anything
        raise LexiscopeError(
            f"the model cannot be loaded ({_first_line(error)})",
            where=name,
            remedy="check that the files are whole, and fetch the model again",
        ) from None
    for key, in_file, in_model in sorted(report["mismatched_keys"]):
        raise LexiscopeError(
            f"{key} is of shape {tuple(in_file)}, by config.json {tuple(in_model)} is needed",
            where=name,
            remedy="fetch the model again",
        )
    _check_missing(model, set(report["missing_keys"]), name)
    return model.eval()


def _check_missing(model: Any, missing: set[str], name: str) -> None:
    needed = {
        parameter for module in embedding_modules(model, name) for parameter in map(id, module.parameters())
    }
    for key, parameter in model.named_parameters(remove_duplicate=False):
        if key in missing and id(parameter) in needed:
            raise LexiscopeError(
                f"the files have no {key}",
                where=name,
                remedy=f"give the whole {type(model).__name__}, with its softmax layer",
            )
    if missing:
        logger.warning("%s: the files lack %d other weights, such as %s", name, len(missing), min(missing))


def _load_tokenizer(folder: Path, name: str) -> Any:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # bad files raise almost anything
        raise LexiscopeError(
            f"the tokenizer cannot be loaded ({_first_line(error)})",
            where=name,
            remedy="save it as tokenizer.json: transformers.AutoTokenizer.from_pretrained(...)"
            ".save_pretrained(folder)",
        ) from None
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise LexiscopeError(
            f"the tokenizer, a {type(tokenizer).__name__}, has no fast form (tokenizer.json)", where=name
        )
    return tokenizer


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__


class _Relay(logging.Handler):
    """Passes the warnings of another library on to ours, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.info("transformers: %s", record.getMessage().split("\n", 1)[0])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what transformers has to say to our log, and stop its progress bars."""
    talk: Any = transformers.utils.logging
    relay = _Relay(level=logging.WARNING)
    had_bars = talk.is_progress_bar_enabled()
    talk.disable_default_handler()
    talk.add_handler(relay)
    talk.disable_progress_bar()
    try:
        yield
    finally:
        talk.remove_handler(relay)
        talk.enable_default_handler()
        if had_bars:
            talk.enable_progress_bar()
