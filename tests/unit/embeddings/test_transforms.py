"""Controls made from another space, against scikit-learn and the limit of activation maximisation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from lexiscope.embeddings import transforms
from lexiscope.embeddings.space import EmbeddingSpace, load_space, save_space
from lexiscope.embeddings.transforms import transform_space
from lexiscope.errors import LexiscopeError


def make(n_words: int = 200, dim: int = 12, **columns: NDArray[Any]) -> EmbeddingSpace:
    generator = np.random.default_rng(3)
    spread = np.linspace(3, 0.5, dim)
    vectors = (generator.standard_normal((n_words, dim)) * spread + 1.5).astype(np.float32)
    return EmbeddingSpace(
        words=tuple(f"w{i}" for i in range(n_words)),
        vectors=vectors,
        provenance={"kind": "lm_output", "corpus": "abc", "seed": 5, "casing": "as_is"},
        columns=columns,
    )


def layer(n_words: int = 200) -> EmbeddingSpace:
    generator = np.random.default_rng(4)
    return make(
        n_words,
        count=generator.integers(1, 1000, n_words),
        bias=generator.standard_normal(n_words).astype(np.float32),
        row=np.arange(n_words)[::-1].copy(),
        certificate=np.ones(n_words, dtype=np.float32),
    )


def transform(folder: Path, source: EmbeddingSpace, **config: Any) -> EmbeddingSpace:
    save_space(source, folder / "source.safetensors")
    given = {"of": "out", **config}
    output = folder / "made.safetensors"
    transform_space(space=folder / "source.safetensors", config=given, output=output)
    return load_space(output)


@pytest.mark.parametrize("weights", ["uniform", "count", "bias"])
def test_the_weighted_mean_is_at_the_origin(tmp_path: Path, weights: str) -> None:
    source = layer()
    shares = {
        "uniform": np.full(200, 1 / 200),
        "count": source.columns["count"] / source.columns["count"].sum(),
        "bias": softmax(source.columns["bias"].astype(np.float64)),
    }
    mean = shares[weights] @ source.vectors.astype(np.float64)
    made = transform(tmp_path, source, kind="centred", weights=weights)
    assert made.words == source.words
    np.testing.assert_allclose(made.vectors, source.vectors - mean, atol=1e-5)
    np.testing.assert_allclose(shares[weights] @ made.vectors, 0, atol=1e-6)
    others = [share for name, share in shares.items() if name != weights]
    assert all(np.abs(share @ made.vectors).max() > 1e-3 for share in others)


def test_bias_centring_is_the_limit_of_activation_maximisation(tmp_path: Path) -> None:
    source = layer(50)
    W, b, l2 = source.vectors.astype(np.float64), source.columns["bias"].astype(np.float64), 1e6
    inputs = np.zeros_like(W)
    for _ in range(50):  # x = (W_w − softmax(W x + b) W) / 2λ, a contraction for so large a penalty
        inputs = (W - softmax(inputs @ W.T + b, axis=1) @ W) / (2 * l2)
    made = transform(tmp_path, source, kind="centred", weights="bias")
    np.testing.assert_allclose(2 * l2 * inputs, made.vectors, atol=1e-4)


def test_columns_of_the_words_are_kept_and_those_of_the_vectors_are_not(tmp_path: Path) -> None:
    source = layer()
    for config in ({"kind": "centred"}, {"kind": "all_but_the_top"}, {"kind": "pca", "dim": 3}):
        made = transform(tmp_path, source, **config)
        assert set(made.columns) == {"count", "bias", "row"}
        for name, column in made.columns.items():
            assert np.array_equal(column, source.columns[name])
            assert column.dtype == source.columns[name].dtype


def test_provenance_tells_source_and_settings(tmp_path: Path) -> None:
    made = transform(tmp_path, layer(), kind="pca", dim=3).provenance
    assert made["kind"] == "pca"
    assert made["dim"] == 3
    assert made["config"] == {"kind": "pca", "of": "out", "dim": 3}
    assert made["corpus"] == "abc"
    assert made["seed"] == 5
    assert made["source"] == dict(layer().provenance)
    other = transform(tmp_path, make(), kind="pca", dim=3).provenance
    assert other["source_sha256"] != made["source_sha256"]
    assert other["source_provenance_sha256"] == made["source_provenance_sha256"]


@pytest.mark.parametrize("weights", ["count", "bias"])
def test_a_missing_column_is_an_error_that_names_the_space(tmp_path: Path, weights: str) -> None:
    with pytest.raises(LexiscopeError, match=f"'out' has no column '{weights}'.*Take .*uniform"):
        transform(tmp_path, make(), kind="centred", weights=weights)


@pytest.mark.parametrize(
    ("weights", "column", "message"),
    [
        ("bias", [0, np.nan, 1], "no usable value for 'w1'"),
        ("bias", [0, 1, np.inf], "no usable value for 'w2'"),
        ("count", [-1, 1, 1], "no usable value for 'w0'"),
        ("count", [0, 0, 0], "count 0"),
    ],
)
def test_unusable_weights_are_refused(
    tmp_path: Path, weights: str, column: list[float], message: str
) -> None:
    source = make(3, 2, **{weights: np.array(column)})
    with pytest.raises(LexiscopeError, match=message):
        transform(tmp_path, source, kind="centred", weights=weights)


def test_a_large_bias_does_not_overflow(tmp_path: Path) -> None:
    source = make(3, 2, bias=np.array([2000.0, 0.0, -2000.0]))
    made = transform(tmp_path, source, kind="centred", weights="bias")
    np.testing.assert_allclose(made.vectors, source.vectors - source.vectors[0], atol=1e-6)


@pytest.mark.parametrize("components", [None, 3])
def test_all_but_the_top_is_what_scikit_learn_leaves(tmp_path: Path, components: int | None) -> None:
    source = make()
    made = transform(tmp_path, source, kind="all_but_the_top", components=components)
    n_removed = components or 1
    reference = PCA(n_removed, svd_solver="full").fit(source.vectors.astype(np.float64))
    centred = source.vectors - reference.mean_
    expected = centred - reference.inverse_transform(reference.transform(source.vectors)) + reference.mean_
    np.testing.assert_allclose(made.vectors, expected, atol=1e-5)
    assert made.provenance["components_removed"] == n_removed
    removed = made.provenance["variance_removed"]
    assert removed == pytest.approx(reference.explained_variance_ratio_.sum(), rel=1e-9)


def test_a_hundredth_of_the_dimensions_is_removed_by_default(tmp_path: Path) -> None:
    made = transform(tmp_path, make(300, 260), kind="all_but_the_top")
    assert made.provenance["components_removed"] == 3


def test_pca_is_that_of_scikit_learn_but_for_signs(tmp_path: Path) -> None:
    source = make()
    made = transform(tmp_path, source, kind="pca", dim=4)
    reference = PCA(4, svd_solver="full").fit(source.vectors.astype(np.float64))
    expected = reference.transform(source.vectors.astype(np.float64))
    signs = np.sign((expected * made.vectors).sum(axis=0))
    np.testing.assert_allclose(made.vectors, expected * signs, atol=1e-5)
    axes = reference.components_ * signs[:, None]
    assert (axes[np.arange(4), np.abs(axes).argmax(axis=1)] > 0).all()
    kept = reference.explained_variance_ratio_.sum()
    assert made.provenance["variance_kept"] == pytest.approx(kept, rel=1e-9)


def test_all_components_keep_all_distances(tmp_path: Path) -> None:
    source = make(40, 6)
    made = transform(tmp_path, source, kind="pca", dim=6)
    for other in range(1, 40):
        before = np.linalg.norm(source.vectors[0] - source.vectors[other])
        assert np.linalg.norm(made.vectors[0] - made.vectors[other]) == pytest.approx(before, rel=1e-5)
    assert made.provenance["variance_kept"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("n_words", "dim", "config", "remedy"),
    [
        (50, 6, {"kind": "pca", "dim": 7}, "at most 6"),
        (5, 6, {"kind": "pca", "dim": 5}, "at most 4"),
        (50, 6, {"kind": "all_but_the_top", "components": 6}, "at most 5"),
        (50, 1, {"kind": "all_but_the_top"}, "larger space"),
        (1, 6, {"kind": "pca", "dim": 1}, "at least 2"),
        (0, 6, {"kind": "centred"}, "at least 1"),
    ],
)
def test_more_components_than_there_are_are_refused(
    tmp_path: Path, n_words: int, dim: int, config: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(LexiscopeError, match=remedy):
        transform(tmp_path, make(n_words, dim), **config)


def test_equal_vectors_have_no_share_of_variance(tmp_path: Path) -> None:
    source = EmbeddingSpace(("a", "b", "c"), np.ones((3, 2), dtype=np.float32))
    made = transform(tmp_path, source, kind="pca", dim=1)
    assert made.provenance["variance_kept"] is None
    assert not made.vectors.any()


@pytest.mark.parametrize(
    "config", [{"kind": "centred"}, {"kind": "all_but_the_top"}, {"kind": "pca", "dim": 9}]
)
def test_bytes_do_not_depend_on_threads(tmp_path: Path, config: dict[str, Any]) -> None:
    source = make(500, 40)
    content = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            transform(tmp_path, source, **config)
        content.append((tmp_path / "made.safetensors").read_bytes())
    assert content[0] == content[1]


@pytest.mark.parametrize(
    "config", [{"kind": "centred"}, {"kind": "all_but_the_top"}, {"kind": "pca", "dim": 5}]
)
def test_blocks_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    whole = transform(tmp_path, make(), **config)
    monkeypatch.setattr(transforms, "BLOCK_ROWS", 7)
    np.testing.assert_allclose(transform(tmp_path, make(), **config).vectors, whole.vectors, atol=1e-5)
