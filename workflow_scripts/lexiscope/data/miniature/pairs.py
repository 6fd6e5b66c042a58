"""Sets of sentence pairs in SentEval's official layout: MRPC, SICK, the STS benchmark, STS 2012 to 2016.

As in the real files: MRPC begins with a byte order mark, SICK's test part has Windows line ends, the STS
sets are in lower case, and many pairs of the later years have an empty line for their rating.
"""

from __future__ import annotations

from collections.abc import Sequence

from lexiscope.data.miniature.corpus import PUNCTUATION, Files
from lexiscope.data.miniature.grammar import Tree, leaves
from lexiscope.data.miniature.paraphrases import Kind, PairMaker, Peers, SentencePair, peers_of_lemmas
from lexiscope.data.miniature.sentences import Materials, SentenceStock, capitalised, quotas, text_of

FOLDER = "senteval/downstream"
BYTE_ORDER_MARK = "\ufeff"
MRPC_HEADER = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
SICK_HEADER = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment"
ENTAILMENT: dict[Kind, str] = {
    "paraphrase": "ENTAILMENT",
    "shortened": "ENTAILMENT",
    "opposite": "CONTRADICTION",
    "changed": "NEUTRAL",
    "unrelated": "NEUTRAL",
}
SICK_SHARES: dict[Kind, float] = {
    "paraphrase": 0.15,
    "shortened": 0.14,
    "opposite": 0.15,
    "changed": 0.44,
    "unrelated": 0.12,
}
STS_SHARES: dict[Kind, float] = {"paraphrase": 0.2, "shortened": 0.15, "changed": 0.4, "unrelated": 0.25}
MRPC_SHARES: dict[Kind, float] = {"paraphrase": 0.4, "shortened": 0.28, "changed": 0.32}
MRPC_POSITIVE: tuple[Kind, ...] = ("paraphrase", "shortened")
STSB_SOURCES = (
    ("main-captions", "MSRvid", "2012test"),
    ("main-news", "headlines", "2013"),
    ("main-forum", "deft-forum", "2014"),
)

STS_SUBSETS: dict[int, tuple[str, ...]] = {
    12: ("MSRpar", "MSRvid", "SMTeuroparl", "surprise.OnWN", "surprise.SMTnews"),
    13: ("FNWN", "headlines", "OnWN"),
    14: ("deft-forum", "deft-news", "headlines", "images", "OnWN", "tweet-news"),
    15: ("answers-forums", "answers-students", "belief", "headlines", "images"),
    16: ("answer-answer", "headlines", "plagiarism", "postediting", "question-question"),
}
UNRATED_SHARE = {15: 0.5, 16: 0.6}  # of the pairs, in the years that have such pairs
STS_NOTES = {
    12: ("00-readme.txt",),
    13: ("00-readme.txt",),
    14: ("00-readme.txt",),
    15: ("00-readme.txt", "STS.input.answers-forums.LICENSE"),
    16: ("README.txt", "LICENSE.txt"),
}
NOTE = "Made up: sentences of an artificial language, in the layout of the official files.\n"


def make_pairs(materials: Materials) -> Files:
    """All sets."""
    peers = peers_of_lemmas(materials.language.truth)
    files = _make_mrpc(materials, peers) | _make_sick(materials, peers) | _make_stsb(materials, peers)
    for year in STS_SUBSETS:
        files |= _make_sts(materials, peers, year)
    return files


def _draw(stock: SentenceStock, maker: PairMaker, shares: dict[Kind, float], n: int) -> list[SentencePair]:
    """``n`` pairs in random order, of each kind its share."""
    sizes = quotas(n, list(shares.values()))
    kinds = [kind for kind, size in zip(shares, sizes, strict=True) for _ in range(size)]
    return [maker.pair(kinds[i]) for i in stock.rng.permutation(n)]


def _cased(tree: Tree) -> str:
    return " ".join(capitalised(word for _, word in leaves(tree)))


def _lower(tree: Tree) -> str:
    return text_of(tree).lower()


def _bare(tree: Tree) -> str:
    """Without punctuation, as SICK has it."""
    return " ".join(capitalised(word for tag, word in leaves(tree) if tag not in PUNCTUATION - {"POS"}))


def _make_mrpc(materials: Materials, peers: Peers) -> Files:
    stock = materials.stock("mrpc")
    maker = PairMaker(materials, stock, peers)
    files = {}
    for part, size in (("train", materials.config.mrpc_train), ("test", materials.config.mrpc_test)):
        lines = [BYTE_ORDER_MARK + MRPC_HEADER]
        for pair in _draw(stock, maker, MRPC_SHARES, size):
            first_id, second_id = stock.rng.integers(100_000, 4_000_000, size=2).tolist()
            quality = int(pair.kind in MRPC_POSITIVE)
            lines.append(f"{quality}\t{first_id}\t{second_id}\t{_cased(pair.first)}\t{_cased(pair.second)}")
        files[f"{FOLDER}/MRPC/msr_paraphrase_{part}.txt"] = _lines(lines)
    return files


def _make_sick(materials: Materials, peers: Peers) -> Files:
    config = materials.config
    stock = materials.stock("sick")
    maker = PairMaker(materials, stock, peers)
    files = {}
    number = 0
    for name, size, ending in (
        ("SICK_train.txt", config.sick_train, "\n"),
        ("SICK_trial.txt", config.sick_valid, "\n"),
        ("SICK_test_annotated.txt", config.sick_test, "\r\n"),
    ):
        pairs = _draw(stock, maker, SICK_SHARES, size)
        lines = [SICK_HEADER]
        for pair, rating in zip(pairs, maker.ratings(pairs, 1, 5).tolist(), strict=True):
            number += 1
            columns = [str(number), _bare(pair.first), _bare(pair.second), f"{rating:.3g}"]
            lines.append("\t".join([*columns, ENTAILMENT[pair.kind]]))
        files[f"{FOLDER}/SICK/{name}"] = _lines(lines, ending)
    return files


def _make_stsb(materials: Materials, peers: Peers) -> Files:
    config = materials.config
    stock = materials.stock("stsb")
    maker = PairMaker(materials, stock, peers)
    folder = f"{FOLDER}/STS/STSBenchmark"
    files = {f"{folder}/LICENSE.txt": NOTE, f"{folder}/readme.txt": NOTE}
    sizes = {"train": config.stsb_train, "dev": config.stsb_valid, "test": config.stsb_test}
    for part, size in sizes.items():
        pairs = _draw(stock, maker, STS_SHARES, size)
        lines = []
        for i, (pair, rating) in enumerate(zip(pairs, maker.ratings(pairs, 0, 5).tolist(), strict=True)):
            source = STSB_SOURCES[i * len(STSB_SOURCES) // size]
            columns = [*source, f"{i:04d}", f"{rating:.3f}", _lower(pair.first), _lower(pair.second)]
            lines.append("\t".join(columns))
        files[f"{folder}/sts-{part}.csv"] = _lines(lines)
    return files


def _make_sts(materials: Materials, peers: Peers, year: int) -> Files:
    """One year: a file of sentences and a file of ratings for each subset."""
    folder = f"{FOLDER}/STS/STS{year}-en-test"
    files = {f"{folder}/{name}": NOTE for name in STS_NOTES[year]}
    n_rated = materials.config.sts_pairs
    n_pairs = round(n_rated / (1 - UNRATED_SHARE.get(year, 0.0)))
    for subset in STS_SUBSETS[year]:
        stock = materials.stock(f"sts{year} {subset}")
        maker = PairMaker(materials, stock, peers)
        pairs = _draw(stock, maker, STS_SHARES, n_pairs)
        ratings = [_sts_rating(rating, year) for rating in maker.ratings(pairs, 0, 5).tolist()]
        for i in stock.rng.permutation(n_pairs)[n_rated:]:
            ratings[i] = ""
        files[f"{folder}/STS.input.{subset}.txt"] = _lines(
            [f"{_lower(pair.first)}\t{_lower(pair.second)}" for pair in pairs]
        )
        files[f"{folder}/STS.gs.{subset}.txt"] = _lines(ratings)
    if year == 12:
        gold = [files[f"{folder}/STS.gs.{subset}.txt"] for subset in STS_SUBSETS[year]]
        files[f"{folder}/STS.gs.ALL.txt"] = "".join(gold)
    if year == 13:
        # The sentences of this subset were never free to pass on, only its ratings.
        files[f"{folder}/STS.gs.SMT.txt"] = files[f"{folder}/STS.gs.headlines.txt"]
    return files


def _sts_rating(rating: float, year: int) -> str:
    return f"{rating:.3f}" if year == 12 else f"{rating:.2f}" if year == 15 else f"{rating:g}"


def _lines(lines: Sequence[str], ending: str = "\n") -> str:
    return "".join(line + ending for line in lines)
