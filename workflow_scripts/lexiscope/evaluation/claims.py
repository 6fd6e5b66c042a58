"""Which claims of the papers does this run bear out?

A claim that some spaces are better than others becomes differences of pairs of spaces, a better less a
worse, each averaged over the claim's sets (see `paired`; the items of every set are resampled by
themselves). If there are several pairs, the claim is as good as its weakest: the effect is the smallest
difference, the p-value in its favour the largest of all (an intersection-union test), and the p-value
against it the smallest of the pairs that point against it, times the number of pairs.

The p-values of all claims tested are corrected by Holm's method. Of a claim that is

- ``supported``, the effect is in its favour and significant; all spaces that it speaks of were compared;
  and all sets (or most) point its way, where it says so of every set (or of most);
- ``contradicted``, the effect is against it and significant; or, where it speaks of every set, the effect
  on some set is, corrected for all sets of all such claims;
- ``not decided``, neither is true;
- ``not tested``, the run has no scores or no spaces to test it on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from lexiscope.config.base import suggest
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.bias_claims import weigh_bias_against_count, weigh_bias_prediction
from lexiscope.evaluation.claims_registry import (
    CLAIMS,
    NO_EMBEDDINGS,
    NO_SPACE,
    ROLE_KINDS,
    BiasTracksCount,
    Claim,
    Order,
)
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.evidence import Evidence, Finding, weigh_order
from lexiscope.evaluation.paired import holm
from lexiscope.evaluation.scores import write_table
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NOT_DECIDED, NOT_TESTED = "not decided", "not tested"


@dataclass(frozen=True)
class ClaimRow:
    """What became of one claim.

    ``effect`` is on the scale of the metrics (an average over several, where the claim's sets have
    several) and above 0 in favour of the claim; its interval is not corrected for the number of claims,
    ``p_holm`` is. ``n_used`` and ``n_total`` count the items of all sets. ``reason`` says what the verdict
    rests on, or why there is none.
    """

    claim: int
    source: str
    statement: str
    spaces: str
    verdict: str
    effect: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    p_holm: float | None
    n_datasets: int
    n_used: int
    n_total: int
    method: str
    reason: str


WORD2VEC_ROLES = ("word2vec_in_domain", "word2vec_out_of_domain")

_ARROW = {"str": pa.string(), "int": pa.int64(), "float | None": pa.float64()}

CLAIM_SCHEMA = pa.schema([(column.name, _ARROW[str(column.type)]) for column in fields(ClaimRow)])


@stage_entry
def judge_claims(
    *,
    scores: Path,
    items: Path,
    spaces: Mapping[str, Mapping[str, Any]],
    roles: Mapping[str, str],
    bias_predictions: Sequence[Path],
    output_spaces: Sequence[Path] = (),
    protocol: Mapping[str, Any],
    output: Path,
    experiment_corpus: str | None = None,
) -> None:
    """Test the claims of `CLAIMS` on the scores of a study, and write one row for each.

    Parameters
    ----------
    scores, items
        The tables of all scores and of all items.
    spaces
        The study's spaces: their settings, of which those that `fill_roles` names are read, by name.
    roles
        The space that plays a role; other roles are given out by `fill_roles`.
    bias_predictions
        The products of `predict_bias`.
    output_spaces
        Spaces of softmax rows, with the columns ``bias`` and ``count``; their file names are their names.
    protocol
        Fields of `ProtocolConfig`, for the number of resamples, their seed and the confidence.
    output
        The Parquet file to write, with the columns of `ClaimRow`.
    experiment_corpus
        What the language models of the reverse-transfer experiment are trained on; it tells word2vec from
        their own domain from that of another. None leaves both roles empty unless they are given.

    Raises
    ------
    LexiscopeError
        If a role is given to a space that the study does not have, or a file cannot be read.
    """
    rules = ProtocolConfig.model_validate(dict(protocol))
    players = fill_roles(spaces, roles, experiment_corpus)
    # One thread: the sums, and so the bytes, do not depend on how many there are.
    with threadpool_limits(limits=1):
        orders = [claim.test for claim in CLAIMS if isinstance(claim.test, Order)]
        evidence = Evidence.gather(orders, scores, items, players, rules)
        findings = []
        for claim in CLAIMS:
            if isinstance(claim.test, Order):
                finding = weigh_order(claim.test, evidence)
            elif isinstance(claim.test, BiasTracksCount):
                finding = weigh_bias_against_count(claim.test, players, output_spaces, rules)
            else:
                finding = weigh_bias_prediction(claim.test, players, bias_predictions)
            findings.append(finding)
    rows = judge(CLAIMS, findings, alpha=1 - rules.confidence)
    for row in rows:
        logger.info("claim %d %s: %s", row.claim, row.verdict, row.reason)
    columns = {name: [getattr(row, name) for row in rows] for name in CLAIM_SCHEMA.names}
    write_table(pa.table(columns, schema=CLAIM_SCHEMA), output)


def fill_roles(
    spaces: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, str],
    experiment_corpus: str | None = None,
) -> dict[str, str]:
    """The space that plays each role, for the roles that a space of the study can play.

    A role that is not given is played by the first space of its kind (see `ROLE_KINDS`); one that is
    derived from another (``of``) must come from the space in the role ``output``, if there is one that
    does. In the experiment of Verwimp & Bellegarda (2019) they are the first domain classifier of each
    ``level``, the first bi-LSTM language model, and the first word2vec whose ``corpus`` is that of the
    experiment, or is not; the model without pre-trained vectors has no space.

    Parameters
    ----------
    spaces
        Settings of the study's spaces, by name.
    given
        Space by role.
    experiment_corpus
        Corpus of the reverse-transfer experiment, if there is one.

    Raises
    ------
    LexiscopeError
        If a role is given to an unknown space.
    """
    for role, space in given.items():
        if space not in spaces:
            raise LexiscopeError(
                f"the role {role!r} is given to {space!r}, which is no space of the study",
                remedy=suggest(space, spaces),
            )
    players: dict[str, str] = {}
    for role, kind in ROLE_KINDS.items():
        fitting = [name for name, settings in spaces.items() if settings["kind"] == kind]
        output = given.get("output", players.get("output"))
        derived = [name for name in fitting if spaces[name].get("of") == output]
        if derived or fitting:
            players[role] = (derived or fitting)[0]
    for name, settings in spaces.items():
        part = _reverse_transfer_role(settings, experiment_corpus)
        # word2vec that the study calls in-domain, whatever its corpus, is not out-of-domain too.
        if part is not None and name not in (given.get(role) for role in WORD2VEC_ROLES):
            players.setdefault(part, name)
    return {NO_EMBEDDINGS: NO_SPACE} | players | dict(given)


def _reverse_transfer_role(settings: Mapping[str, Any], experiment_corpus: str | None) -> str | None:
    """The role that a space could play in the experiment of Verwimp & Bellegarda (2019)."""
    kind = settings["kind"]
    if kind == "domain_classifier":
        return f"domain_classifier_{settings.get('level', 'paragraphs')}"
    if kind == "bilm":
        return "bidirectional_lm"
    if kind == "word2vec" and experiment_corpus is not None:
        own = settings.get("corpus") == experiment_corpus
        return WORD2VEC_ROLES[0 if own else 1]
    return None


def judge(claims: Sequence[Claim], findings: Sequence[Finding], *, alpha: float) -> list[ClaimRow]:
    """Correct the findings for their number, and give the verdicts."""
    corrected = holm([finding.p_value for finding in findings])
    against = holm([p for finding in findings for p in finding.p_against])
    rows = []
    for claim, finding, p_holm in zip(claims, findings, corrected, strict=True):
        own, against = against[: len(finding.p_against)], against[len(finding.p_against) :]
        n_refuting = sum(p is not None and p < alpha for p in own)
        verdict = _verdict(finding, p_holm, n_refuting, alpha)
        reason = finding.reason
        if finding.p_against:
            reason += f"; significantly against on {n_refuting} of {len(own)}"
        rows.append(
            ClaimRow(
                claim=claim.number,
                source=claim.source,
                statement=claim.statement,
                spaces=finding.spaces,
                verdict=verdict,
                effect=finding.effect,
                ci_low=finding.ci_low,
                ci_high=finding.ci_high,
                p_value=finding.p_value,
                p_holm=p_holm,
                n_datasets=finding.n_datasets,
                n_used=finding.n_used,
                n_total=finding.n_total,
                method=finding.method,
                reason=reason,
            )
        )
    return rows


def _verdict(finding: Finding, p_holm: float | None, n_refuting: int, alpha: float) -> str:
    if finding.effect is None:
        return NOT_TESTED
    significant = p_holm is not None and p_holm < alpha
    if n_refuting or (significant and finding.effect < 0):
        return CONTRADICTED
    if significant and finding.effect > 0 and finding.sets_agree and finding.complete:
        return SUPPORTED
    return NOT_DECIDED
