from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from plain_trees import made_sentence

from lexiscope.probes.labels import Label
from lexiscope.probes.selection import OTHER, Chosen, Rules, Sentence, TooFewError, choose
from lexiscope.probes.targets import share_targets
from lexiscope.probes.treebanks import PARTS

NO_LIMITS = dict.fromkeys(PARTS)
SHARES = dict(zip(PARTS, (0.6, 0.2, 0.2), strict=True))
TASKS = ("sentence_length", "word_content", "tree_depth", "top_constituents", "tense", "obj_number")


def rules(**changes) -> Rules:
    settings_ = {
        "limits": NO_LIMITS,
        "shares": SHARES,
        "min_class_size": 3,
        "n_words": 5,
        "fixed_parts": False,
        "seed": 1,
    }
    return Rules(**settings_ | changes)


def corpus(n_sentences: int, seed: int) -> list[Sentence]:
    """Sentences of made-up labels; depth grows with length, as it does in real ones."""
    generator = np.random.default_rng(seed)
    sentences = []
    for number in range(n_sentences):
        pairs, true = made_sentence(int(generator.integers(10_000)))
        words = [word for word, _ in pairs]
        if number % 10 == 0:
            true["tense"] = "no finite verb"
        labels: dict[str, Label | str] = {
            "tree_depth": Label(str(len(words) // 4 + int(generator.integers(4)))),
            "top_constituents": Label("_".join("NVP"[: 1 + int(generator.geometric(0.5)) % 3])),
            "tense": Label(true["tense"], words[2]) if number % 10 else true["tense"],
            "obj_number": Label(true["obj_number"], words[4]),
        }
        part = PARTS[min(2, int(generator.integers(5)) // 2)]
        sentences.append(Sentence((*words, f"word{number}"), part, labels))
    return sentences


def sizes(chosen: Chosen) -> dict[str, Counter[str]]:
    counts = {part: Counter() for part in PARTS}
    for part, name, _ in chosen.examples:
        counts[part][name] += 1
    return counts


@given(st.integers(0, 10_000), st.sampled_from(TASKS), st.booleans(), st.sampled_from([None, 40]))
@settings(max_examples=60, deadline=None)
def test_balance_and_disjointness(seed: int, task: str, fixed_parts: bool, limit: int | None) -> None:
    sentences = corpus(500, seed)
    try:
        chosen = choose(
            task, sentences, rules(fixed_parts=fixed_parts, seed=seed, limits=dict.fromkeys(PARTS, limit))
        )
    except TooFewError:
        reject()
    classes = set(chosen.candidates.classes)
    assert len(classes) >= 2
    for count in sizes(chosen).values():
        assert set(count) == classes
        assert len(set(count.values())) == 1
        assert min(count.values()) >= 3
        assert limit is None or count.total() <= limit
    numbers = [number for _, _, number in chosen.examples]
    assert len(numbers) == len(set(numbers))
    targets = defaultdict(set)
    for part, name, number in chosen.examples:
        label = sentences[number].labels.get(task)
        if task in ("tense", "obj_number"):
            assert label.name == name
            targets[label.target].add(part)
        if task not in ("tense", "obj_number") or fixed_parts:
            assert sentences[number].part == part
    assert all(len(parts) == 1 for parts in targets.values())


def test_choices_follow_the_seed_alone() -> None:
    sentences = corpus(500, 3)
    for task in TASKS:
        first, again = (choose(task, sentences, rules(seed=5)) for _ in range(2))
        assert first.examples == again.examples
    other = choose("tense", sentences, rules(seed=6))
    assert other.examples != choose("tense", sentences, rules(seed=5)).examples


def test_parts_come_in_order_and_sentences_in_reading_order() -> None:
    examples = choose("sentence_length", corpus(500, 1), rules()).examples
    assert list(examples) == sorted(examples, key=lambda example: (PARTS.index(example[0]), example[2]))


def test_lengths_are_cut_into_classes_of_equal_frequency() -> None:
    lengths = [3, 3, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    sentences = [
        Sentence(("x",) * length, part, {})
        for part in PARTS
        for length in [*lengths, 1 if part == "te" else 3]
    ]
    chosen = choose("sentence_length", sentences, rules(min_class_size=1))
    # 25 training sentences, cut after 5, 9, 11, 17 and 21: the nearest to 4.2, 8.3, 12.5, 16.7 and 20.8.
    assert chosen.candidates.details["tokens"] == {
        "0": [1, 3], "1": [4, 6], "2": [7, 8], "3": [9, 12], "4": [13, 16], "5": [17, 20],
    }  # fmt: skip
    for _, name, number in chosen.examples:
        low, high = chosen.candidates.details["tokens"][name]
        assert low <= len(sentences[number].tokens) <= high


def test_six_classes_of_length_however_uneven() -> None:
    lengths = [5] * 50 + [6, 7, 8, 9, 10]
    sentences = [Sentence(("x",) * length, part, {}) for part in PARTS for length in lengths]
    chosen = choose("sentence_length", sentences, rules(min_class_size=1))
    assert [low for low, _ in chosen.candidates.details["tokens"].values()] == [5, 6, 7, 8, 9, 10]


def test_fewer_lengths_than_classes() -> None:
    sentences = [Sentence(("x",) * (number % 5 + 1), part, {}) for part in PARTS for number in range(50)]
    with pytest.raises(TooFewError, match="5 different lengths, for 6 classes"):
        choose("sentence_length", sentences, rules())


def test_depth_is_independent_of_length() -> None:
    sentences = corpus(900, 2)
    correlation = np.corrcoef(
        [len(sentence.tokens) for sentence in sentences],
        [int(sentence.labels["tree_depth"].name) for sentence in sentences],
    )[0, 1]
    assert correlation > 0.3
    for limits in (NO_LIMITS, dict.fromkeys(PARTS, 30)):
        chosen = choose("tree_depth", sentences, rules(limits=limits))
        lengths = defaultdict(Counter)
        for part, name, number in chosen.examples:
            lengths[part, name][len(sentences[number].tokens)] += 1
        for part in PARTS:
            first, *others = (lengths[part, name] for name in chosen.candidates.classes)
            assert all(other == first for other in others)
        depths = sorted(map(int, chosen.candidates.classes))
        assert depths == list(range(depths[0], depths[-1] + 1))
        assert len(depths) >= 3


def test_a_sentence_of_a_target_word_has_it_once_and_no_other() -> None:
    sentences = corpus(600, 4)
    chosen = choose("word_content", sentences, rules())
    targets = set(chosen.candidates.classes)
    assert 2 <= len(targets) <= 5
    for _, name, number in chosen.examples:
        assert [token.lower() for token in sentences[number].tokens if token.lower() in targets] == [name]
    # All sentences are accounted for.
    usable = sum(len(numbers) for group in chosen.candidates.numbers.values() for numbers in group.values())
    assert usable + chosen.candidates.excluded.total() == len(sentences)


def test_target_words_are_rare_ones_rather_than_function_words() -> None:
    chosen = choose("word_content", corpus(600, 4), rules())
    assert "the" not in chosen.candidates.classes


def test_top_constituents_are_the_most_frequent_and_others() -> None:
    names = {f"c{number}": 30 - number for number in range(25)}
    sentences = [
        Sentence((str(number),), part, {"top_constituents": Label(name)})
        for part in PARTS
        for name, size in names.items()
        for number in range(size)
    ]
    chosen = choose("top_constituents", sentences, rules())
    assert chosen.candidates.classes == (*(f"c{number}" for number in range(19)), OTHER)
    others = {
        sentences[number].labels["top_constituents"].name
        for _, name, number in chosen.examples
        if name == OTHER
    }
    assert others <= {f"c{number}" for number in range(19, 25)}
    few = choose("top_constituents", sentences, rules(min_class_size=28))
    assert few.candidates.classes == ("c0", "c1", "c2", OTHER)


def test_rare_sequences_are_no_class_where_there_are_too_few() -> None:
    names = {"a": 9, "b": 8, "c": 1}
    sentences = [
        Sentence(("x",), part, {"top_constituents": Label(name)})
        for part in PARTS
        for name, size in names.items()
        for _ in range(size)
    ]
    chosen = choose("top_constituents", sentences, rules())
    assert chosen.candidates.classes == ("a", "b")
    assert chosen.candidates.excluded == {"a rarer sequence": 3}
    with pytest.raises(TooFewError, match="1 sequences of constituents have 10 sentences"):
        choose("top_constituents", sentences, rules(min_class_size=10))


def test_one_class_alone() -> None:
    sentences = [
        Sentence(("x",), part, {"tense": Label("PAST", f"{part}{number}")})
        for part in PARTS
        for number in range(9)
    ]
    with pytest.raises(TooFewError, match="1 of 2 classes"):
        choose("tense", sentences, rules())


def test_a_class_with_too_few_is_named_with_its_part() -> None:
    sentences = [
        Sentence(("x",), part, {"tense": Label(name, f"{part}{name}{n}")})
        for part in PARTS
        for name in ("PAST", "PRES")
        for n in range(2 if (part, name) == ("te", "PAST") else 9)
    ]
    with pytest.raises(TooFewError, match=r"class 'PAST' has 2 sentences in the part 'te'.* is 3"):
        choose("tense", sentences, rules(fixed_parts=True))


@given(
    st.dictionaries(
        st.sampled_from("abcdefghijklmnop"),
        st.tuples(*[st.integers(0, 30)] * 3).filter(any),
        min_size=1,
    ),
    st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_target_words_go_where_they_occur(uses: dict[str, tuple[int, int, int]], seed: int) -> None:
    counts = {word: +Counter(dict(zip(PARTS, numbers, strict=True))) for word, numbers in uses.items()}
    owners = share_targets({"NN": counts}, SHARES, np.random.default_rng(seed))
    assert owners.keys() == counts.keys()
    assert all(counts[word][owner] for word, owner in owners.items())


def test_target_words_follow_the_shares_and_frequent_ones_train() -> None:
    counts = {f"w{number}": Counter(dict.fromkeys(PARTS, 5)) for number in range(200)}
    counts["is"] = Counter(dict.fromkeys(PARTS, 300))
    owners = share_targets({"PRES": counts}, SHARES, np.random.default_rng(0))
    assert owners["is"] == "tr"
    for part in PARTS:
        kept = sum(counts[word][part] for word, owner in owners.items() if owner == part)
        assert kept / 1300 == pytest.approx(SHARES[part], abs=0.01)


def test_a_word_of_two_classes_has_one_part() -> None:
    uses = {
        "PAST": {"put": Counter(tr=5, te=5), "said": Counter(tr=9, va=9, te=9)},
        "PRES": {"put": Counter(tr=5, te=4), "says": Counter(tr=9, va=9, te=9)},
    }
    assert share_targets(uses, SHARES, np.random.default_rng(0)).keys() == {"put", "said", "says"}
