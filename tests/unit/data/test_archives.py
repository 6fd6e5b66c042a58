from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lexiscope.data.archives import extract_members
from lexiscope.errors import LexiscopeError

TEXT = b"the cat sat\n" * 5000
Entry = tuple[str, bytes] | tarfile.TarInfo


def make_tar(path: Path, *entries: Entry) -> Path:
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
                continue
            member = tarfile.TarInfo(entry[0])
            member.size = len(entry[1])
            tar.addfile(member, io.BytesIO(entry[1]))
    return path


def make_zip(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries:
            packed.writestr(name, content)
    return path


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "make"), [("a.tar.gz", make_tar), ("a.tar", make_tar), ("a.zip", make_zip), ("odd", make_tar)]
)
def test_only_the_listed_members_come_out(
    tmp_path: Path, folder: Path, name: str, make: Callable[..., Path]
) -> None:
    archive = make(tmp_path / name, ("x/one.txt", TEXT), ("x/two.txt", b"2"), ("../evil.txt", b"bad"))
    extract_members(archive, {"x/one.txt": "deep/er/1.txt"}, folder)
    assert everything(folder) == {"deep/er/1.txt": TEXT}
    assert not (tmp_path / "evil.txt").exists()


def test_a_leading_dot_in_member_names_is_no_difference(tmp_path: Path, folder: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("./x/one.txt", TEXT))
    extract_members(archive, {"x/one.txt": "1.txt"}, folder)
    assert everything(folder) == {"1.txt": TEXT}


def test_an_empty_member_is_an_empty_file(tmp_path: Path, folder: Path) -> None:
    extract_members(make_tar(tmp_path / "a.tar.gz", ("x", b"")), {"x": "x"}, folder)
    assert everything(folder) == {"x": b""}


@pytest.mark.parametrize(
    "evil",
    [
        link("x", "/etc/passwd"),
        link("x", "y", tarfile.LNKTYPE),
        link("x", "", tarfile.DIRTYPE),
        link("x", "", tarfile.FIFOTYPE),
        link("x", "", tarfile.CHRTYPE),
    ],
    ids=["symlink", "hard link", "directory", "fifo", "device"],
)
def test_whatever_is_no_regular_file_is_refused(
    tmp_path: Path, folder: Path, evil: tarfile.TarInfo
) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("y", TEXT), evil)
    with pytest.raises(LexiscopeError, match="link or no regular file"):
        extract_members(archive, {"y": "y", "x": "x"}, folder)
    assert everything(folder) == {}


def test_a_symlink_in_a_zip_is_refused(tmp_path: Path, folder: Path) -> None:
    member = zipfile.ZipInfo("x")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(LexiscopeError, match="link or no regular file"):
        extract_members(make_zip(tmp_path / "a.zip", (member, b"/etc/passwd")), {"x": "x"}, folder)


def test_a_link_in_the_archive_cannot_redirect_a_member_behind_it(tmp_path: Path, folder: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = make_tar(tmp_path / "a.tar.gz", link("d", str(outside)), ("d/x", TEXT))
    extract_members(archive, {"d/x": "d/x"}, folder)
    assert everything(folder) == {"d/x": TEXT}
    assert everything(outside) == {}


@pytest.mark.parametrize("place", ["../x", "/tmp/lexiscope-evil", "a/../../x", "way/x"])
def test_no_place_outside_the_folder_is_written(tmp_path: Path, folder: Path, place: str) -> None:
    (folder / "way").symlink_to(tmp_path)
    archive = make_tar(tmp_path / "a.tar.gz", ("x", TEXT))
    with pytest.raises(LexiscopeError, match="outside the folder"):
        extract_members(archive, {"x": place}, folder)
    assert not (tmp_path / "x").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("name", "make"), [("a.tar.gz", make_tar), ("a.zip", make_zip)])
def test_a_member_that_occurs_twice_is_refused(
    tmp_path: Path, folder: Path, name: str, make: Callable[..., Path]
) -> None:
    archive = make(tmp_path / name, ("x", b"good"), ("x", b"evil"))
    with pytest.raises(LexiscopeError, match="'x' occurs twice"):
        extract_members(archive, {"x": "x"}, folder)
    assert everything(folder) == {}


@pytest.mark.parametrize(("name", "make"), [("a.tar.gz", make_tar), ("a.zip", make_zip)])
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, folder: Path, name: str, make: Callable[..., Path]
) -> None:
    archive = make(tmp_path / name, ("x", b"\0" * 3_000_000))
    assert archive.stat().st_size < 30_000
    with pytest.raises(LexiscopeError, match="unpacks to 3000000 bytes, over the limit of 1000"):
        extract_members(archive, {"x": "x"}, folder, max_bytes=1000)
    assert everything(folder) == {}


def test_a_missing_member_is_named_and_nothing_is_written(tmp_path: Path, folder: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("x", TEXT))
    with pytest.raises(LexiscopeError, match=r"a\.tar\.gz: the archive has no 'z' \(1 missing\)"):
        extract_members(archive, {"x": "x", "z": "z"}, folder)
    assert everything(folder) == {}


@pytest.mark.parametrize("damage", ["cut", "flipped", "no archive", "empty"])
@pytest.mark.parametrize(("name", "make"), [("a.tar.gz", make_tar), ("a.zip", make_zip)])
def test_a_damaged_archive_leaves_no_file(
    tmp_path: Path, folder: Path, name: str, make: Callable[..., Path], damage: str
) -> None:
    noise = bytes((i * i * 7919 >> 5) % 251 for i in range(40_000))
    archive = make(tmp_path / name, ("x", noise))
    content = bytearray(archive.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 0xFF
    elif damage == "no archive":
        content = bytearray(b"<html>not found</html>")
    else:
        content = bytearray()
    archive.write_bytes(content)
    with pytest.raises(LexiscopeError):
        extract_members(archive, {"x": "x"}, folder)
    assert everything(folder) == {}


def test_an_encrypted_zip_is_an_error_a_user_can_read(tmp_path: Path, folder: Path) -> None:
    archive = make_zip(tmp_path / "a.zip", ("x", TEXT))
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1  # the flag that says: encrypted
    archive.write_bytes(content)
    with pytest.raises(LexiscopeError, match="password"):
        extract_members(archive, {"x": "x"}, folder)


def test_a_check_that_fails_keeps_the_file_out(tmp_path: Path, folder: Path) -> None:
    archive = make_tar(tmp_path / "a.tar.gz", ("x", TEXT))

    def check(member: str, path: Path) -> None:
        assert (member, path.read_bytes()) == ("x", TEXT)
        raise LexiscopeError("wrong")

    with pytest.raises(LexiscopeError, match="wrong"):
        extract_members(archive, {"x": "x"}, folder, check=check)
    assert everything(folder) == {}


def test_a_gzip_file_of_no_tar_is_an_error(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(TEXT))
    with pytest.raises(LexiscopeError, match="damaged or of an unknown kind"):
        extract_members(path, {"x": "x"}, folder)
