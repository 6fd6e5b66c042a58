"""Downloads against a server on this machine that misbehaves to order."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lexiscope.data import prepare
from lexiscope.data.catalogue import Catalogue, Dataset, Remote
from lexiscope.data.download import Patience, fetch_dataset, fetch_file
from lexiscope.data.prepare import prepare_dataset
from lexiscope.data.receipt import read_receipt
from lexiscope.errors import LexiscopeError

CONTENT = b"one two three\n" * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(attempts=4, first_pause=0.0, timeout=5.0)


class Server(ThreadingHTTPServer):
    """Serves ``pages``: for each path the answers to give in turn; the last one is given for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, list[Any]] = {}
        self.asked: Counter[str] = Counter()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def serve(self, path: str, *answers: Any) -> str:
        self.pages[path] = list(answers)
        return self.url(path)


class Handler(BaseHTTPRequestHandler):
    """An answer is a status, a body, or ``("cut", body, length or None)`` for one that breaks off."""

    def do_GET(self) -> None:
        server: Any = self.server
        path = self.path.removeprefix("/")
        server.asked[path] += 1
        answers = server.pages.get(path, [404])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, int):
            self.send_error(answer)
            return
        body, length = (answer, len(answer)) if isinstance(answer, bytes) else answer[1:]
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        # A careless server would compress this if it were allowed to.
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def facts(*urls: Any, **known: Any) -> Remote:
    return Remote.model_validate({"urls": urls, "sha256": SHA256} | known)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_whole(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "deep/er/file.txt"
    fetch_file(facts(server.serve("a", CONTENT), bytes=len(CONTENT)), target, QUICK)
    assert target.read_bytes() == CONTENT
    assert left_behind(tmp_path) == ["file.txt"]


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("sha512", hashlib.sha512(CONTENT).hexdigest()),
        ("sha1", hashlib.sha1(CONTENT).hexdigest()),
        ("git_blob", hashlib.sha1(b"blob %d\0%b" % (len(CONTENT), CONTENT)).hexdigest()),
        ("md5", hashlib.md5(CONTENT).hexdigest()),
    ],
)
def test_any_known_kind_of_hash_is_checked(
    server: Server, tmp_path: Path, algorithm: str, value: str
) -> None:
    good, bad = server.serve("good", CONTENT), server.serve("bad", CONTENT + b"x")
    fetch_file(facts(good, sha256=None, **{algorithm: value}), tmp_path / "file", QUICK)
    with pytest.raises(LexiscopeError, match=f"expected {value}, got "):
        fetch_file(facts(bad, sha256=None, **{algorithm: value}), tmp_path / "other", QUICK)
    assert left_behind(tmp_path) == ["file"]


def test_a_wrong_hash_is_told_in_full_and_not_tried_again(server: Server, tmp_path: Path) -> None:
    wrong = b"something else\n"
    url = server.serve("a", wrong)
    target = tmp_path / "file.txt"
    with pytest.raises(LexiscopeError) as caught:
        fetch_file(facts(url), target, QUICK)
    message = str(caught.value)
    for part in (str(target), url, f"expected {SHA256}", f"got {hashlib.sha256(wrong).hexdigest()}"):
        assert part in message
    assert server.asked["a"] == 1
    assert left_behind(tmp_path) == []


def test_a_wrong_file_never_replaces_the_one_that_is_there(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_bytes(b"old")
    with pytest.raises(LexiscopeError):
        fetch_file(facts(server.serve("a", b"wrong")), target, QUICK)
    assert target.read_bytes() == b"old"


def test_the_next_address_has_its_turn(server: Server, tmp_path: Path) -> None:
    urls = [server.url("gone"), server.serve("wrong", b"x"), server.serve("right", CONTENT)]
    fetch_file(facts(*urls), tmp_path / "file", QUICK)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == {"gone": 1, "wrong": 1, "right": 1}


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    fetch_file(facts(server.serve("a", 500, 503, CONTENT)), tmp_path / "file", QUICK)
    assert server.asked["a"] == 3


def test_patience_ends(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"answers 500 Internal Server Error \(4 attempts\)"):
        fetch_file(facts(server.serve("a", 500)), tmp_path / "file", QUICK)
    assert server.asked["a"] == 4


def test_pauses_grow(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with pytest.raises(LexiscopeError):
        fetch_file(facts(server.serve("a", 503)), tmp_path / "file", Patience(4, first_pause=1.5))
    assert pauses == [1.5, 3.0, 6.0]


def test_a_body_that_breaks_off_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    half = CONTENT[: len(CONTENT) // 2]
    stated = server.serve("a", ("cut", half, len(CONTENT)), CONTENT)
    fetch_file(facts(stated), tmp_path / "a", QUICK)
    assert server.asked["a"] == 2
    unstated = server.serve("b", ("cut", half, None), CONTENT)
    fetch_file(facts(unstated, bytes=len(CONTENT)), tmp_path / "b", QUICK)
    assert server.asked["b"] == 2
    always = server.serve("c", ("cut", half, None))
    with pytest.raises(LexiscopeError, match=f"broke off after {len(half)} of {len(CONTENT)} bytes"):
        fetch_file(facts(always, bytes=len(CONTENT)), tmp_path / "c", QUICK)
    assert left_behind(tmp_path) == ["a", "b"]


def test_an_endless_body_is_cut_short(server: Server, tmp_path: Path) -> None:
    url = server.serve("a", CONTENT * 40)
    with pytest.raises(LexiscopeError, match="wrong size: more than the 1000 bytes"):
        fetch_file(facts(url, bytes=1000), tmp_path / "a", QUICK)
    assert server.asked["a"] == 1


def test_nobody_listening_is_a_network_error(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match=r"ConnectionError.*\(2 attempts\)"):
        fetch_file(facts("http://127.0.0.1:1/x"), tmp_path / "a", Patience(2, first_pause=0))


def test_a_malformed_address_is_not_tried_again(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LexiscopeError, match="InvalidURL"):
        fetch_file(facts("no address"), tmp_path / "a", Patience(3, first_pause=60))


def test_dead_links_are_never_tried(server: Server, tmp_path: Path) -> None:
    dead = {"url": server.serve("dead", CONTENT), "dead": True}
    with pytest.raises(LexiscopeError, match="no address is known"):
        fetch_file(facts(dead), tmp_path / "a", QUICK)
    fetch_file(facts(dead, server.serve("b", CONTENT)), tmp_path / "a", QUICK)
    assert server.asked == {"b": 1}


def test_a_file_without_a_known_hash_is_kept_with_a_warning(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lexiscope"):
        fetch_file(facts(server.serve("a", CONTENT), sha256=None), tmp_path / "a", QUICK)
    assert f"no checksum is published; got SHA-256 {SHA256}" in caplog.text


# Datasets ----------------------------------------------------------------------------------------------


def tar_of(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(f"top/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def dataset(files: list[dict[str, Any]], **archives: dict[str, Any]) -> Dataset:
    return Dataset.model_validate(
        {
            "key": "toy",
            "title": "Toy",
            "kind": "transfer",
            "size": "",
            "licence": "",
            "citation": [],
            "files": files,
            "archives": archives,
        }
    )


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_dataset_is_fetched_once_and_then_found(server: Server, tmp_path: Path) -> None:
    entry = dataset(
        [{"path": "toy/a", "role": "x", "urls": [server.serve("a", CONTENT)], "sha256": SHA256}]
    )
    fetch_dataset(entry, tmp_path, QUICK)
    fetch_dataset(entry, tmp_path, QUICK)
    assert server.asked["a"] == 1
    assert (tmp_path / "toy/a").read_bytes() == CONTENT


def test_a_file_that_has_been_changed_is_fetched_again(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = dataset(
        [{"path": "toy/a", "role": "x", "urls": [server.serve("a", CONTENT)], "sha256": SHA256}]
    )
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/a").write_bytes(b"changed")
    with caplog.at_level(logging.WARNING, "lexiscope"):
        fetch_dataset(entry, tmp_path, QUICK)
    assert (tmp_path / "toy/a").read_bytes() == CONTENT
    assert "it is fetched again" in caplog.text


def test_an_archive_is_fetched_once_unpacked_and_removed(server: Server, tmp_path: Path) -> None:
    packed = tar_of(n01=b"1\n", n02=b"2\n", other=b"3\n")
    url = server.serve("a.tgz", packed)
    entry = dataset(
        [
            {"path": "toy/n{01..02}", "role": "x", "archive": "a.tgz", "member": "top/n{01..02}"},
            {
                "path": "toy/o",
                "role": "y",
                "archive": "a.tgz",
                "member": "top/other",
                "sha256": sha(b"3\n"),
            },
        ],
        **{"a.tgz": {"urls": [url], "sha256": sha(packed)}},
    )
    fetch_dataset(entry, tmp_path, QUICK)
    assert left_behind(tmp_path) == ["n01", "n02", "o"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy"]
    fetch_dataset(entry, tmp_path, QUICK)
    assert server.asked["a.tgz"] == 1


def test_a_member_that_is_not_the_catalogued_file_is_refused(server: Server, tmp_path: Path) -> None:
    url = server.serve("a.tgz", tar_of(x=b"evil\n"))
    entry = dataset(
        [{"path": "toy/x", "role": "x", "archive": "a.tgz", "member": "top/x", "sha256": sha(b"good\n")}],
        **{"a.tgz": {"urls": [url]}},
    )
    with pytest.raises(LexiscopeError) as caught:
        fetch_dataset(entry, tmp_path, QUICK)
    for part in ("a.tgz", "top/x", sha(b"good\n"), sha(b"evil\n")):
        assert part in str(caught.value)
    assert not (tmp_path / "toy/x").exists()


def test_the_archive_stands_in_where_a_files_own_addresses_fail(server: Server, tmp_path: Path) -> None:
    url = server.serve("a.tgz", tar_of(x=CONTENT))
    entry = dataset(
        [
            {
                "path": "toy/x",
                "role": "x",
                "urls": [server.url("gone")],
                "sha256": SHA256,
                "archive": "a.tgz",
                "member": "top/x",
            }
        ],
        **{"a.tgz": {"urls": [url]}},
    )
    fetch_dataset(entry, tmp_path, QUICK)
    assert (tmp_path / "toy/x").read_bytes() == CONTENT
    assert server.asked == {"gone": 1, "a.tgz": 1}


def test_what_has_no_address_is_told_unless_it_is_optional(server: Server, tmp_path: Path) -> None:
    fetch_dataset(dataset([{"path": "toy/x", "role": "x", "optional": True}]), tmp_path, QUICK)
    with pytest.raises(LexiscopeError, match="'toy/x' of dataset 'toy' cannot be downloaded: no address"):
        fetch_dataset(dataset([{"path": "toy/x", "role": "x"}]), tmp_path, QUICK)


def test_a_gz_file_arrives_as_it_is(server: Server, tmp_path: Path) -> None:
    """The server of these tests claims a compressed transfer to whoever accepts one."""

    packed = gzip.compress(CONTENT)
    url = server.serve("v.gz", packed)
    entry = dataset([{"path": "toy/v.gz", "role": "x", "urls": [url], "sha256": sha(packed)}])
    fetch_dataset(entry, tmp_path, QUICK)
    assert (tmp_path / "toy/v.gz").read_bytes() == packed


def test_prepare_downloads_and_writes_the_receipt(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = dataset(
        [{"path": "toy/a", "role": "x", "urls": [server.serve("a", CONTENT)], "sha256": SHA256}]
    )
    monkeypatch.setattr(prepare, "load_catalogue", lambda: Catalogue({"toy": entry}))
    root, receipt = tmp_path / "root", tmp_path / "receipt.json"
    prepare_dataset(dataset="toy", source="download", root=root, receipt=receipt)
    (file,) = read_receipt(receipt).files
    assert (file.path, file.role, file.sha256, file.bytes) == ("toy/a", "x", SHA256, len(CONTENT))
