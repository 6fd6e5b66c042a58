from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from lexiscope.corpora.encoded import SPLITS
from lexiscope.domains import labels as labels_module
from lexiscope.domains.clustering import (
    NO_DOMAIN,
    Round,
    centroids_of,
    classify,
    find_domains,
    least_alike,
    most_confident,
)
from lexiscope.domains.config import DomainsConfig
from lexiscope.domains.describe import agreement, main_topics, silhouette, top_terms
from lexiscope.domains.labelled_text import LabelledText
from lexiscope.domains.labels import label_domains, share_out
from lexiscope.domains.latent import LatentSpace, count_terms, latent_space
from lexiscope.errors import LexiscopeError

WORDS = {
    "sea": "ship harbour sailor captain anchor wave tide storm deck mast rope fish",
    "kitchen": "bread oven butter flour knife soup pepper onion spoon recipe boil pan",
    "music": "violin piano concert melody singer chorus guitar drum rhythm opera song tune",
}
THEMES = {theme: words.split() for theme, words in WORDS.items()}
SMALL = {"rank": 6, "n_clusters": 3, "n_domains": 3}


def theme_texts(n: int = 60, seed: int = 3) -> tuple[list[str], list[str]]:
    """Texts of two sentences on a theme each, and the themes."""
    rng = np.random.default_rng(seed)
    topics = [list(THEMES)[number % len(THEMES)] for number in range(n)]
    texts = []
    for topic in topics:
        words = rng.choice(THEMES[topic], 10, replace=False)
        texts.append(
            f"The {' and the '.join(words[:5])} moved. Then the {' or the '.join(words[5:])} stopped."
        )
    return texts, topics


def write_texts(path: Path, texts: list[str]) -> Path:
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return path


def label(folder: Path, texts: list[str], name: str = "out", seed: int = 1, **config: Any) -> Path:
    files = [write_texts(folder / "paragraphs.txt", texts)]
    output = folder / name
    settings = {"files": ["paragraphs.txt"], **SMALL, **config}
    label_domains(receipt=[], files=files, config=settings, seed=seed, output=output)
    return output


def lines(output: Path, split: str, level: str) -> list[tuple[int, str]]:
    text = (output / split / f"{level}.txt").read_text(encoding="utf-8")
    return [(int(domain), tokens) for domain, tokens in (line.split("\t") for line in text.splitlines())]


def theme_of(tokens: str) -> str:
    return max(THEMES, key=lambda theme: len(set(tokens.split()) & set(THEMES[theme])))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return label(tmp_path_factory.mktemp("labels"), [*theme_texts()[0], "the and of", "1 2 3"])


def read(output: Path, name: str) -> Any:
    return json.loads((output / name).read_text(encoding="utf-8"))


def test_paragraphs_of_one_theme_get_one_domain(labelled: Path) -> None:
    found = [line for split in SPLITS for line in lines(labelled, split, "paragraphs")]
    pairs = {(domain, theme_of(tokens)) for domain, tokens in found}
    assert len(found) == 3 * 16  # 80 % of 20 each are the confident ones
    assert len(pairs) == len({domain for domain, _ in pairs}) == len(THEMES)


def test_sentences_bear_the_label_of_their_paragraph_and_stay_in_its_part(labelled: Path) -> None:
    for split in SPLITS:
        paragraphs = lines(labelled, split, "paragraphs")
        sentences = lines(labelled, split, "sentences")
        assert len(sentences) == 2 * len(paragraphs)
        pairs = itertools.pairwise([*sentences, (0, "")])
        joined = [(first[0], f"{first[1]} {second[1]}") for first, second in list(pairs)[::2]]
        assert joined == paragraphs
        assert all(tokens.endswith(" .") and "  " not in tokens for _, tokens in sentences)


def test_every_domain_is_in_every_part_and_no_paragraph_in_two(labelled: Path) -> None:
    parts = {split: lines(labelled, split, "paragraphs") for split in SPLITS}
    for found in parts.values():
        assert {domain for domain, _ in found} == {0, 1, 2}
    assert [len(parts[split]) for split in SPLITS] == [36, 6, 6]
    assert len({tokens for found in parts.values() for _, tokens in found}) == 48


def test_domains_are_told_with_words_sizes_and_what_was_left_out(labelled: Path) -> None:
    told = read(labelled, "domains.json")
    assert told["documents"]["documents_with_few_words"] == 2
    assert told["documents"]["used_documents"] == 62
    assert told["stable"] is True
    assert told["last"]["stability"] == 1
    assert told["last"]["nmi"] is None
    assert str(labelled.parent) not in json.dumps(told)
    for domain in told["domains"]:
        theme = next(theme for theme in THEMES if domain["top_terms"][0] in THEMES[theme])
        assert set(domain["top_terms"]) <= set(THEMES[theme])
        assert domain["name"] == " ".join(domain["top_terms"][:3])
        assert (domain["size"], domain["confident_size"]) == (20, 16)
        assert domain["parts"]["train"]["documents"] == 12
    written = sum(domain["parts"]["train"]["tokens"] for domain in told["domains"])
    assert written == sum(len(tokens.split()) for _, tokens in lines(labelled, "train", "sentences"))


def test_iterations_and_map_fit_the_domains(labelled: Path) -> None:
    iterations = read(labelled, "iterations.json")
    assert [record["iteration"] for record in iterations] == [0, 1]
    assert iterations[0]["stability"] is None
    assert 0 < iterations[-1]["silhouette"] <= 1
    mapped = read(labelled, "map.json")
    assert [domain["id"] for domain in mapped["domains"]] == [0, 1, 2]
    documents = mapped["documents"]
    assert {len(column) for column in documents.values()} == {60}
    assert sum(documents["confident"]) == 48


def test_the_manifest_has_the_hashes_of_all_else(labelled: Path) -> None:
    files = read(labelled, "manifest.json")["files"]
    there = {str(path.relative_to(labelled)) for path in labelled.rglob("*") if path.is_file()}
    assert set(files) == there - {"manifest.json"}
    for name, stated in files.items():
        assert hashlib.sha256((labelled / name).read_bytes()).hexdigest() == stated["sha256"]


def test_the_domain_classifier_can_read_it(labelled: Path) -> None:
    text = LabelledText.read(
        labelled, "sentences", vocabulary_size=100, max_length=50, max_tokens=None, seed=1
    )
    assert text.domains == (0, 1, 2)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    texts, _ = theme_texts(30)
    first, second = (label(tmp_path, texts, name) for name in ("a", "b"))
    names = ["manifest.json", *read(first, "manifest.json")["files"]]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_lower_casing_and_a_draw_of_documents(tmp_path: Path) -> None:
    output = label(tmp_path, theme_texts()[0], casing="lower", max_documents=30, confidence=1.0)
    found = [tokens for split in SPLITS for _, tokens in lines(output, split, "paragraphs")]
    assert len(found) == 30
    assert all(tokens == tokens.lower() and tokens.startswith("the ") for tokens in found)


def test_a_run_that_dies_leaves_no_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "manifest.json").write_text("of an earlier run")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(labels_module, "write_labelled", die)
    with pytest.raises(KeyboardInterrupt):
        label(tmp_path, theme_texts(12)[0])
    assert not (output / "manifest.json").exists()


@pytest.mark.parametrize(
    ("texts", "config", "problem"),
    [
        (theme_texts(6)[0], {"n_clusters": 7}, "6 documents cannot make 7 clusters"),
        (theme_texts(6)[0], {"min_words": 50}, "0 documents cannot make 3 clusters"),
        ([theme_texts(1)[0][0]] * 9 + ["the dough rose"], {}, "share 0 words|clusters"),
        (["the and of", "a to in"], {}, "no words"),
        (["ship one", "oven two"], {}, "share 0 words"),
        ([], {}, "no documents"),
    ],
)
def test_documents_that_cannot_be_clustered_are_told(
    tmp_path: Path, texts: list[str], config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(LexiscopeError, match=problem):
        label(tmp_path, texts, **config)


def test_equal_documents_make_fewer_clusters_than_asked_for() -> None:
    texts = theme_texts(3)[0] * 6
    counts = count_terms(texts, 100)
    rounds = list(find_domains(counts, config(n_clusters=6, n_domains=3), seed=1))
    assert len(np.unique(rounds[-1].labels)) == 3
    with pytest.raises(LexiscopeError, match="only 3 different clusters, 4 domains"):
        list(find_domains(counts, config(n_clusters=6, n_domains=4), seed=1))


def test_receipt_and_files_exclude_each_other(tmp_path: Path) -> None:
    for files in ([], [tmp_path / "gone.txt"]):
        with pytest.raises(LexiscopeError):
            label_domains(receipt=[], files=files, config={"files": ["x"]}, seed=1, output=tmp_path / "out")


def config(**settings: Any) -> DomainsConfig:
    return DomainsConfig.model_validate({"files": ["x"], **SMALL, **settings})


# Terms and the latent space ---------------------------------------------------------------------------


def test_terms_are_words_that_some_documents_share() -> None:
    texts = [
        "The Ship's mate don't x11 sail",
        "ships sail 2nd Mate's, don't",
        "x11 été ship mate",
        "été other",
    ]
    texts += ["rare"] * 3
    counts = count_terms(texts, 10)
    assert counts.terms == ("mate", "rare", "sail", "ship", "été")
    assert counts.matrix.toarray()[0].tolist() == [1, 0, 1, 1, 0]
    assert count_terms(texts, 2).terms == ("mate", "rare")
    assert not set(counts.terms) & ENGLISH_STOP_WORDS
    assert counts.n_different().tolist() == [3, 2, 3, 1, 1, 1, 1]


def test_a_latent_space_has_the_cosines_of_its_best_approximation() -> None:
    texts, _ = theme_texts(24)
    counts = count_terms(texts, 100)
    rows = np.ones(24, dtype=bool)
    rows[::5] = False
    space = latent_space(counts, rows, 4, seed=1)
    raw = counts.matrix.toarray().astype(float)
    idf = np.log((1 + rows.sum()) / (1 + (raw[rows] > 0).sum(axis=0))) + 1
    weights = np.where(raw > 0, 1 + np.log(np.maximum(raw, 1)), 0) * idf
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    directions = np.linalg.svd(weights[rows], full_matrices=False)[2][:4]
    expected = weights @ directions.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(space.vectors @ space.vectors.T, expected @ expected.T, atol=1e-8)
    np.testing.assert_allclose(space.weights.toarray(), weights, atol=1e-12)


def test_the_rank_is_what_the_documents_can_have() -> None:
    counts = count_terms(theme_texts(12)[0], 100)
    assert latent_space(counts, np.ones(12, dtype=bool), 500, seed=1).rank == 11


def test_a_document_without_a_term_of_the_space_has_no_place_in_it() -> None:
    texts, topics = theme_texts(30)
    rows = np.array([topic != "sea" for topic in topics])
    bare = latent_space(count_terms(texts, 100), rows, 6, seed=1)
    assert bare.placed.tolist() == rows.tolist()
    labels, _ = classify(bare, centroids_of(bare.vectors, np.arange(30) % 3, 3))
    assert ((labels == NO_DOMAIN) == ~rows).all()


# The loop ---------------------------------------------------------------------------------------------


def test_rounds_go_on_until_labels_are_stable_or_there_were_enough() -> None:
    rng = np.random.default_rng(1)
    words = np.array([a + b + c for a in "bdgkl" for b in "aeiou" for c in "mnrst"])
    texts = [" ".join(rng.choice(words, 12)) for _ in range(80)]
    counts = count_terms(texts, 1000)
    free = list(find_domains(counts, config(n_clusters=8, stability=1.0, max_iterations=4), seed=1))
    assert [found.number for found in free] == list(range(len(free)))
    assert len(free) == 5 or free[-1].stability == 1
    one = list(find_domains(counts, config(n_clusters=8, stability=1e-9, max_iterations=1), seed=1))
    assert len(one) == 2
    for found in free:
        assert len(found.centroids) == 3
        for domain, size in enumerate(found.sizes()):
            confident = found.confident & (found.labels == domain)
            assert confident.sum() == np.ceil(0.8 * size)


def test_the_domains_are_the_clusters_least_alike() -> None:
    rng = np.random.default_rng(0)
    centroids = rng.normal(size=(7, 3))
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    cosines = centroids @ centroids.T
    pairs = list(itertools.combinations(range(7), 2))
    chosen = list(min(pairs, key=lambda pair: cosines[pair]))
    assert least_alike(centroids, 2).tolist() == sorted(chosen)
    rest = [row for row in range(7) if row not in chosen]
    chosen.append(min(rest, key=lambda row: max(cosines[row, other] for other in chosen)))
    assert least_alike(centroids, 3).tolist() == sorted(chosen)
    assert least_alike(centroids, 7).tolist() == list(range(7))


def test_an_empty_domain_gets_no_document() -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 0.0]])
    space = LatentSpace(vectors, None)
    centroids = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    labels, margins = classify(space, centroids)
    assert labels.tolist() == [1, 2, NO_DOMAIN]
    np.testing.assert_allclose(margins, [1.0, 0.2, 0.0])
    found = Round(0, space, centroids, labels, labels >= 0, None)
    assert found.sizes().tolist() == [0, 1, 1]
    labels, margins = classify(space, centroids[:2])
    assert labels.tolist() == [1, 1, NO_DOMAIN]
    assert margins.tolist() == [0, 0, 0]


def test_the_most_confident_are_those_with_the_largest_margins_of_each_domain() -> None:
    labels = np.array([0, 0, 0, 1, NO_DOMAIN, 1, 0])
    margins = np.array([0.1, 0.5, 0.4, 0.01, 0.9, 0.02, 0.4])
    assert most_confident(labels, margins, 0.5).tolist() == [False, True, True, False, False, True, False]
    assert most_confident(labels, margins, 1e-9).sum() == 2
    assert (most_confident(labels, margins, 1.0) == (labels >= 0)).all()


# What is told -----------------------------------------------------------------------------------------


def test_top_terms_are_those_with_the_largest_contrast() -> None:
    rng = np.random.default_rng(2)
    counts = count_terms(theme_texts(30)[0], 100)
    labels = rng.integers(-1, 3, 30)
    labels[labels == 2] = 3  # domain 2 is empty
    weights = latent_space(counts, np.ones(30, dtype=bool), 4, 1).weights
    found = top_terms(weights, labels, 4, counts.terms)
    dense = weights.toarray()
    for domain in (0, 1, 3):
        contrast = dense[labels == domain].mean(axis=0) - dense[labels != domain].mean(axis=0)
        expected = [counts.terms[term] for term in np.argsort(-contrast.round(9), kind="stable")[:10]]
        assert found[domain] == expected
    assert found[2] == []


def test_silhouette_by_cosine_is_as_defined() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(12, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([0, 1, 2] * 4)
    distance = 1 - vectors @ vectors.T
    values = []
    for row in range(12):
        own = np.flatnonzero((labels == labels[row]) & (np.arange(12) != row))
        others = [distance[row, labels == other].mean() for other in range(3) if other != labels[row]]
        a, b = distance[row, own].mean(), min(others)
        values.append((b - a) / max(a, b))
    assert silhouette(vectors, labels, seed=1) == pytest.approx(np.mean(values))
    assert silhouette(vectors, np.zeros(12, dtype=np.int64), seed=1) is None
    assert silhouette(vectors, np.arange(12), seed=1) is None


def test_agreement_counts_only_documents_with_a_topic() -> None:
    labels = np.array([0, 0, 1, 1, 1, 0])
    topics = ["a", "a", "b", "b", None, "b"]
    five = agreement(labels, topics, np.ones(6, dtype=bool))
    table = np.array([[2, 1], [0, 2]]) / 5
    outer = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    information = sum(p * np.log(p / q) for p, q in zip(table.flat, outer.flat, strict=True) if p)
    entropies = [-sum(p * np.log(p) for p in table.sum(axis=axis)) for axis in (0, 1)]
    assert five["with_topic"] == 5
    assert five["nmi"] == pytest.approx(information / np.mean(entropies), abs=1e-6)
    four = agreement(labels, topics, np.arange(6) < 5)
    assert (four["nmi"], four["ari"], four["with_topic"]) == (1, 1, 4)
    assert agreement(labels, [None] * 6, labels >= 0) == {"nmi": None, "ari": None, "with_topic": 0}
    assert main_topics(["b", None, "a", "b", "a", "c", "d"]) == {"a": 2, "b": 2, "c": 1}


def test_documents_are_shared_out_domain_by_domain() -> None:
    labels = np.array([0] * 50 + [1] * 4 + [2] * 2 + [0])
    confident = np.ones(57, dtype=bool)
    confident[-1] = False
    parts = share_out(labels, confident, seed=5)
    assert parts[-1] == -1
    assert np.bincount(parts[:50]).tolist() == [40, 5, 5]
    assert sorted(parts[50:54].tolist()) == [0, 0, 1, 2]
    assert parts[54:56].tolist() == [0, 0]
    assert (share_out(labels, confident, seed=5) == parts).all()
    assert (share_out(labels, confident, seed=6) != parts).any()
