"""Which tokens stand for a word, in tokenizers of each kind."""

from __future__ import annotations

import pytest
from tiny_pretrained import TOKENIZERS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from lexiscope.language_models.imports.tokens import TokenPolicy

MARKS = {
    "byte_level": "Ġ",
    "byte_level_prefixed": "Ġ",
    "metaspace": "▁",
    "llama_like": "▁",
    "word_piece": "",
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def named(request: pytest.FixtureRequest) -> tuple[str, Tokenizer]:
    return request.param, TOKENIZERS[request.param]()


def find(tokenizer: Tokenizer, word: str, tokens: str = "either", pieces: str = "drop"):
    """The case and the tokens, as written, of one word."""
    policy = TokenPolicy(tokenizer, tokens=tokens, pieces=pieces)
    (found,) = policy.find([word])
    return found and (found.case, tuple(tokenizer.id_to_token(number) for number in found.ids))


def test_leading_space(named: tuple[str, Tokenizer]) -> None:
    name, tokenizer = named
    assert find(tokenizer, "dog", "leading_space") == ("leading_space", (f"{MARKS[name]}dog",))
    assert find(tokenizer, "dog") == ("leading_space", (f"{MARKS[name]}dog",))


def test_bare_is_never_a_token_with_a_space(named: tuple[str, Tokenizer]) -> None:
    name, tokenizer = named
    # "at" stands inside "cat" and "sat", but begins no word.
    expected = {"word_piece": None, "metaspace": ("bare", ("at",)), "llama_like": ("bare", ("at",))}
    assert find(tokenizer, "at", "bare") == expected.get(name, ("bare", ("at",)))
    dog = find(tokenizer, "dog", "bare")
    assert dog == (("bare", ("dog",)) if "dog" in tokenizer.get_vocab() else None)


def test_either_takes_the_bare_token_where_there_is_no_other(named: tuple[str, Tokenizer]) -> None:
    name, tokenizer = named
    assert find(tokenizer, "at", "leading_space") is None
    assert find(tokenizer, "at") == (None if name == "word_piece" else ("bare", ("at",)))


def test_pieces(named: tuple[str, Tokenizer]) -> None:
    _, tokenizer = named
    assert find(tokenizer, "dogis") is None
    case, pieces = find(tokenizer, "dogis", pieces="mean")
    assert case == "pieces"
    assert len(pieces) > 1
    assert "".join(pieces).strip("Ġ▁").replace("##", "") == "dogis"
    before, both = (tokenizer.encode(text, add_special_tokens=False).tokens for text in ("a", "a dogis"))
    assert list(pieces) == both[len(before) :], "as after a space"


def test_words_that_the_tokenizer_does_not_know(named: tuple[str, Tokenizer]) -> None:
    name, tokenizer = named
    for tokens in ("leading_space", "bare", "either"):
        assert find(tokenizer, "狗", tokens) is None
        # In bytes it is known, in several pieces.
        in_bytes = name.startswith("byte_level") or name == "llama_like"
        assert (find(tokenizer, "狗", tokens, "mean") is not None) == in_bytes


def test_special_tokens_stand_for_no_word(named: tuple[str, Tokenizer]) -> None:
    _, tokenizer = named
    assert find(tokenizer, "<end>", pieces="mean") is None


def test_letters_that_are_lost_do_not_count() -> None:
    # No unknown token, no bytes: "dög" would be read as "d", "g" and "gé" as "g".
    tokenizer = Tokenizer(models.BPE({"d": 0, "o": 1, "g": 2, "a": 3}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.Fuse()
    assert find(tokenizer, "g") == ("leading_space", ("g",))
    assert find(tokenizer, "gé", pieces="mean") is None


def test_lower_case_and_accents_may_be_lost() -> None:
    tokenizer = TOKENIZERS["word_piece"]()
    assert find(tokenizer, "CAFÉ") == find(tokenizer, "cafe") == ("leading_space", ("cafe",))


def test_settings_of_the_tokenizer_that_would_interfere_are_off() -> None:
    tokenizer = TOKENIZERS["byte_level"]()
    tokenizer.enable_truncation(1)
    tokenizer.enable_padding(length=9)
    tokenizer.model.dropout = 1.0
    assert find(tokenizer, "dog") == ("leading_space", ("Ġdog",))


def test_tokens_across_spaces() -> None:
    # A tokenizer that reads "a dog" as one token: the word is then found behind a full stop.
    words = {"a": 0, ".": 1, "Ġ": 2, "d": 3, "Ġd": 4, "aĠd": 5}
    tokenizer = Tokenizer(models.BPE(words, [("Ġ", "d"), ("a", "Ġd")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    assert tokenizer.encode("a d").tokens == ["aĠd"]
    assert find(tokenizer, "d", "leading_space") == ("leading_space", ("Ġd",))


@pytest.mark.parametrize("tokens", ["leading_space", "bare", "either"])
def test_list_of_words(named: tuple[str, Tokenizer], tokens: str) -> None:
    name, tokenizer = named
    policy = TokenPolicy(tokenizer, tokens=tokens, pieces="mean")
    listed = policy.list_words(tokenizer.get_vocab_size())
    assert listed
    assert list(listed.values()) == policy.find(list(listed)), "the policy agrees on each word"
    ids = [entry.ids for entry in listed.values()]
    assert ids == sorted(set(ids)), "in the order of the ids, each once"
    assert all(len(entry.ids) == 1 for entry in listed.values())
    assert not any(" " in word or "\ufffd" in word or word in ("<end>", "<unk>") for word in listed)
    assert ("dog" in listed) == (tokens != "bare" or find(tokenizer, "dog", "bare") is not None)
    assert not any(word.startswith(("##", "<0x")) for word in listed), name


def test_list_of_words_keeps_to_the_ids_given() -> None:
    policy = TokenPolicy(TOKENIZERS["byte_level"](), tokens="either", pieces="drop")
    whole = policy.list_words(300)
    assert policy.list_words(290) == {word: entry for word, entry in whole.items() if entry.ids[0] < 290}
