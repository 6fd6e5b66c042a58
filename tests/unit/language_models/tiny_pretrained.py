"""Small causal language models and tokenizers of transformers, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXT = [
    "the dog saw the cat . The dog barks",
    "Paris and the cats café running , running",
    "the cat sat on the mat , the dog ran",
    "a dog and a cat and a mat",
] * 5
LEXICON = {"the": 90, "dog": 40, "Dog": 7, "unseen": 5, "café": 4, "Paris": 3, "狗": 1}
VOCAB_SIZE = 384
"""Rows of the models' matrices: more than any of the tokenizers has tokens."""

SIZES: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 32,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}


def byte_level(*, add_prefix_space: bool = False) -> Tokenizer:
    """As of GPT-2: ``Ġdog`` after a space, any text in bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=alphabet, special_tokens=["<end>"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def metaspace() -> Tokenizer:
    """As of T5: ``▁dog`` after a space and at the begin of a text; other letters are unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(
        vocab_size=120, special_tokens=["<end>", "<unk>"], initial_alphabet=list("("), show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def llama_like() -> Tokenizer:
    """As of Llama 2: the space mark is put in by the normaliser, other letters become bytes."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    marks = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(marks)
    # Llama 2 has no pre-tokenizer at all, but its merges do not cross a space.
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", behavior="merged_with_next")
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=370,
        special_tokens=["<end>", "<unk>", *byte_tokens],
        initial_alphabet=list("("),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(content=" ", left=1),
        ]
    )
    # The trainer makes the bytes special tokens, which stand for no text; in Llama they are ordinary ones.
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [entry for entry in content["added_tokens"] if entry["id"] < 2]
    return Tokenizer.from_str(json.dumps(content))


def word_piece() -> Tokenizer:
    """As of BERT: lower case, no accents, ``##s`` inside a word."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=100, special_tokens=["<end>", "[UNK]"], show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


TOKENIZERS = {
    "byte_level": byte_level,
    "byte_level_prefixed": lambda: byte_level(add_prefix_space=True),
    "metaspace": metaspace,
    "llama_like": llama_like,
    "word_piece": word_piece,
}


def make_model(kind: str, **settings: Any) -> Any:
    """A causal language model of ``kind`` with random weights, those of the biases included."""
    torch.manual_seed(5)
    config = transformers.CONFIG_MAPPING[kind](**{**SIZES, **settings})
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model


def save(model: Any, folder: Path, tokenizer: Tokenizer | None = None, **options: Any) -> Path:
    """Save a model and a tokenizer (byte-level unless given) as a folder."""
    # A copy: the fast tokenizer changes what it is given.
    tokenizer = Tokenizer.from_str((tokenizer or byte_level()).to_str())
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder, **options)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    wrapped.save_pretrained(folder)
    return folder
