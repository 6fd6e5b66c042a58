"""TREC: questions, of the type of what they ask for, in SentEval's official layout.

Mostly the field of the noun that is asked for decides (*Which* + noun); some questions are told by their
first word alone (*Who*, *When*, *Why*). The training part is Latin-1 and has some names with an accent, as
the real one has.
"""

from __future__ import annotations

from typing import NamedTuple

from lexiscope.data.miniature.grammar import Sentence, Tree, leaves
from lexiscope.data.miniature.sentences import Materials, SentenceStock, quotas

TRAIN_FILE = "senteval/downstream/TREC/train_5500.label"
TEST_FILE = "senteval/downstream/TREC/TREC_10.label"

# Shares of the six types, nearly as in the real set; the rarest must still reach each of ten folds.
TYPE_SHARES = {"ABBR": 0.04, "DESC": 0.20, "ENTY": 0.23, "HUM": 0.22, "LOC": 0.15, "NUM": 0.16}
ACCENTED_SHARE = 0.01  # of the training questions
LONGEST = 5  # words of a question besides what asks; the longer it is, the less its noun stands out


class Subtype(NamedTuple):
    """A fine label: the fields (or subfields, after a slash) asked for, and the words that ask."""

    coarse: str
    fine: str
    nouns: tuple[str, ...]
    opening: str


SUBTYPES = (
    Subtype("ABBR", "exp", ("organisation/company",), "Which"),
    Subtype("DESC", "def", ("idea",), "Which"),
    Subtype("DESC", "reason", (), "Why"),
    Subtype("ENTY", "animal", ("animal",), "Which"),
    Subtype("ENTY", "food", ("food",), "Which"),
    Subtype("ENTY", "plant", ("plant",), "Which"),
    Subtype("ENTY", "product", ("tool", "clothing"), "Which"),
    Subtype("ENTY", "veh", ("vehicle",), "Which"),
    Subtype("HUM", "gr", ("organisation/team", "organisation/agency", "organisation/firm"), "Which"),
    Subtype("HUM", "ind", ("person",), "Which"),
    Subtype("HUM", "desc", ("person",), "Who"),
    Subtype("LOC", "city", ("place/settlement", "place/city"), "Which"),
    Subtype("LOC", "other", ("place/terrain", "place/water", "building"), "Which"),
    Subtype("NUM", "count", ("measure",), "How many"),
    Subtype("NUM", "period", ("measure",), "Which"),
    Subtype("NUM", "date", (), "When"),
)


def make_trec(materials: Materials) -> dict[str, bytes]:
    """Both parts."""
    stock = materials.stock("trec")
    asker = _Asker(materials, stock)
    train = asker.questions(materials.config.trec_train)
    for i in range(0, len(train), round(1 / ACCENTED_SHARE)):
        train[i] = train[i].replace(" ?", " of Café ?")
    test = asker.questions(materials.config.trec_test)
    return {
        TRAIN_FILE: "".join(f"{line}\n" for line in train).encode("latin-1"),
        TEST_FILE: "".join(f"{line}\n" for line in test).encode("latin-1"),
    }


class _Asker:
    def __init__(self, materials: Materials, stock: SentenceStock) -> None:
        self._stock = stock
        truth = materials.language.truth
        self._lemmas = truth.lemmas
        self._frequencies = truth.frequencies
        self._members = {
            (subtype.coarse, subtype.fine): [
                lemma.index
                for lemma in truth.lemmas
                if lemma.part_of_speech == "noun"
                and lemma.attested
                and {lemma.field, f"{lemma.field}/{lemma.subfield}"} & set(subtype.nouns)
            ]
            for subtype in SUBTYPES
        }

    def questions(self, n: int) -> list[str]:
        """``n`` labelled questions in random order."""
        lines = []
        for coarse, size in zip(TYPE_SHARES, quotas(n, list(TYPE_SHARES.values())), strict=True):
            fine = [subtype for subtype in SUBTYPES if subtype.coarse == coarse]
            for number in range(size):
                subtype = fine[number % len(fine)]
                lines.append(f"{subtype.coarse}:{subtype.fine} {self._question(subtype)}")
        return [lines[i] for i in self._stock.rng.permutation(len(lines))]

    def _question(self, subtype: Subtype) -> str:
        """A new question that is not too long."""
        while True:
            words = self._asked(subtype)
            text = " ".join([subtype.opening, *words, "?"])
            # Without its subject a sentence may repeat another.
            if len(words) <= LONGEST and self._stock.claim(text):
                return text

    def _asked(self, subtype: Subtype) -> list[str]:
        """The words of a question between what asks and the question mark."""
        members = self._members[subtype.coarse, subtype.fine]
        if not members:
            return _words(self._stock.sentence(opening="none").tree)[:-1]
        weights = self._frequencies[members]
        noun = int(self._stock.rng.choice(members, p=weights / weights.sum()))
        sentence = self._stock.sentence(about=noun, opening="none")
        asked = [] if subtype.opening == "Who" else [self._form(noun, sentence, subtype)]
        return [*asked, *_predicate(sentence)]

    def _form(self, noun: int, sentence: Sentence, subtype: Subtype) -> str:
        forms = self._lemmas[noun].forms
        plural = subtype.opening == "How many" or sentence.subject_number == "plural"
        return forms[-1] if plural else forms[0]


def _predicate(sentence: Sentence) -> list[str]:
    return next(
        _words(child) for child in sentence.tree[1] if isinstance(child, tuple) and child[0] == "VP"
    )


def _words(tree: Tree) -> list[str]:
    return [word for _, word in leaves(tree)]
