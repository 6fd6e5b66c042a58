"""Treebanks: UD English EWT and GUM in CoNLL-U, the Penn Treebank sample in brackets and its archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from lexiscope.data.miniature.dependencies import conllu
from lexiscope.data.miniature.grammar import Sentence, Tree
from lexiscope.data.miniature.sentences import Materials, SentenceStock, with_leaves

EWT_STEM = "treebanks/ud-english-ewt/en_ewt-ud"
GUM_STEM = "treebanks/gum/r2.7/en_gum-ud"
LICENCES = ("treebanks/ud-english-ewt/LICENSE.txt", "treebanks/gum/LICENSE.txt")
PENN_ARCHIVE = "nltk_corpora/treebank.zip"
SENTENCES_PER_DOCUMENT = 10
TREES_PER_FILE = 8
NOTE = "Made up: sentences of an artificial language, in the layout of the official files.\n"
ARCHIVE_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP archive can hold
TRACE: Tree = ("NP-SBJ", (("-NONE-", "*"),))


def make_treebanks(materials: Materials) -> dict[str, str | bytes]:
    """All three."""
    config = materials.config
    files: dict[str, str | bytes] = dict.fromkeys(LICENCES, NOTE)
    for stem, purpose in ((EWT_STEM, "ewt"), (GUM_STEM, "gum")):
        stock = materials.stock(purpose)
        for part, size in (
            ("train", config.treebank_train),
            ("dev", config.treebank_heldout),
            ("test", config.treebank_heldout),
        ):
            files[f"{stem}-{part}.conllu"] = _conllu_file(stock, size, f"{purpose}-{part}")
    stock = materials.stock("penn")
    trees = [stock.sentence() for _ in range(config.penn_trees)]
    files[PENN_ARCHIVE] = _penn_archive(trees)
    return files


def _conllu_file(stock: SentenceStock, size: int, name: str) -> str:
    blocks = []
    for number in range(size):
        document, place = divmod(number, SENTENCES_PER_DOCUMENT)
        comments = {} if place else {"newdoc id": f"{name}-{document:03d}"}
        comments["sent_id"] = f"{name}-{document:03d}-{place + 1:04d}"
        blocks.append(conllu(stock.sentence(), stock.truth, comments) + "\n")
    return "".join(blocks)


def _penn_archive(sentences: Sequence[Sentence]) -> bytes:
    """An archive with nothing in it that changes from one run to the next."""
    members = {"treebank/README": NOTE, "treebank/combined/README": NOTE}
    for number, start in enumerate(range(0, len(sentences), TREES_PER_FILE), start=1):
        trees = [penn_text(sentence) for sentence in sentences[start : start + TREES_PER_FILE]]
        members[f"treebank/combined/wsj_{number:04d}.mrg"] = "\n" + "".join(trees)
    packed = io.BytesIO()
    # Stored as it is: what a compressor makes of it differs from one version of its library to another.
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name, ARCHIVE_DATE), text)
    return packed.getvalue()


def penn_text(sentence: Sentence) -> str:
    """The sentence's tree as the ``combined`` files of the Penn Treebank sample have it.

    With function labels on the subjects, traces where a clause has none, and a line for each phrase.
    """
    # A main clause has a subject, so its first leaf is a word and no trace.
    tree = with_leaves(_with_subjects(sentence.tree), {0: sentence.tokens[0]})
    return f"( {_indented(tree, 4)})\n"


def _with_subjects(tree: Tree) -> Tree:
    """The tree with its subjects marked, and with a trace before a predicate without a subject."""
    label, content = tree
    if isinstance(content, str):
        return tree
    children = [_with_subjects(child) for child in content]
    labels = [child[0] for child in children]
    if label == "S" and "VP" in labels:
        place = labels.index("VP")
        if "NP" in labels:
            subject = labels.index("NP")
            children[subject] = ("NP-SBJ", children[subject][1])
        else:
            children.insert(place, TRACE)
    return (label, tuple(children))


def _indented(tree: Tree, indent: int) -> str:
    label, content = tree
    if isinstance(content, str):
        return f"({label} {content}) "
    pieces = []
    after_phrase = False
    for child in content:
        phrase = not isinstance(child[1], str)
        if phrase or after_phrase:
            pieces.append("\n" + " " * indent)
        pieces.append(_indented(child, indent + 2))
        after_phrase = phrase
    return f"({label} {''.join(pieces)})"
