from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from sklearn.datasets._twenty_newsgroups import (
    strip_newsgroup_footer,
    strip_newsgroup_header,
    strip_newsgroup_quoting,
)

from lexiscope.corpora.segmentation import Segmenter
from lexiscope.data.prepare import take_stock
from lexiscope.data.receipt import Receipt, ReceiptFile
from lexiscope.domains.documents import Document, body_of_message, read_dataset, read_files

MIRROR = Path(os.environ.get("LEXISCOPE_MIRROR", Path(__file__).resolve().parents[4] / "shared" / "data"))

MESSAGE = """From: ann@a.example (Ann)
Subject: Re: brakes
Lines: 9

In article <1@b.example> bob@b.example writes:
> The brakes squeal.
JM> Mine too.

Mine were worn out, and
so I changed them.

They are quiet now.

--
Ann | ann@a.example
"""

SGML = """<!DOCTYPE lewis SYSTEM "lewis.dtd">
<REUTERS TOPICS="YES" LEWISSPLIT="TRAIN" CGISPLIT="TRAINING-SET" OLDID="1" NEWID="1">
<TOPICS><D>grain</D></TOPICS>
<PLACES><D>usa</D></PLACES>
<TEXT>&#2;
<TITLE>WHEAT &lt;W> UP</TITLE>
<DATELINE>    PARIS, March 9 - </DATELINE><BODY>Wheat of &lt;Acme Corp> rose
by a third.
    Maize fell, caf\xe9 owners said.
 REUTER
&#3;</BODY></TEXT>
</REUTERS>
<REUTERS TOPICS="YES" LEWISSPLIT="TEST" NEWID="2">
<TOPICS><D>grain</D><D>corn</D></TOPICS>
<TEXT><BODY>Both fell. A Reuter man said so.
 Reuter
&#3;</BODY></TEXT>
</REUTERS>
<REUTERS TOPICS="NO" LEWISSPLIT="NOT-USED" NEWID="3">
<TOPICS></TOPICS>
<TEXT TYPE="BRIEF"><TITLE>ONLY A HEADLINE</TITLE></TEXT>
</REUTERS>
"""

WIKI = """<doc id="1" url="u" title="Ann &amp; Bob">
Ann &amp; Bob

Ann &amp; Bob is a play.
Plot.
Ann meets <i>Bob</i>.
</doc>
<doc id="2" url="u" title="Empty">
Empty

</doc>
<doc id="3" url="u" title="Short">
Short

It is short.
"""


def dataset(folder: Path, key: str, files: dict[str, bytes], role: str = "archive") -> Receipt:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    listed = tuple(ReceiptFile(name, role, "", len(content)) for name, content in files.items())
    return Receipt(key, "mirror", str(folder), listed)


def packed(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def paragraphs(receipt: Receipt) -> list[tuple[str, ...]]:
    return [document.paragraphs for document in read_dataset(receipt, Counter())]


def test_of_a_message_only_the_authors_own_words_stay() -> None:
    assert body_of_message(MESSAGE).split("\n") == [
        "",
        "Mine were worn out, and",
        "so I changed them.",
        "",
        "They are quiet now.",
    ]


@pytest.mark.parametrize(
    ("message", "body"),
    [
        ("Subject: x\n\nOne paragraph\nof two lines.", "One paragraph\nof two lines."),
        ("Subject: no empty line\nso no body", ""),
        ("Subject: x\n\n", ""),
        ("A: b\n\nText.\n\nAnn\n-----\n", "Text."),
        ("A: b\n\nText.\n=====\nAnn\nB Street", "Text."),
        (
            "A: b\n\n" + "Text.\n" * 20 + "\n" + "More.\n" * 11,
            "Text.\n" * 20 + "\n" + "More.\n" * 10 + "More.",
        ),
        ("A: b\n\nAnn writes:\n| quoted\n: quoted\n >>quoted\nmine > yours: yes", "mine > yours: yes"),
        ("A: b\n\nShe says: no.\nIn article 5 of the treaty\nit stands", "She says: no.\nit stands"),
    ],
)
def test_header_signature_and_quotations_go(message: str, body: str) -> None:
    assert body_of_message(message) == body


def test_a_plain_message_comes_out_as_scikit_learn_has_it() -> None:
    message = MESSAGE.replace("JM> Mine too.\n", "")
    theirs = strip_newsgroup_quoting(strip_newsgroup_footer(strip_newsgroup_header(message)))
    assert body_of_message(message).split() == theirs.split()


@pytest.mark.mirror
def test_most_words_of_real_messages_are_those_that_scikit_learn_keeps() -> None:
    archive = take_stock("20newsgroups", "mirror", MIRROR).path("archive")
    common = ours_only = theirs_only = 0
    with tarfile.open(archive) as tar:
        for number, member in enumerate(tar):
            stream = tar.extractfile(member) if number % 10 == 0 else None
            if stream is None:
                continue
            text = stream.read().decode("latin-1")
            ours = Counter(body_of_message(text).split())
            theirs = Counter(
                strip_newsgroup_quoting(strip_newsgroup_footer(strip_newsgroup_header(text))).split()
            )
            common += (ours & theirs).total()
            ours_only += (ours - theirs).total()
            theirs_only += (theirs - ours).total()
    assert common / (common + theirs_only) > 0.96
    assert common / (common + ours_only) > 0.98


def test_messages_bear_group_and_part(tmp_path: Path) -> None:
    members = {
        "20news-bydate-train/sci.space/101": MESSAGE.encode(),
        "20news-bydate-test/rec.autos/7": b"A: b\r\n\r\nCaf\xe9 is\r\nopen.\r\n\r\nReally.\r\n\r\nAnn\r\n",
        "20news-bydate-test/rec.autos/8": b"A: b\n\n> quoted\n",
        "20news-bydate-test/README": b"no message",
    }
    counts: Counter[str] = Counter()
    receipt = dataset(tmp_path, "20newsgroups", {"n.tar.gz": packed(members)})
    assert list(read_dataset(receipt, counts)) == [
        Document(
            ("Mine were worn out, and so I changed them.", "They are quiet now."), "sci.space", "train"
        ),
        Document(("Café is open.", "Really."), "rec.autos", "test"),
        Document((), "rec.autos", "test"),
    ]
    assert counts == {"documents": 3, "empty_documents": 1, "control_characters": 0}


def test_messages_of_the_undivided_archive_are_of_no_part(tmp_path: Path) -> None:
    receipt = dataset(
        tmp_path, "20newsgroups", {"n.tar.gz": packed({"20news-18828/sci.med/5": b"A: b\n\nHello there."})}
    )
    assert list(read_dataset(receipt, Counter())) == [Document(("Hello there.",), "sci.med", "all")]


def test_news_items_have_a_topic_if_it_is_the_only_one(tmp_path: Path) -> None:
    members = {"README.txt": b"x", "reut2-000.sgm": SGML.encode("latin-1")}
    receipt = dataset(tmp_path, "reuters21578", {"r.tar.gz": packed(members)})
    assert list(read_dataset(receipt, Counter())) == [
        Document(
            ("Wheat of <Acme Corp> rose by a third.", "Maize fell, café owners said."), "grain", "train"
        ),
        Document(("Both fell. A Reuter man said so.",), None, "test"),
        Document((), None, "all"),
    ]


def test_an_article_has_its_lines_as_paragraphs_but_not_its_title(tmp_path: Path) -> None:
    receipt = dataset(tmp_path, "enwiki-extracts", {"AA.txt": WIKI.encode()}, role="train")
    assert paragraphs(receipt) == [
        ("Ann & Bob is a play.", "Plot.", "Ann meets  Bob ."),
        (),
        ("It is short.",),
    ]


def test_articles_go_on_from_chunk_to_chunk_and_from_file_to_file(tmp_path: Path) -> None:
    line = "All of this is one very long article. " * 100
    long = f'<doc id="1" title="Long">\nLong\n\n{(line + chr(10)) * 300}</doc>\n'
    files = {"AA.txt": long.encode(), "AB.txt": long.encode()}
    found = paragraphs(dataset(tmp_path, "enwiki-extracts", files, role="train"))
    assert [len(article) for article in found] == [300, 300]
    assert set(found[0]) == {line.strip()}


def test_the_users_paragraphs_end_at_empty_lines(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_bytes(b"\xef\xbb\xbf\r\none\r\ntwo\r\n  \r\nthree\x07\xff")
    zipped.write_bytes(gzip.compress(b"four\n\n\n\nfive\n"))
    counts: Counter[str] = Counter()
    found = list(read_files([plain, zipped], counts))
    assert [document.text for document in found] == ["one two", "three \ufffd", "four", "five"]
    assert {document.topic for document in found} == {None}
    assert counts == {"documents": 4, "empty_documents": 0, "bad_bytes": 1, "control_characters": 1}


def test_sentences_come_by_paragraph_as_tokens() -> None:
    document = Document(("Ann's cat sat. It slept!", "Bob left."))
    assert document.sentences(Segmenter()) == [["Ann 's cat sat .", "It slept !"], ["Bob left ."]]
    assert document.sentences(Segmenter(), lower=True)[0][0] == "ann 's cat sat ."
