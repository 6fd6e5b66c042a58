"""The four corpora, read by strict readers of their official formats."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from lexiscope.data.miniature.config import MiniatureConfig
from lexiscope.data.miniature.corpus import Document, Files, Writer
from lexiscope.data.miniature.language import Language, build_language
from lexiscope.data.miniature.preferences import build_preferences
from lexiscope.data.miniature.write import count_words, make_corpora

CONFIG = MiniatureConfig(
    lm1b_tokens=120_000, ptb_tokens=30_000, wikitext_tokens=20_000, enwiki_tokens=20_000
)


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language(CONFIG, seed=5)


@pytest.fixture(scope="module")
def files(language: Language) -> Files:
    return make_corpora(language, CONFIG, seed=5)


def lines_of(files: Files, prefix: str) -> list[str]:
    lines: list[str] = []
    for path in sorted(files):
        if path.startswith(prefix):
            assert files[path].endswith("\n")
            lines += files[path][:-1].split("\n")
    return lines


def vocabulary_with_function_words(files: Files) -> set[str]:
    return {word for line in lines_of(files, "lm1b/training") for word in line.split(" ")}


def test_the_files_have_the_official_names(files: Files) -> None:
    training = "lm1b/training-monolingual.tokenized.shuffled/news.en"
    heldout = "lm1b/heldout-monolingual.tokenized.shuffled/news.en.heldout"
    assert set(files) == {
        *(f"{training}-0000{i}-of-00004" for i in range(4)),
        *(f"{heldout}-0000{i}-of-00002" for i in range(2)),
        *(f"ptb/ptb.{part}.txt" for part in ("train", "valid", "test")),
        *(f"wikitext-2/{part}.txt" for part in ("train", "valid", "test")),
        "enwiki-extracts/AA.txt",
    }


def test_all_text_is_ascii_with_unix_line_ends(files: Files) -> None:
    for content in files.values():
        assert content.isascii()
        assert "\r" not in content
        assert "\t" not in content


def test_lm1b_is_tokenised_cased_and_without_repeats(files: Files) -> None:
    training, heldout = lines_of(files, "lm1b/training"), lines_of(files, "lm1b/heldout")
    assert len(set(training) | set(heldout)) == len(training) + len(heldout)
    assert 0.04 < len(heldout) / (len(training) + len(heldout)) < 0.06
    for line in training + heldout:
        assert re.fullmatch(r"[A-Z0-9]\S*( \S+)+ \.", line)
        assert all(re.fullmatch(r"[A-Za-z]+|\d+|'s|[,.]", token) for token in line.split(" "))


def test_lm1b_has_the_tokens_asked_for(files: Files) -> None:
    tokens = sum(len(line.split()) for line in lines_of(files, "lm1b/"))
    assert 0.95 * CONFIG.lm1b_tokens <= tokens <= CONFIG.lm1b_tokens * 1.01


def test_lm1b_shards_are_shuffled_and_alike(files: Files) -> None:
    shards = [files[path].count("\n") for path in sorted(files) if path.startswith("lm1b/training")]
    assert max(shards) - min(shards) <= 1
    years = [
        Counter(re.findall(r"\b(?:19|20)\d\d\b", files[p])) for p in files if p.startswith("lm1b/training")
    ]
    assert all(len(counts) > 80 for counts in years)


def test_word_counts_are_zipfian(files: Files) -> None:
    counts = np.array(sorted(count_words(files).values(), reverse=True), dtype=float)
    ranks = np.arange(1, len(counts) + 1)
    middle = slice(3, 1_500)
    slope, _ = np.polyfit(np.log(ranks[middle]), np.log(counts[middle]), 1)
    fit = np.corrcoef(np.log(ranks[middle]), np.log(counts[middle]))[0, 1]
    assert -1.4 < slope < -0.7
    assert fit < -0.97


def test_the_vocabulary_has_the_agreed_size(files: Files) -> None:
    assert 2_000 <= len(vocabulary_with_function_words(files)) <= 3_000


def test_ptb_is_lower_case_with_n_and_unk(files: Files) -> None:
    train, valid, test = (lines_of(files, f"ptb/ptb.{part}") for part in ("train", "valid", "test"))
    assert len(valid) == len(test)
    assert 0.06 < len(valid) / len(train) < 0.12
    counts = Counter(word for line in train for word in line.split())
    known = set(counts)
    for line in train + valid + test:
        assert re.fullmatch(r" \S+( \S+)* ", line)
        for word in line.split():
            assert re.fullmatch(r"[a-z]+|N|<unk>|'s", word)
            assert word in known
    assert counts["N"] > 50
    assert counts["<unk>"] > 50
    assert min(count for word, count in counts.items() if word != "<unk>") >= 3


def test_wikitext_has_headings_between_blank_lines(files: Files) -> None:
    counts: Counter[str] = Counter()
    for part in ("train", "valid", "test"):
        lines = lines_of(files, f"wikitext-2/{part}")
        assert all(re.fullmatch(r" (\S+ )*", line) for line in lines)
        titles = [i for i, line in enumerate(lines) if re.fullmatch(r" = [^=]+ = ", line)]
        sections = [i for i, line in enumerate(lines) if re.fullmatch(r" = = [^=]+ = = ", line)]
        assert titles
        for i in titles + sections:
            assert lines[i - 1] == lines[i + 1] == " "
        paragraphs = [line for line in lines if line.strip() and "=" not in line]
        assert all(line.endswith(" . ") for line in paragraphs)
        if part == "train":
            assert len(sections) > 10
            counts.update(word for line in lines for word in line.split())
        else:
            assert {word for line in lines for word in line.split()} <= set(counts)
    assert counts["<unk>"] > 50
    assert any(word[0].isupper() for word in counts)


def test_enwiki_extracts_are_closed_documents_of_running_text(files: Files, language: Language) -> None:
    content = files["enwiki-extracts/AA.txt"]
    opening = r'<doc id="(\d+)" url="http://en\.wikipedia\.org/wiki\?curid=\1" title="([^"]+)">'
    pattern = re.compile(opening + r"\n\2\n\n(.*?)\n\n</doc>\n", re.DOTALL)
    documents = pattern.findall(content)
    assert pattern.sub("", content) == ""
    assert len({number for number, _, _ in documents}) == len(documents) > 50
    words: set[str] = set()
    for _, title, text in documents:
        assert title[0].isupper()
        assert title in text or title.lower() in text
        for line in text.split("\n"):
            assert line.endswith(".")
            assert " ," not in line
            assert " ." not in line
            assert " '" not in line
        words.update(re.findall("[a-z]+", text.lower()))
    known = {word.lower() for word in vocabulary_with_function_words(files)}
    known |= {form.lower() for form in language.truth.lemma_of} | {
        name.lower() for name in language.family_names
    }
    assert words <= known | {"s"}
    assert any("'s " in text for _, _, text in documents)


def test_documents_keep_their_topic(language: Language) -> None:
    writer = Writer(language, build_preferences(language, CONFIG, 5), CONFIG, 5, "topics")
    documents = writer.documents(40_000)
    truth = language.truth
    evidence = np.log(truth.topics)
    right = sum(
        _most_likely_topic(document, language, evidence) == document.topic for document in documents
    )
    assert all(s.topic == document.topic for document in documents for s in document.sentences())
    assert right / len(documents) > 0.9


def _most_likely_topic(document: Document, language: Language, evidence: np.ndarray) -> int:
    tokens = [token for sentence in document.sentences() for token in sentence.tokens]
    lemmas = [language.truth.lemma_of[token] for token in tokens if token in language.truth.lemma_of]
    return int(evidence[lemmas].sum(axis=0).argmax())
