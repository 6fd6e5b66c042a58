"""What the artificial language talks about: its semantic fields, topics and function words.

The labels are English so that people can read a report; no text contains them. Function words are English,
content words are made up (`spelling`).
"""

from __future__ import annotations

from dataclasses import dataclass

TOPICS = ("politics", "business", "sport", "science", "travel", "cooking", "crime", "arts")


@dataclass(frozen=True)
class SemanticField:
    """A class of lemmas, inside a ``superfield`` and divided into subfields.

    Attributes
    ----------
    frame
        For verbs, what they take: ``transitive``, ``intransitive``, ``sentential`` (*that* + clause) or
        ``control`` (*to* + infinitive).
    names
        The subfield that consists of proper names, if there is one.
    """

    name: str
    superfield: str
    subfields: tuple[str, ...]
    frame: str = ""
    names: str = ""


NOUN_FIELDS = (
    SemanticField("person", "animate", ("profession", "kin", "official", "given_name"), names="given_name"),
    SemanticField("animal", "animate", ("mammal", "bird", "insect")),
    SemanticField("organisation", "animate", ("firm", "team", "agency", "company"), names="company"),
    SemanticField("tool", "artefact", ("hand_tool", "kitchen_tool", "weapon")),
    SemanticField("vehicle", "artefact", ("road_vehicle", "vessel", "aircraft")),
    SemanticField("building", "artefact", ("dwelling", "public_building", "building_part")),
    SemanticField("clothing", "artefact", ("garment", "footwear", "jewel")),
    SemanticField("food", "natural", ("fruit", "dish", "drink")),
    SemanticField("plant", "natural", ("tree", "flower", "crop")),
    SemanticField("body", "natural", ("limb", "organ", "face")),
    SemanticField("place", "natural", ("terrain", "settlement", "water", "city"), names="city"),
    SemanticField("event", "abstract", ("contest", "ceremony", "disaster")),
    SemanticField("idea", "abstract", ("rule", "belief", "theory")),
    SemanticField("measure", "abstract", ("sum", "period", "rate")),
)

VERB_FIELDS = (
    SemanticField("motion", "act", ("travel", "flee", "climb"), frame="intransitive"),
    SemanticField("contact", "act", ("hit", "hold", "cut"), frame="transitive"),
    SemanticField("creation", "act", ("build", "write", "cook"), frame="transitive"),
    SemanticField("consumption", "act", ("eat", "burn", "buy"), frame="transitive"),
    SemanticField("perception", "mind", ("see", "hear", "search"), frame="transitive"),
    SemanticField("cognition", "mind", ("plan", "hope", "refuse"), frame="control"),
    SemanticField("communication", "mind", ("say", "admit", "warn"), frame="sentential"),
    SemanticField("change", "happening", ("grow", "break", "end"), frame="intransitive"),
    SemanticField("transfer", "happening", ("give", "take", "send"), frame="transitive"),
    SemanticField("social", "happening", ("help", "fight", "lead"), frame="transitive"),
)

ADJECTIVE_FIELDS = (
    SemanticField("size", "physical", ("large", "thin", "heavy")),
    SemanticField("colour", "physical", ("bright", "dark", "patterned")),
    SemanticField("texture", "physical", ("soft", "hot", "wet")),
    SemanticField("temper", "evaluative", ("angry", "cheerful", "shy")),
    SemanticField("worth", "evaluative", ("good", "cheap", "famous")),
    SemanticField("state", "evaluative", ("broken", "new", "legal")),
)

SUBJECT_FIELDS = ("person", "animal", "organisation")
"""Noun fields that act; verbs of change may also happen to anything else."""

CONCRETE_FIELDS = ("animal", "tool", "vehicle", "building", "clothing", "food", "plant", "body", "place")
"""Noun fields of things that can be pictured: the words of the brain experiments come from them."""

PREPOSITIONS: dict[str, tuple[str, ...]] = {
    "in": ("place", "building"),
    "near": ("building", "plant"),
    "with": ("tool", "body"),
    "for": ("person", "organisation"),
    "from": ("place", "organisation"),
    "during": ("event", "measure"),
    "about": ("idea", "event"),
    "against": ("idea", "animal"),
    "on": ("vehicle", "plant"),
    "under": ("clothing", "body"),
    "after": ("food", "event"),
}
"""Each preposition with the noun fields that it likes."""

DETERMINERS: dict[str, tuple[tuple[str, float], ...]] = {
    "singular": (("the", 0.5), ("a", 0.34), ("this", 0.06), ("every", 0.05), ("another", 0.05)),
    "plural": (("the", 0.5), ("some", 0.18), ("many", 0.14), ("these", 0.09), ("most", 0.09)),
}
PRONOUNS: dict[str, tuple[tuple[str, float], ...]] = {
    "singular": (("he", 0.4), ("she", 0.4), ("it", 0.2)),
    "plural": (("they", 0.8), ("we", 0.2)),
}
COPULA = {
    ("past", "singular"): "was",
    ("past", "plural"): "were",
    ("present", "singular"): "is",
    ("present", "plural"): "are",
}
COORDINATORS = (("and", 0.7), ("but", 0.3))
SUBORDINATORS = (("because", 0.3), ("when", 0.3), ("while", 0.2), ("although", 0.2))
SENTENCE_ADVERBS = {
    "past": (("yesterday", 0.5), ("earlier", 0.3), ("however", 0.2)),
    "present": (("today", 0.5), ("now", 0.3), ("however", 0.2)),
}
YEARS = tuple(str(year) for year in range(1900, 2021))
QUANTITIES = (
    *(str(number) for number in range(2, 21)),
    *("25", "30", "40", "50", "60", "75", "80", "100", "120", "150", "200", "250", "300"),
    *("400", "500", "600", "750", "800"),
)
