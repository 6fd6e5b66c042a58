"""Dependencies and the treebanks' files, read by strict readers and checked against the grammar's trees."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
from small_miniature import materials

from lexiscope.data.miniature.corpus import running_text
from lexiscope.data.miniature.dependencies import conllu, dependencies, dependency_depth
from lexiscope.data.miniature.grammar import Sentence, Tree, leaves
from lexiscope.data.miniature.treebanks import PENN_ARCHIVE, TREES_PER_FILE, make_treebanks, penn_text

UNIVERSAL = {
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "NOUN", "NUM"),
    *("PART", "PRON", "PROPN", "PUNCT", "SCONJ", "VERB"),
}
Block = tuple[dict[str, str], list[list[str]], list[list[str]]]
Nested = tuple[str, "str | list[Nested]"]


@cache
def files() -> dict[str, str | bytes]:
    return make_treebanks(materials())


def blocks_of(text: str) -> list[Block]:
    """Comments, words, and orthographic words that stand for two."""
    assert text.endswith("\n\n")
    blocks = []
    for block in text[:-2].split("\n\n"):
        comments, words, joined = {}, [], []
        for line in block.split("\n"):
            if line.startswith("#"):
                key, value = line[2:].split(" = ")
                comments[key] = value
            else:
                columns = line.split("\t")
                assert len(columns) == 10
                (joined if "-" in columns[0] else words).append(columns)
        blocks.append((comments, words, joined))
    return blocks


@cache
def treebank(stem: str, part: str) -> list[Block]:
    text = files()[f"treebanks/{stem}-{part}.conllu"]
    assert isinstance(text, str)
    return blocks_of(text)


STEMS = ("ud-english-ewt/en_ewt-ud", "gum/r2.7/en_gum-ud")


def every_block() -> Iterator[Block]:
    for stem in STEMS:
        for part in ("train", "dev", "test"):
            yield from treebank(stem, part)


def parse(text: str) -> list[Nested]:
    """All bracketed trees of a text."""
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()
    position = 0

    def tree() -> Nested:
        nonlocal position
        assert tokens[position] == "("
        position += 1
        label = ""
        if tokens[position] not in "()":
            label = tokens[position]
            position += 1
        if tokens[position] != "(":
            word = tokens[position]
            position += 2
            assert tokens[position - 1] == ")"
            return label, word
        children = []
        while tokens[position] == "(":
            children.append(tree())
        assert tokens[position] == ")"
        position += 1
        return label, children

    trees = []
    while position < len(tokens):
        trees.append(tree())
    return trees


def words_of(tree: Nested) -> list[tuple[str, str]]:
    label, content = tree
    if isinstance(content, str):
        return [(label, content)]
    return [pair for child in content for pair in words_of(child)]


def test_the_parts_have_their_sizes_and_share_no_sentence() -> None:
    config = materials().config
    for stem in STEMS:
        parts = [treebank(stem, part) for part in ("train", "dev", "test")]
        held_out = config.treebank_heldout
        assert [len(part) for part in parts] == [config.treebank_train, held_out, held_out]
        texts = [comments["text"] for part in parts for comments, _, _ in part]
        assert len(set(texts)) == len(texts)
        identities = [comments["sent_id"] for part in parts for comments, _, _ in part]
        assert len(set(identities)) == len(identities)


def test_heads_make_a_tree_with_one_root() -> None:
    for comments, words, _ in every_block():
        assert [int(word[0]) for word in words] == list(range(1, len(words) + 1)), comments
        heads = [int(word[6]) for word in words]
        assert heads.count(0) == 1
        assert [word[7] for word, head in zip(words, heads, strict=True) if head == 0] == ["root"]
        assert all((word[7] == "root") == (word[6] == "0") for word in words)
        for number in range(1, len(words) + 1):
            seen = set()
            while number:
                assert number not in seen
                seen.add(number)
                number = heads[number - 1]


def test_dependencies_do_not_cross() -> None:
    for _, words, _ in every_block():
        arcs = [sorted((int(word[0]), int(word[6]))) for word in words if word[6] != "0"]
        for i, (a, b) in enumerate(arcs):
            assert not any(a < c < b < d or c < a < d < b for c, d in arcs[i + 1 :])


def test_relations_fit_the_parts_of_speech() -> None:
    fitting = {
        "det": {"DET"},
        "amod": {"ADJ"},
        "case": {"ADP", "PART"},
        "mark": {"SCONJ", "PART"},
        "cop": {"AUX"},
        "cc": {"CCONJ"},
        "punct": {"PUNCT"},
        "nummod": {"NUM"},
        "advmod": {"ADV"},
        "flat": {"PROPN"},
        "obj": {"NOUN", "PROPN"},
        "nsubj": {"NOUN", "PROPN", "PRON"},
        "nmod:poss": {"NOUN", "PROPN"},
        "nmod": {"NOUN", "PROPN"},
        "obl": {"NOUN", "PROPN", "NUM"},
        "conj": {"NOUN", "PROPN", "VERB", "ADJ"},
        "root": {"VERB", "ADJ"},
        "acl:relcl": {"VERB"},
        "advcl": {"VERB", "ADJ"},
        "ccomp": {"VERB", "ADJ"},
        "xcomp": {"VERB"},
    }
    seen = Counter(word[7] for _, words, _ in every_block() for word in words)
    assert set(seen) == set(fitting)
    for _, words, _ in every_block():
        for word in words:
            assert word[3] in fitting[word[7]] <= UNIVERSAL, word
            assert word[8] == f"{word[6]}:{word[7]}"


def test_features_say_tense_and_number() -> None:
    by_tag = {
        "NN": "Number=Sing",
        "NNP": "Number=Sing",
        "NNS": "Number=Plur",
        "VBD": "Tense=Past",
        "VBZ": "Tense=Pres",
        "VBP": "Tense=Pres",
        "VB": "VerbForm=Inf",
    }
    seen = set()
    for _, words, _ in every_block():
        for word in words:
            features = word[5].split("|")
            assert features == sorted(features)
            assert word[3] in ("DET", "PRON") or word[5] == "_" or "PronType" not in word[5]
            if word[4] in by_tag:
                assert by_tag[word[4]] in features
                seen.add(word[4])
    assert seen == set(by_tag)


def test_lemmas_are_those_of_the_lexicon() -> None:
    truth = materials().language.truth
    for _, words, _ in every_block():
        for word in words:
            if word[3] == "AUX":
                assert word[2] == "be"
            elif word[3] in ("NOUN", "VERB", "ADJ"):
                assert truth.lemmas[truth.lemma_of[word[1]]].stem == word[2]


def test_the_text_is_that_of_the_words() -> None:
    for comments, words, joined in every_block():
        starts = {columns[0].split("-")[0]: columns for columns in joined}
        inside = {columns[0].split("-")[1] for columns in joined}
        text = ""
        for word in words:
            if word[0] in inside:
                continue
            shown = starts.get(word[0], word)
            text += shown[1] + ("" if shown[9] == "SpaceAfter=No" else " ")
        assert text.strip() == comments["text"]
        for columns in joined:
            first = int(columns[0].split("-")[0])
            assert columns[1] == words[first - 1][1] + words[first][1]
            assert words[first][1] == "'s"


def test_subject_object_and_root_are_those_of_the_record() -> None:
    stock = materials().stock("test of dependencies")
    number = {"NN": "singular", "NNP": "singular", "NNS": "plural"}
    for _ in range(400):
        sentence = stock.sentence()
        words = dependencies(sentence.tree)
        assert [(word.tag, word.form) for word in words] == leaves(sentence.tree)
        (root,) = [i for i, word in enumerate(words, start=1) if word.head == 0]
        of_root = {word.relation: word for word in words if word.head == root}
        finite = of_root.get("cop", words[root - 1])
        assert (finite.tag == "VBD") == (sentence.tense == "past")
        subject = of_root["nsubj"]
        if subject.tag in number:
            together = any(
                word.relation == "conj" and word.head == words.index(subject) + 1 for word in words
            )
            assert sentence.subject_number == ("plural" if together else number[subject.tag])
        assert ("obj" in of_root) == (sentence.object_number is not None)


def test_dependencies_of_a_known_sentence() -> None:
    owner: Tree = ("NP", (("DT", "a"), ("NN", "bral"), ("POS", "'s")))
    subject: Tree = ("NP", (owner, ("JJ", "old"), ("NN", "kop")))
    lower: Tree = ("S", (("NP", (("NNP", "Fil"), ("NNP", "Mok"))), ("VP", (("VBD", "fell"),))))
    predicate: Tree = ("VP", (("VBD", "said"), ("SBAR", (("IN", "that"), lower))))
    opening: Tree = ("PP", (("IN", "in"), ("NP", (("CD", "1950"),))))
    words = dependencies(("S", (opening, (",", ","), subject, predicate, (".", "."))))
    assert [(word.form, word.head, word.relation) for word in words] == [
        ("in", 2, "case"),
        ("1950", 9, "obl"),
        (",", 9, "punct"),
        ("a", 5, "det"),
        ("bral", 8, "nmod:poss"),
        ("'s", 5, "case"),
        ("old", 8, "amod"),
        ("kop", 9, "nsubj"),
        ("said", 0, "root"),
        ("that", 13, "mark"),
        ("Fil", 13, "nsubj"),
        ("Mok", 11, "flat"),
        ("fell", 9, "ccomp"),
        (".", 9, "punct"),
    ]
    assert [words[i].universal for i in (0, 9)] == ["ADP", "SCONJ"]
    assert dependency_depth(("S", (subject, predicate, (".", ".")))) == 4


def test_a_coordination_hangs_on_its_first_clause() -> None:
    first: Tree = ("S", (("NP", (("PRP", "she"),)), ("VP", (("VBD", "sat"),))))
    adjective: Tree = ("ADJP", (("JJ", "old"),))
    second: Tree = ("S", (("NP", (("PRP", "he"),)), ("VP", (("VBD", "was"), adjective))))
    tree: Tree = ("S", (first, (",", ","), ("CC", "and"), second, (".", ".")))
    words = dependencies(tree)
    assert [(word.head, word.relation) for word in words] == [
        (2, "nsubj"),
        (0, "root"),
        (7, "punct"),
        (7, "cc"),
        (7, "nsubj"),
        (7, "cop"),
        (2, "conj"),
        (2, "punct"),
    ]
    block = conllu(
        Sentence(tree, 0, "past", "singular", None), materials().language.truth, {"sent_id": "a"}
    )
    assert block.startswith("# sent_id = a\n# text = She sat, and he was old.\n1\tShe\tshe\tPRON\tPRP\t")
    assert "6\twas\tbe\tAUX\tVBD\tMood=Ind|Tense=Past|VerbForm=Fin\t7\tcop\t7:cop\t_\n" in block


def test_the_archive_holds_the_trees_in_brackets_and_no_dates() -> None:
    packed = files()[PENN_ARCHIVE]
    assert isinstance(packed, bytes)
    n = 0
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        members = [name for name in archive.namelist() if name.endswith(".mrg")]
        expected = -(-materials().config.penn_trees // TREES_PER_FILE)
        assert members == [f"treebank/combined/wsj_{i:04d}.mrg" for i in range(1, expected + 1)]
        for name in members:
            for label, content in parse(archive.read(name).decode()):
                assert label == ""
                ((top, children),) = content  # type: ignore[misc]
                assert top == "S"
                assert children[-1] == (".", ".")
                n += 1
    assert n == materials().config.penn_trees


def test_a_bracketed_tree_has_the_words_and_labels_of_its_sentence() -> None:
    stock = materials().stock("test of brackets")
    labels: Counter[str] = Counter()
    for _ in range(200):
        sentence = stock.sentence()
        text = penn_text(sentence)
        labels.update(part.split(" ")[0] for part in text.split("(") if part.strip())
        (tree,) = parse(text)
        pairs = [(tag, word) for tag, word in words_of(tree) if tag != "-NONE-"]
        tags = [tag for tag, _ in leaves(sentence.tree)]
        assert pairs == list(zip(tags, sentence.tokens, strict=True))
        assert all(len(line) < 400 for line in text.split("\n"))
    # Subjects are marked, and a clause without one has a trace in its place.
    assert labels["NP-SBJ"] > 200
    assert labels["-NONE-"] > 10
    assert running_text(sentence)


def test_a_relative_clause_has_a_trace() -> None:
    relative: Tree = ("SBAR", (("WHNP", (("WP", "who"),)), ("S", (("VP", (("VBD", "sat"),)),))))
    subject: Tree = ("NP", (("NP", (("DT", "the"), ("NN", "bral"))), relative))
    tree: Tree = ("S", (subject, ("VP", (("VBD", "fell"),)), (".", ".")))
    text = penn_text(Sentence(tree, 0, "past", "singular", None))
    assert " ".join(text.split()).replace(" )", ")") == (
        "( (S (NP-SBJ (NP (DT The) (NN bral)) (SBAR (WHNP (WP who)) "
        "(S (NP-SBJ (-NONE- *)) (VP (VBD sat))))) (VP (VBD fell)) (. .)))"
    )


@pytest.mark.parametrize("name", ["ud-english-ewt", "gum"])
def test_the_licence_says_that_it_is_made_up(name: str) -> None:
    text = files()[f"treebanks/{name}/LICENSE.txt"]
    assert isinstance(text, str)
    assert text.startswith("Made up")
