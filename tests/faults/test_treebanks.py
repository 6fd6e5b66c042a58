"""Every fault of a treebank file is an error that says where, never a crash and never silence."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from lexiscope.errors import LexiscopeError
from lexiscope.probes import treebanks
from lexiscope.probes.build import build_probe
from lexiscope.probes.treebanks import PARTS, TreebankFile, files_by_name, read_texts

WORD = "1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n\n"
TREE = "(S (VP (VB Go)))\n"


def texts_of(path: Path, format_: str = "brackets") -> dict[str, str]:
    return {
        text.name: "\n".join(line for _, line in text.lines)
        for text in read_texts([TreebankFile(path)], format_)
    }


def build(folder: Path, path: Path) -> None:
    build_probe(
        receipt=None,
        files=[path],
        config={"files": [str(path)]},
        seed=1,
        output=folder / "out",
        receipt_output=folder / "out.json",
        name="bad",
    )


def assert_refused(folder: Path, name: str, content: bytes, message: str, line: int | None = None) -> None:
    path = folder / name
    path.write_bytes(content)
    with pytest.raises(LexiscopeError, match=message) as caught:
        build(folder, path)
    assert caught.value.line == line
    assert not (folder / "out").exists()


CONLLU_FAULTS = {
    "not UTF-8": (WORD.encode() + b"1\tcaf\xe9\t_\n", "not UTF-8 .byte 0xe9.. Convert", 3),
    "UTF-16": (WORD.encode("utf-16"), "not UTF-8", 1),
    "spaces for tabs": (WORD.replace("\t", " ").encode(), "1 columns with tabs", 1),
    "cut off": (WORD.encode() + b"1\tGo\tgo", "3 columns with tabs", 3),
    "a web page": (b"<!DOCTYPE html>\n<html>\n", "1 columns with tabs", 1),
    "no root": (WORD.replace("\t0\t", "\t1\t").encode(), "0 roots", 1),
    "no blank line between sentences": ((WORD.strip() + "\n" + WORD).encode(), "word 1 comes where", 2),
    "empty": (b"", "there is no sentence to make probes of .none read", None),
    "comments alone": (b"# newdoc\n\n# text = x\n", "there is no sentence to make probes of", None),
    "short sentences alone": (WORD.encode(), "shorter or longer than asked for: 1", None),
}  # fmt: skip


@pytest.mark.parametrize("fault", CONLLU_FAULTS)
def test_faults_of_conllu(tmp_path: Path, fault: str) -> None:
    content, message, line = CONLLU_FAULTS[fault]
    assert_refused(tmp_path, "bad.conllu", content, message, line)


BRACKET_FAULTS = {
    "not UTF-8": (TREE.encode() + b"(S (NN caf\xe9))\n", "not UTF-8", 2),
    "never closed": (
        (TREE + "(S (VB Go)\n" + TREE).encode(),
        "the tree that begins here is never closed",
        2,
    ),
    "closed twice": ((TREE + "(VB Go))\n").encode(), "never opened", 2),
    "plain text": (b"The cat sat.\n", "'The' stands outside of all brackets", 1),
    "a bomb of brackets": (b"(" * 100_000, "deeper than", 1),
    "empty": (b"\n\n", "none read", None),
}


@pytest.mark.parametrize("fault", BRACKET_FAULTS)
def test_faults_of_brackets(tmp_path: Path, fault: str) -> None:
    content, message, line = BRACKET_FAULTS[fault]
    assert_refused(tmp_path, "bad.mrg", content, message, line)


def test_a_packed_file_that_is_cut_off(tmp_path: Path) -> None:
    packed = gzip.compress((TREE * 5000).encode())
    assert_refused(tmp_path, "bad.mrg.gz", packed[: len(packed) // 2], "damaged")


def test_a_packed_file_that_is_none(tmp_path: Path) -> None:
    assert_refused(tmp_path, "bad.mrg.gz", TREE.encode(), "damaged or of an unknown kind")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="no such file"):
        build(tmp_path, tmp_path / "gone.mrg")


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.mrg").write_bytes(b"\xef\xbb\xbf" + TREE.replace("\n", "\r\n").encode())
    assert texts_of(tmp_path / "a.mrg") == {"a.mrg": TREE.rstrip()}


# Archives -------------------------------------------------------------------------------------------------


def tar_of(path: Path, members: dict[str, bytes], link: str | None = None) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    return path


def test_an_archive_is_read_where_it_lies(tmp_path: Path) -> None:
    members = {
        "x/a.ptb": TREE.encode(),
        "x/README.txt": b"not a tree",
        "../b.mrg": b"(NN b)",
        "x/c.conllu": b"",
    }
    path = tar_of(tmp_path / "a.tar.gz", members, link="x/passwd.ptb")
    assert texts_of(path) == {"a.ptb": TREE.rstrip(), "b.mrg": "(NN b)"}
    assert [file.name for file in tmp_path.rglob("*")] == ["a.tar.gz"]
    assert texts_of(path, "conllu") == {"c.conllu": ""}


def test_a_zip_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("treebank/combined/wsj_0001.mrg", TREE)
        packed.writestr("treebank/parsed/wsj_0001.prd", "(other")
    assert texts_of(tmp_path / "a.zip") == {"wsj_0001.mrg": TREE.rstrip()}


def test_an_error_in_an_archive_names_the_member(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar.gz", {"good.mrg": TREE.encode(), "bad.mrg": b"(NN b)\n\xff"})
    with pytest.raises(LexiscopeError, match=r"a\.tar\.gz:bad\.mrg:2: not UTF-8"):
        texts_of(path)


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_a_damaged_archive(tmp_path: Path, keep: float) -> None:
    content = "".join(f"(S (NN word{number * 7919 % 10_007}))\n" for number in range(3000)).encode()
    path = tar_of(tmp_path / "a.tar.gz", {"a.mrg": content, "b.mrg": content})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(LexiscopeError, match="damaged"):
        texts_of(path)


def test_a_damaged_member_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.mrg", TREE * 100)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"Go", b"Ga", 1))
    with pytest.raises(LexiscopeError, match=r"damaged.*CRC"):
        texts_of(tmp_path / "a.zip")


def test_a_member_larger_than_any_treebank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treebanks, "MAX_TEXT_BYTES", 10)
    with pytest.raises(LexiscopeError, match="over the limit"):
        texts_of(tar_of(tmp_path / "a.tar.gz", {"a.mrg": TREE.encode()}))


# Parts by name --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["en-ud-train.conllu", "en-ud-dev.conllu", "en-ud-test.conllu"], ["tr", "va", "te"]),
        (["test.mrg", "train.mrg.gz", "valid.mrg"], ["te", "tr", "va"]),
        (["x_TRAIN_1.ptb", "x_train_2.ptb", "x_dev.ptb", "x_test.ptb"], ["tr", "tr", "va", "te"]),
        (["en-ud-train.conllu", "en-ud-test.conllu"], [None, None]),
        (["en-ud-train.conllu", "en-ud-dev.conllu", "en-ud-test.conllu", "more.conllu"], [None] * 4),
        (["training.mrg", "developer.mrg", "contest.mrg"], [None] * 3),
    ],
)
def test_parts_by_name_are_all_three_or_none(names: list[str], expected: list[str | None]) -> None:
    assert [file.part for file in files_by_name(map(Path, names))] == expected
    assert set(expected) <= {*PARTS, None}
