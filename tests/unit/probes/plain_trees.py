"""Treebanks for the tests: texts read from strings, and made ones with known answers."""

from __future__ import annotations

from collections.abc import Iterator

from lexiscope.probes.treebanks import TreebankText


def text_of(content: str, where: str = "text") -> TreebankText:
    lines: Iterator[tuple[int, str]] = iter(enumerate(content.split("\n"), 1))
    return TreebankText(where, where, None, lines)


def conllu(*rows: str) -> str:
    """A sentence; each row is ``form upos xpos features head relation``."""
    lines = []
    for number, row in enumerate(rows, 1):
        form, upos, xpos, features, head, relation = row.split()
        lines.append("\t".join([str(number), form, "_", upos, xpos, features, head, relation, "_", "_"]))
    return "\n".join(lines) + "\n\n"


NOUNS = [f"noun{chr(97 + i)}{chr(97 + j)}" for i in range(12) for j in range(6)]
VERBS = [f"verb{chr(97 + i)}{chr(97 + j)}" for i in range(12) for j in range(6)]


def made_sentence(number: int) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """A sentence, as (word, tag) pairs of subject, verb, object and adverbs, and its true labels.

    ``the NOUN VERB the NOUN ADVERB … at17 .``; what there is of each changes at its own pace, so that all
    combinations occur.
    """
    subject_plural, past, object_plural = number % 2 == 0, number % 3 != 0, number % 5 < 3
    subject = NOUNS[number * 7 % len(NOUNS)] + ("s" if subject_plural else "")
    verb = VERBS[number * 11 % len(VERBS)] + ("ed" if past else "" if subject_plural else "s")
    target = NOUNS[number * 13 % len(NOUNS)] + ("s" if object_plural else "")
    pairs = [
        ("The", "DT"),
        (subject, "NNS" if subject_plural else "NN"),
        (verb, "VBD" if past else "VBP" if subject_plural else "VBZ"),
        ("the", "DT"),
        (target, "NNS" if object_plural else "NN"),
        *((f"adverb{chr(97 + number % 7 + place)}", "RB") for place in range(number % 9)),
        (f"at{number}", "RB"),
        (".", "."),
    ]
    labels = {
        "subj_number": "NNS" if subject_plural else "NN",
        "tense": "PAST" if past else "PRES",
        "obj_number": "NNS" if object_plural else "NN",
    }
    return pairs, labels


def made_conllu(number: int) -> str:
    pairs, _ = made_sentence(number)
    upos = {"DT": "DET", "NN": "NOUN", "NNS": "NOUN", "RB": "ADV", ".": "PUNCT"}
    # Each adverb hangs on the verb or on the adverb before it, so that depths differ at equal lengths.
    rows, chain = [], number // 9 % 4
    for place, (word, tag) in enumerate(pairs, 1):
        head, relation = {1: (2, "det"), 2: (3, "nsubj"), 3: (0, "root"), 4: (5, "det"), 5: (3, "obj")}.get(
            place, (3, "advmod")
        )
        if 6 < place < 7 + chain and tag == "RB":
            head = place - 1
        rows.append(f"{word} {upos.get(tag, 'VERB')} {tag} _ {head} {relation}")
    return conllu(*rows)


def made_brackets(number: int) -> str:
    pairs, _ = made_sentence(number)
    leaves = [f"({tag} {word})" for word, tag in pairs]
    adverbs = leaves[5:-1]
    chain = ""
    for place, adverb in enumerate(reversed(adverbs)):
        chain = f"(ADVP {adverb} {chain})" if place < number // 9 % 4 else f"{adverb} {chain}"
    top = "(PP (IN in) (NP (NN time))) (, ,) " if number // 4 % 3 == 0 else ""
    return (
        f"( (S {top}(NP-SBJ {leaves[0]} {leaves[1]})\n"
        f"  (VP {leaves[2]} (NP {leaves[3]} {leaves[4]}) {chain}) {leaves[-1]}))\n"
    )
