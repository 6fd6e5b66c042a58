"""Damaged, hostile and mistaken archives of documents: one clear error each, and nothing written."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiscope.data.archives import read_members
from lexiscope.data.receipt import Receipt, ReceiptFile
from lexiscope.domains.documents import Document, read_dataset, read_files
from lexiscope.errors import LexiscopeError

MESSAGE = b"Subject: x\n\n" + b"The quick brown fox jumps over the lazy dog.\n" * 200
NAME = "20news-18828/sci.med/%d"


def tar_of(*entries: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for entry, content in entries:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/hostname"
    return info


def read(folder: Path, content: bytes, key: str = "20newsgroups") -> list[Document]:
    (folder / "a.tar.gz").write_bytes(content)
    receipt = Receipt(key, "mirror", str(folder), (ReceiptFile("a.tar.gz", "archive", "", 0),))
    return list(read_dataset(receipt, Counter()))


def test_a_truncated_archive_is_an_error_wherever_it_ends(tmp_path: Path) -> None:
    whole = tar_of(*((NAME % number, MESSAGE + bytes(str(number), "ascii")) for number in range(20)))
    assert len(read(tmp_path, whole)) == 20
    for stop in (0, 1, 15, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        with pytest.raises(LexiscopeError, match="damaged"):
            read(tmp_path, whole[:stop])


def test_a_changed_byte_is_an_error(tmp_path: Path) -> None:
    whole = bytearray(tar_of((NAME % 1, MESSAGE)))
    whole[-6] ^= 0xFF  # in the checksum of the gzip stream
    with pytest.raises(LexiscopeError, match="damaged"):
        read(tmp_path, bytes(whole))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_is_not_followed(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(LexiscopeError, match="no regular file"):
        read(tmp_path, tar_of((NAME % 1, MESSAGE), (special(NAME % 2, kind), b"")))


def test_a_folder_with_a_number_for_a_name_is_no_message(tmp_path: Path) -> None:
    content = tar_of((special(NAME % 1, tarfile.DIRTYPE), b""), (NAME % 2, MESSAGE))
    assert len(read(tmp_path, content)) == 1


def test_a_path_out_of_the_archive_is_only_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    assert len(read(folder, tar_of(("../../../sci.med/1", MESSAGE), ("/etc/sci.med/2", MESSAGE)))) == 2
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.tar.gz"]


def test_the_same_message_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="twice"):
        read(tmp_path, tar_of((NAME % 1, MESSAGE), ("./" + NAME % 1, MESSAGE)))


def test_bombs_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(tar_of(*((NAME % number, bytes(1000)) for number in range(5))))

    def total(max_bytes: int, max_total_bytes: int) -> int:
        found = read_members(archive, lambda _: True, max_bytes=max_bytes, max_total_bytes=max_total_bytes)
        return sum(len(content) for _, content in found)

    assert total(1000, 5000) == 5000
    with pytest.raises(LexiscopeError, match="over the limit of 999"):
        total(999, 5000)
    with pytest.raises(LexiscopeError, match="more than the limit of 4999"):
        total(1000, 4999)


def test_a_zip_archive_that_lies_about_a_size_is_an_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(NAME % 1, MESSAGE)
    content = buffer.getvalue()
    assert len(read(tmp_path, content)) == 1
    size = len(MESSAGE).to_bytes(4, "little")
    lying = content.replace(size, (len(MESSAGE) - 5).to_bytes(4, "little"))
    assert lying != content
    with pytest.raises(LexiscopeError):
        read(tmp_path, lying)


@pytest.mark.parametrize(
    ("key", "content", "problem"),
    [
        ("20newsgroups", tar_of(("README", b"x")), "no messages in folders"),
        ("20newsgroups", b"no archive at all", "damaged or of an unknown kind"),
        ("reuters21578", tar_of(("reuters/training/1", b"x")), "no reut2"),
        ("reuters21578", tar_of(("reut2-000.sgm", b"<html>")), "no reut2"),
        ("ag-news", tar_of(("AA", b"x")), "cannot be read as documents"),
    ],
    # An archive holds the time it was made, by which the processes of a test run would differ.
    ids=["no messages", "no archive", "no reut2 file", "no documents in it", "no news"],
)
def test_what_is_no_such_archive_is_told(tmp_path: Path, key: str, content: bytes, problem: str) -> None:
    with pytest.raises(LexiscopeError, match=problem):
        read(tmp_path, content, key)


def test_an_unfinished_news_item_is_left_out(tmp_path: Path) -> None:
    item = b'<REUTERS LEWISSPLIT="TRAIN"><TOPICS></TOPICS><BODY>Text.</BODY></REUTERS>'
    assert len(read(tmp_path, tar_of(("reut2-000.sgm", item + item[:-3])), "reuters21578")) == 1


def test_text_outside_an_article_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "AA.txt").write_text("plain text\n")
    receipt = Receipt("enwiki-extracts", "mirror", str(tmp_path), (ReceiptFile("AA.txt", "train", "", 0),))
    with pytest.raises(LexiscopeError, match="WikiExtractor"):
        list(read_dataset(receipt, Counter()))


@pytest.mark.parametrize(
    ("name", "write", "problem"),
    [
        ("a.txt", lambda path: None, "no such file"),
        ("a.txt", lambda path: path.write_text("x", encoding="utf-16"), "UTF-16"),
        ("a.txt.gz", lambda path: path.write_bytes(b"\x1f\x8b\x08\x00junk"), "damaged"),
    ],
)
def test_a_bad_file_of_the_users_is_an_error(
    tmp_path: Path, name: str, write: Callable[[Path], object], problem: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(LexiscopeError, match=problem):
        list(read_files([tmp_path / name], Counter()))
