from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lexiscope.data.catalogue import Checksum, DataFile, Dataset, Link, Remote, load_catalogue
from lexiscope.errors import LexiscopeError

WORD_SIMILARITY = {
    "ws353_similarity": "word-sim/EN-WS-353-SIM.txt",
    "simlex999": "word-sim/EN-SIMLEX-999.txt",
    "ws353_relatedness": "word-sim/EN-WS-353-REL.txt",
    "men": "word-sim/EN-MEN-TR-3k.txt",
    "mturk287": "word-sim/EN-MTurk-287.txt",
    "ws353": "word-sim/EN-WS-353-ALL.txt",
    "rareword": "word-sim/EN-RW-STANFORD.txt",
}
CORPORA = ["lm1b", "lm1b-sample", "ptb", "wikitext-2", "enwiki-extracts"]
SENTENCE_BENCHMARKS = {
    *("mr", "cr", "subj", "mpqa", "trec", "sst2", "sst5", "mrpc", "sick", "stsbenchmark"),
    *(f"sts{year}" for year in range(12, 17)),
    *("senteval-probing", "xprobe-en"),
}
TREEBANKS = {"ud-english-ewt", "gum", "nltk-treebank"}

CATALOGUE = load_catalogue()
EVERY_FILE = [
    (dataset.key, file)
    for dataset in CATALOGUE.datasets.values()
    for file in (*dataset.files, *(file for form in dataset.other_forms for file in form.files))
]


def dataset_with(**changes: object) -> Dataset:
    facts: dict[str, object] = {
        "key": "toy",
        "title": "Toy",
        "kind": "word_similarity",
        "size": "1 pair",
        "licence": "none",
        "citation": ["Nobody 2020"],
        "files": [{"path": "toy/a.txt", "role": "pairs"}],
    }
    return Dataset.model_validate(facts | changes)


def test_the_keys_that_other_stages_and_the_papers_use_are_there() -> None:
    assert CATALOGUE.of_kind("word_similarity") == list(WORD_SIMILARITY)
    for key, path in WORD_SIMILARITY.items():
        assert [(file.path, file.role) for file in CATALOGUE[key].files] == [(path, "pairs")]
    assert CATALOGUE.of_kind("brain") == ["brainbench"]
    assert set(CORPORA) < set(CATALOGUE.of_kind("corpus"))


def test_brainbench_has_the_published_subjects() -> None:
    files = CATALOGUE["brainbench"].files
    names = {
        role: [Path(file.path).stem for file in files if file.role == role]
        for role in ("dictionary", "fmri", "meg")
    }
    assert names["dictionary"] == ["dictionary"]
    assert names["fmri"] == [f"b{number}" for number in range(1, 10)]
    assert names["meg"] == list("abcdefgij")


def test_corpora_say_how_they_are_read_and_split() -> None:
    for key in CATALOGUE.of_kind("corpus"):
        assert {file.role for file in CATALOGUE[key].files} >= {"train"}
    for key in ("lm1b", "lm1b-sample", "ptb", "wikitext-2"):
        assert {file.role for file in CATALOGUE[key].files} >= {"train", "valid", "test"}
    assert {file.role for file in CATALOGUE["enwiki-extracts"].files} == {"train"}
    assert CATALOGUE["ptb"].casing == "lower"
    assert CATALOGUE["wikitext-2"].reader == "wikitext"
    assert not CATALOGUE["enwiki-extracts"].tokenised


def test_the_miniature_makes_what_the_evaluations_need() -> None:
    made = {key for key in CATALOGUE if CATALOGUE[key].miniature}
    words = {*WORD_SIMILARITY, "brainbench"}
    assert made == {*CORPORA, *words, *SENTENCE_BENCHMARKS, *TREEBANKS} - {"lm1b-sample"}


def test_no_shard_of_one_billion_word_is_skipped() -> None:
    files = [file for series in CATALOGUE["lm1b"].files for file in series.expand()]
    roles = Counter(file.role for file in files)
    assert roles == {"train": 99, "valid": 1, "test": 1, "heldout": 48}
    train = [Path(file.path).name for file in files if file.role == "train"]
    assert train == [f"news.en-{number:05d}-of-00100" for number in range(1, 100)]
    held_out = sorted(Path(file.path).name for file in files if file.role != "train")
    assert held_out == [f"news.en.heldout-{number:05d}-of-00050" for number in range(50)]
    assert all(Path(file.path).name == Path(str(file.member)).name for file in files)


def test_no_entry_occurs_twice_in_the_yaml_file() -> None:
    source = Path(sys.modules[Dataset.__module__].__file__ or "").with_name("catalogue.yaml")
    document = yaml.compose(source.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)

    def repeated(node: yaml.Node) -> list[str]:
        if isinstance(node, yaml.MappingNode):
            counts = Counter(key.value for key, _ in node.value)
            inner = [name for _, value in node.value for name in repeated(value)]
            return [name for name, count in counts.items() if count > 1] + inner
        if isinstance(node, yaml.SequenceNode):
            return [name for item in node.value for name in repeated(item)]
        return []

    assert repeated(document) == []


def test_each_file_of_the_layout_belongs_to_one_entry() -> None:
    counts = Counter(file.path for _, file in EVERY_FILE)
    assert [path for path, count in counts.items() if count > 1] == []


def test_what_can_be_downloaded_can_be_verified() -> None:
    unverified = {
        (key, file.path) for key, file in EVERY_FILE if file.live_urls and file.checksum is None
    } - {(key, file.path) for key, file in EVERY_FILE if file not in CATALOGUE[key].files}
    # For these three no hash was ever published, or a misprinted one.
    assert unverified == {
        ("senteval-transfer", "senteval/senteval.tar"),
        ("lm_1b", "lm_1b/ckpt-lstm"),
        ("lm_1b", "lm_1b/news.en.heldout-00000-of-00050"),
    }


def test_links_are_addresses_of_files() -> None:
    links = [
        link
        for source in [
            *(file for _, file in EVERY_FILE),
            *(archive for entry in CATALOGUE.datasets.values() for archive in entry.archives.values()),
        ]
        for link in source.urls
    ]
    assert len(links) > 300
    assert all(link.url.startswith(("http://", "https://")) and " " not in link.url for link in links)
    assert sum(link.dead for link in links) >= 8
    # An address on GitHub must name a commit, or its bytes may change.
    raw = [link.url.split("/")[5] for link in links if "raw.githubusercontent.com" in link.url]
    assert all(len(commit) == 40 for commit in raw)


def test_a_dead_link_is_never_offered() -> None:
    remote = Remote.model_validate({"urls": [{"url": "http://a/x", "dead": True}, "http://b/x"]})
    assert remote.urls == (Link(url="http://a/x", dead=True), Link(url="http://b/x"))
    assert remote.live_urls == ("http://b/x",)


def test_the_strongest_checksum_counts() -> None:
    assert Remote(md5="0" * 32, sha1="1" * 40, sha512="2" * 128).checksum == Checksum("sha512", "2" * 128)
    assert Remote(git_blob="a" * 40).checksum == Checksum("git_blob", "a" * 40)
    assert Remote().checksum is None


def test_an_unknown_key_is_met_with_a_suggestion() -> None:
    with pytest.raises(LexiscopeError, match=r"no dataset 'mne'\. Did you mean 'men'"):
        CATALOGUE["mne"]
    assert "mne" not in CATALOGUE


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a\\b"])
def test_a_path_that_leaves_the_data_root_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="stays in its folder"):
        DataFile(path=path, role="train")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "corpus"}, "a corpus, and nothing else"),
        ({"reader": "text"}, "a corpus, and nothing else"),
        ({"files": [{"path": "a", "role": "x", "archive": "b.zip"}]}, "go together"),
        ({"files": [{"path": "a", "role": "x", "archive": "b.zip", "member": "a"}]}, "unknown archives"),
        ({"files": [{"path": "a", "role": "x"}] * 2}, "occurs twice"),
        ({"files": [{"path": "a{1..3}", "role": "x", "md5": "0" * 32}]}, "one checksum"),
        ({"files": [{"path": "a", "role": "x", "sha256": "0" * 63}]}, "pattern"),
        ({"licens": "none"}, "Extra inputs"),
    ],
)
def test_entries_that_contradict_themselves_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        dataset_with(**changes)


def test_a_series_expands_path_and_member_together() -> None:
    file = DataFile(path="x/{08..11}.txt", role="train", archive="x.zip", member="in/{08..11}")
    assert [single.path for single in file.expand()] == ["x/08.txt", "x/09.txt", "x/10.txt", "x/11.txt"]
    assert [single.member for single in file.expand()] == ["in/08", "in/09", "in/10", "in/11"]


def test_loading_is_quick_and_needs_no_heavy_library() -> None:
    program = (
        "import sys, lexiscope.data.prepare as p; p.load_catalogue();"
        "heavy = {'numpy', 'torch', 'requests', 'pooch', 'pandas'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    source = Path(sys.modules[Dataset.__module__].__file__ or "").parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": str(source)})


@pytest.mark.mirror
def test_the_catalogue_knows_every_file_of_the_mirror_by_its_hash(mirror_root: Path) -> None:
    known = {file.path: file for _, file in EVERY_FILE}
    found = 0
    for path in sorted(mirror_root.glob("*/**/*")):
        if not path.is_file():
            continue
        name = path.relative_to(mirror_root).as_posix()
        content = path.read_bytes()
        if name not in known:
            name, content = name.removesuffix(".gz"), gzip.decompress(content)
        assert name in known, f"{name} is in the mirror and not in the catalogue"
        assert (known[name].sha256, known[name].bytes) == (
            hashlib.sha256(content).hexdigest(),
            len(content),
        )
        found += 1
    assert found > 150
