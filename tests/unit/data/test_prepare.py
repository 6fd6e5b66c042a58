from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from lexiscope.data import prepare
from lexiscope.data.catalogue import Catalogue, Dataset, load_catalogue
from lexiscope.data.checksums import read_content
from lexiscope.data.prepare import dataset_inputs, prepare_dataset
from lexiscope.data.receipt import Receipt, read_receipt, write_receipt
from lexiscope.errors import LexiscopeError
from lexiscope.files import open_binary

PAIRS = b"sun\tsunlight\t50.0\n"
TRAIN = b" the cat sat \n" * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def toy(key: str, kind: str, files: list[dict[str, object]], **more: object) -> Dataset:
    facts = {
        "key": key,
        "title": key,
        "kind": kind,
        "size": "",
        "licence": "",
        "citation": [],
        "files": files,
    }
    return Dataset.model_validate(facts | more)


def corpus(key: str, files: list[dict[str, object]], **more: object) -> Dataset:
    return toy(key, "corpus", files, reader="text", tokenised=True, casing="lower", **more)


TOYS = [
    toy(
        "pairs",
        "word_similarity",
        [{"path": "sim/EN.txt", "role": "pairs", "sha256": sha256(PAIRS)}],
        miniature=True,
    ),
    corpus(
        "text",
        [
            {
                "path": "text/train.txt",
                "role": "train",
                "git_blob": git_blob(TRAIN),
                "urls": ["http://a/train.txt"],
            },
            {"path": "text/more.txt", "role": "train", "optional": True},
            {"path": "text/test.txt", "role": "test", "bytes": len(PAIRS)},
        ],
    ),
    corpus(
        "shards",
        [
            {"path": "shards/n-{01..03}-of-04", "role": "train"},
            {"path": "shards/n-00-of-04", "role": "test"},
        ],
        miniature=True,
    ),
    toy(
        "packed",
        "treebank",
        [{"path": "packed/official.tar.gz", "role": "archive", "sha256": sha256(PAIRS)}],
        other_forms=[
            {"name": "raw", "files": [{"path": "packed/raw.txt", "role": "raw"}]},
            {
                "name": "again",
                "mirror": True,
                "files": [{"path": "packed/again.tar.gz", "role": "archive"}],
            },
        ],
    ),
]


@pytest.fixture(autouse=True)
def _toy_catalogue(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "mirror" not in request.keywords:
        catalogue = Catalogue({entry.key: entry for entry in TOYS})
        monkeypatch.setattr(prepare, "load_catalogue", lambda: catalogue)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for name, content in {
        "sim/EN.txt": PAIRS,
        "text/train.txt": TRAIN,
        "text/test.txt": PAIRS,
        "shards/n-00-of-04": b"0\n",
        "shards/n-01-of-04": b"1\n",
        "shards/n-02-of-04": b"2\n",
        "shards/n-03-of-04": b"3\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def prepared(dataset: str, root: Path, source: str = "mirror") -> Receipt:
    path = root.parent / "receipts" / f"{dataset}.json"
    prepare_dataset(dataset=dataset, source=source, root=root, receipt=path)
    return read_receipt(path)


def pack(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def test_a_mirror_gives_a_receipt_in_reading_order(root: Path) -> None:
    receipt = prepared("shards", root)
    assert (receipt.dataset, receipt.source, receipt.root) == ("shards", "mirror", str(root))
    assert [(file.path, file.role) for file in receipt.files] == [
        ("shards/n-01-of-04", "train"),
        ("shards/n-02-of-04", "train"),
        ("shards/n-03-of-04", "train"),
        ("shards/n-00-of-04", "test"),
    ]
    assert receipt.files[0].sha256 == sha256(b"1\n")
    assert [path.read_bytes() for path in receipt.paths("train")] == [b"1\n", b"2\n", b"3\n"]
    assert receipt.paths("valid") == []


def test_a_packed_copy_has_the_receipt_of_the_plain_file(root: Path) -> None:
    plain = prepared("text", root)
    packed = pack(root / "text/train.txt")
    assert dataset_inputs("text", root) == [packed, root / "text/test.txt"]
    receipt = prepared("text", root)
    assert receipt == plain
    assert receipt.path("train") == packed
    with open_binary(receipt.path("train")) as stream:
        assert stream.read() == TRAIN


def test_the_plain_file_is_taken_where_both_are_there(root: Path) -> None:
    (root / "sim/EN.txt.gz").write_bytes(b"rubbish")
    assert dataset_inputs("pairs", root) == [root / "sim/EN.txt"]


def test_an_optional_file_counts_where_it_is_there(root: Path) -> None:
    assert len(prepared("text", root).files) == 2
    (root / "text/more.txt").write_bytes(b"more\n")
    assert [file.path for file in prepared("text", root).files] == [
        "text/train.txt",
        "text/more.txt",
        "text/test.txt",
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_with_another_hash_is_refused(root: Path, packed: bool) -> None:
    path = root / "sim/EN.txt"
    path.write_bytes(PAIRS.replace(b"50", b"51"))
    expected, got = sha256(PAIRS), sha256(path.read_bytes())
    if packed:
        path = pack(path)
    with pytest.raises(LexiscopeError) as caught:
        prepared("pairs", root)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert f"wrong SHA-256: expected {expected}, got {got}" in message
    assert caught.value.remedy is not None
    assert not (root.parent / "receipts/pairs.json").exists()


def test_another_kind_of_hash_is_heeded_and_the_remedy_names_an_address(root: Path) -> None:
    (root / "text/train.txt").write_bytes(TRAIN + b"x")
    with pytest.raises(LexiscopeError, match=r"wrong git blob id.*http://a/train\.txt"):
        prepared("text", root)


def test_the_size_is_checked_where_no_hash_is_known(root: Path) -> None:
    (root / "text/test.txt").write_bytes(PAIRS + b"x")
    with pytest.raises(LexiscopeError, match=f"expected {len(PAIRS)} bytes, got {len(PAIRS) + 1}"):
        prepared("text", root)


def test_a_damaged_packed_copy_is_an_error_with_the_file(root: Path) -> None:
    packed = pack(root / "text/train.txt")
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(LexiscopeError, match=r"train\.txt\.gz: the gzip copy is damaged"):
        prepared("text", root)


def test_git_blob_ids_are_those_of_git(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    content = read_content(path, ["git_blob", "md5"])
    assert content.hashes["git_blob"] == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert content.hashes["md5"] == "b1946ac92492d2347c6235b4d2611184"
    assert read_content(pack(path), ["git_blob"], packed=True).hashes["git_blob"] == (
        "ce013625030ba8dba906f756967f9e9ca394464a"
    )


def test_a_missing_shard_is_named(root: Path) -> None:
    (root / "shards/n-02-of-04").unlink()
    with pytest.raises(LexiscopeError, match="incomplete here; missing: shards/n-02-of-04") as caught:
        dataset_inputs("shards", root)
    assert caught.value.where == str(root)


def test_a_missing_dataset_is_told_with_its_folder_and_the_alternatives(root: Path) -> None:
    for path in (root / "shards").iterdir():
        path.unlink()
    (root / "shards").rmdir()
    with pytest.raises(LexiscopeError) as caught:
        dataset_inputs("shards", root)
    assert str(root / "shards") in caught.value.problem
    assert "use one that is there (text)" in str(caught.value.remedy)
    assert "download" not in str(caught.value.remedy)  # no address is known
    (root / "text/train.txt").unlink()
    with pytest.raises(LexiscopeError) as caught:
        dataset_inputs("shards", root)
    assert "use one" not in str(caught.value.remedy)


def test_a_missing_data_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="nowhere: no such folder"):
        dataset_inputs("pairs", tmp_path / "nowhere")


def test_a_folder_in_place_of_a_file_does_not_count(root: Path) -> None:
    (root / "sim/EN.txt").unlink()
    (root / "sim/EN.txt").mkdir()
    with pytest.raises(LexiscopeError, match=r"missing: sim/EN\.txt"):
        dataset_inputs("pairs", root)


def test_a_mirror_may_hold_another_form_where_the_catalogue_says_so(root: Path) -> None:
    (root / "packed").mkdir()
    (root / "packed/raw.txt").write_bytes(b"raw\n")
    with pytest.raises(LexiscopeError, match=r"missing: packed/official\.tar\.gz"):
        dataset_inputs("packed", root)
    (root / "packed/again.tar.gz").write_bytes(PAIRS)
    assert dataset_inputs("packed", root) == [root / "packed/again.tar.gz"]
    (root / "packed/official.tar.gz").write_bytes(PAIRS)
    receipt = prepared("packed", root)
    assert [file.path for file in receipt.files] == ["packed/official.tar.gz"]


def test_the_miniature_has_hashes_and_numbers_of_shards_of_its_own(root: Path) -> None:
    (root / "sim/EN.txt").write_bytes(b"mifa\tmofu\t3.0\n")
    assert prepared("pairs", root, "miniature").files[0].sha256 == sha256(b"mifa\tmofu\t3.0\n")
    for path in (root / "shards").iterdir():
        path.unlink()
    for number in range(12):
        (root / f"shards/n-{number:02d}-of-12").write_bytes(b"%d\n" % number)
    pack(root / "shards/n-05-of-12")
    receipt = prepared("shards", root, "miniature")
    assert [path.name for path in receipt.paths("test")] == ["n-00-of-12"]
    numbers = [f"n-{number:02d}-of-12" for number in range(1, 12)]
    assert [file.path for file in receipt.files if file.role == "train"] == [f"shards/{n}" for n in numbers]
    assert [path.name.removesuffix(".gz") for path in receipt.paths("train")] == numbers


def test_a_miniature_that_lacks_a_role_or_a_dataset_is_told(root: Path) -> None:
    (root / "sim/EN.txt").unlink()
    with pytest.raises(LexiscopeError, match=r"missing: sim/EN\.txt.*made anew"):
        prepared("pairs", root, "miniature")
    with pytest.raises(LexiscopeError, match="the miniature has no 'text'"):
        prepared("text", root, "miniature")


def test_unknown_sources_and_datasets_are_told(root: Path) -> None:
    with pytest.raises(LexiscopeError, match="no data source is called 'miror'"):
        prepared("pairs", root, "miror")
    with pytest.raises(LexiscopeError, match="Did you mean 'pairs'"):
        prepared("pair", root)


def test_the_receipt_is_the_same_each_time_and_independent_of_the_source(root: Path) -> None:
    first = prepared("pairs", root)
    content = (root.parent / "receipts/pairs.json").read_bytes()
    prepared("pairs", root)
    assert (root.parent / "receipts/pairs.json").read_bytes() == content
    assert prepared("pairs", root, "miniature").sha256 == first.sha256


def test_a_file_gone_since_the_receipt_was_written_is_told(root: Path) -> None:
    receipt = prepared("pairs", root)
    (root / "sim/EN.txt").unlink()
    with pytest.raises(LexiscopeError, match=r"EN\.txt: no such file"):
        receipt.paths("pairs")
    with pytest.raises(LexiscopeError, match="0 files for 'train', one was expected"):
        receipt.path("train")


@pytest.mark.parametrize(
    "content", ["[]", '{"dataset": "x"}', '{"files": [{"path": "x"}]}', '{"files": 3}']
)
def test_what_is_no_receipt_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(content)
    with pytest.raises(LexiscopeError, match="not a dataset receipt"):
        read_receipt(path)


def test_a_receipt_survives_writing_and_reading(root: Path, tmp_path: Path) -> None:
    receipt = prepared("shards", root)
    write_receipt(receipt, tmp_path / "copy.json")
    assert read_receipt(tmp_path / "copy.json") == receipt


@pytest.mark.mirror
def test_every_dataset_of_the_mirror_is_prepared(mirror_root: Path, tmp_path: Path) -> None:
    catalogue = load_catalogue()
    ready = []
    for key in catalogue:
        try:
            inputs = dataset_inputs(key, mirror_root)
        except LexiscopeError:
            continue
        receipt = tmp_path / f"{key}.json"
        prepare_dataset(dataset=key, source="mirror", root=mirror_root, receipt=receipt)
        assert len(read_receipt(receipt).files) == len(inputs)
        ready.append(key)
    assert {*catalogue.of_kind("word_similarity"), "brainbench", "ptb", "wikitext-2"} < set(ready)
    assert {"20newsgroups", "gum", "ag-news", "lm1b-sample", "enwiki-extracts"} < set(ready)
