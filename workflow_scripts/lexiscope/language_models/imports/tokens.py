"""Which tokens of a subword tokenizer stand for a word.

A word in running text comes after a space, and most tokenizers have tokens of their own for that: ``Ġdog``
(byte-level BPE) or ``▁dog`` (SentencePiece) beside ``dog``, which begins a text or stands inside a longer
word. What stands for a word is found by encoding it where it would stand, not by looking for its letters in
the vocabulary, so that each kind of tokenizer answers by its own rules.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from tokenizers import Encoding, Tokenizer

Case = Literal["leading_space", "bare", "pieces"]

AFTER_SPACE = ("a", ".")
"""What a word is put after, with a space between; the second where a tokenizer joins the first to it."""

WITHOUT_SPACE = ("", "(", '"', "\n")
"""What a word is put right after. The first is the begin of a text, where some tokenizers add a space."""

SPACE_MARKS = ("Ġ", "▁")
BATCH = 1 << 14


class WordTokens(NamedTuple):
    """The tokens of a word, and whether they are one token with or without leading space, or several."""

    case: Case
    ids: tuple[int, ...]


class TokenPolicy:
    """Finds the tokens of words.

    Parameters
    ----------
    tokenizer
        A tokenizer; its truncation, padding and dropout are turned off.
    specials
        Ids that stand for no text (begin, end, padding, unknown). The tokenizer's own are added.
    tokens, pieces
        As in `lexiscope.language_models.imports.config.HuggingFaceConfig`.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        specials: Collection[int] = (),
        tokens: Literal["leading_space", "bare", "either"],
        pieces: Literal["drop", "mean"],
    ) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        if getattr(tokenizer.model, "dropout", None):
            tokenizer.model.dropout = None
        self.tokenizer, self.tokens, self.pieces = tokenizer, tokens, pieces
        self.specials = set(specials) | _own_specials(tokenizer)
        self._mark = self._find_mark()

    def find(self, words: Sequence[str]) -> list[WordTokens | None]:
        """The tokens of each word; None for a word that has none under the policy.

        A token that only the unknown word or a part of the word is turned into does not stand for it.
        """
        variants: list[tuple[Case, list[tuple[int, ...]]]] = []
        if self.tokens != "bare":
            variants.append(("leading_space", self._encode_after(words, AFTER_SPACE, space=True)))
        if self.tokens != "leading_space":
            variants.append(("bare", self._encode_after(words, WITHOUT_SPACE, space=False)))
        return [self._choose([(case, found[row]) for case, found in variants]) for row in range(len(words))]

    def _choose(self, variants: Sequence[tuple[Case, tuple[int, ...]]]) -> WordTokens | None:
        for case, ids in variants:
            if len(ids) == 1:
                return WordTokens(case, ids)
        if self.pieces == "mean":
            for _, ids in variants:
                if ids:
                    return WordTokens("pieces", ids)
        return None

    def list_words(self, n_tokens: int) -> dict[str, WordTokens]:
        """The words that single tokens among the first ``n_tokens`` ids stand for, in the order of the ids.

        A token gives its text without one leading space, unless that is empty, holds a space or a control
        character, or is a part of a character; and only if the policy finds that very token for the word.
        """
        ids = [number for number in range(n_tokens) if number not in self.specials]
        texts = self.tokenizer.decode_batch([[number] for number in ids], skip_special_tokens=False)
        text_of = {number: text.removeprefix(" ") for number, text in zip(ids, texts, strict=True)}
        words = list(dict.fromkeys(word for word in text_of.values() if _is_word(word)))
        found: list[tuple[int, str, WordTokens]] = []
        for word, tokens in zip(words, self.find(words), strict=True):
            if tokens is not None and tokens.case != "pieces" and text_of.get(tokens.ids[0]) == word:
                found.append((tokens.ids[0], word, tokens))
        return {word: tokens for _, word, tokens in sorted(found)}

    def _encode_after(
        self, words: Sequence[str], contexts: Sequence[str], *, space: bool
    ) -> list[tuple[int, ...]]:
        """The ids of each word behind the first context that keeps its own tokens; () where none does."""
        found: list[tuple[int, ...]] = [()] * len(words)
        left: Sequence[int] = range(len(words))
        for context in contexts:
            before = self.tokenizer.encode(context, add_special_tokens=False).ids
            opening = context + " " * space
            unsettled = []
            for start in range(0, len(left), BATCH):
                rows = left[start : start + BATCH]
                texts = [opening + words[row] for row in rows]
                encodings = self.tokenizer.encode_batch(texts, add_special_tokens=False)
                for row, encoding in zip(rows, encodings, strict=True):
                    ids = tuple(encoding.ids[len(before) :])
                    if encoding.ids[: len(before)] != before or not ids or self._has_mark(ids[0]) > space:
                        unsettled.append(row)
                    elif self._stands_for(words[row], ids, encoding, len(opening)):
                        found[row] = ids
            left = unsettled
        return found

    def _stands_for(self, word: str, ids: tuple[int, ...], encoding: Encoding, start: int) -> bool:
        if not self.specials.isdisjoint(ids):
            return False
        if self.tokenizer.decode(list(ids), skip_special_tokens=False).strip() == word:
            return True
        # Lower-cased, say, or without accents; but no letter may have been passed over.
        read = {place for offsets in encoding.offsets[-len(ids) :] for place in range(*offsets)}
        return read.issuperset(range(start, start + len(word)))

    def _find_mark(self) -> str | None:
        """The character that begins the tokens after a space, if they have one."""
        before, both = (
            self.tokenizer.encode(text, add_special_tokens=False).tokens for text in ("a", "a a")
        )
        last = both[len(before) :]
        return last[0][0] if last and last[0].startswith(SPACE_MARKS) else None

    def _has_mark(self, token: int) -> bool:
        return self._mark is not None and str(self.tokenizer.id_to_token(token)).startswith(self._mark)


def _own_specials(tokenizer: Tokenizer) -> set[int]:
    specials = {number for number, added in tokenizer.get_added_tokens_decoder().items() if added.special}
    model = json.loads(tokenizer.to_str())["model"]
    unknown = model.get("unk_token")
    if unknown is not None and (number := tokenizer.token_to_id(unknown)) is not None:
        specials.add(number)
    if model.get("unk_id") is not None:
        specials.add(model["unk_id"])
    return specials


def _is_word(text: str) -> bool:
    return bool(text) and not any(
        character.isspace() or character == "�" or unicodedata.category(character) == "Cc"
        for character in text
    )
