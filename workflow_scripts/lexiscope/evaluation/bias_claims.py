"""What the softmax bias says about the claims on it (Derby et al. 2020, appendix)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.evaluation.bootstrap import resample_counts
from lexiscope.evaluation.claims_registry import BiasPrediction, BiasTracksCount
from lexiscope.evaluation.config import ProtocolConfig
from lexiscope.evaluation.evidence import Finding
from lexiscope.evaluation.metrics import pearson
from lexiscope.evaluation.paired import Difference, standard_error
from lexiscope.files import read_json

PAPER_CORRELATION = 0.85
"""Pearson's r of the bias and the logarithm of the count in lm_1b (Derby et al. 2020, appendix)."""


def weigh_bias_against_count(
    claim: BiasTracksCount,
    players: Mapping[str, str],
    output_spaces: Sequence[Path],
    protocol: ProtocolConfig,
) -> Finding:
    """Pearson's r of the bias and ln(count) over the words that were counted, resampled over words.

    Raises
    ------
    LexiscopeError
        If a space cannot be read.
    """
    name = players.get(claim.role)
    if name is None:
        return Finding(f"({claim.role})", f"no space plays the part of {claim.role}")
    path = next((path for path in output_spaces if Path(path).stem == name), None)
    if path is None:
        return Finding(name, "the vectors of the space are not at hand")
    space = load_space(path)
    lacking = [column for column in ("bias", "count") if column not in space.columns]
    if lacking:
        return Finding(name, f"the space has no {' and no '.join(lacking)} for its words")
    bias, count = (space.columns[column].astype(np.float64) for column in ("bias", "count"))
    usable = np.isfinite(bias) & (count > 0)
    bias, log_count = bias[usable], np.log(count[usable])
    (r,) = pearson(bias, log_count, np.ones((1, len(bias)), dtype=np.int64))
    if not math.isfinite(r):
        return Finding(name, f"the correlation over {len(bias)} of {len(space)} words is undefined")
    blocks = resample_counts(
        len(bias), n_resamples=protocol.n_bootstrap, seed=protocol.seed, name="bias:log_count"
    )
    replicates = np.concatenate([[], *(pearson(bias, log_count, counts) for counts in blocks)])
    found = Difference(
        value=float(r),
        replicates=replicates,
        standard_error=standard_error(replicates, len(bias)),
        degrees=float(len(bias) - 1),
        n_common=len(bias),
        n_total=len(space),
    )
    low, high = found.interval(protocol.confidence)
    return Finding(
        name,
        f"Pearson's r over words; the paper found {PAPER_CORRELATION}",
        effect=found.value,
        ci_low=low,
        ci_high=high,
        p_value=found.p_value,
        n_datasets=1,
        n_used=found.n_common,
        n_total=found.n_total,
        method=f"t from bootstrap over words ({protocol.n_bootstrap})" if low is not None else "",
    )


def weigh_bias_prediction(
    claim: BiasPrediction, players: Mapping[str, str], predictions: Sequence[Path]
) -> Finding:
    """How much lower the squared error of the one role's vectors is than that of the other's.

    Raises
    ------
    LexiscopeError
        If a file cannot be read or is no product of `predict_bias`.
    """
    roles = (claim.winner, claim.loser)
    described = " > ".join(players.get(role, f"({role})") for role in roles)
    lacking = [role for role in roles if role not in players]
    if lacking:
        return Finding(described, f"no space plays the part of {', '.join(lacking)}")
    for path in predictions:
        content = read_json(path)
        try:
            if (content["space"], content["of"]) != tuple(players[role] for role in roles):
                continue
            if content["status"] != "ok":
                return Finding(described, str(content["reason"]))
            (row,) = [
                row for row in content["differences"] if {row["a"], row["b"]} == {claim.winner, claim.loser}
            ]
            sign = -1.0 if row["a"] == claim.winner else 1.0  # less error is in favour
            effect = sign * row["mse_difference"]
            low, high = sorted(sign * row[end] for end in ("low", "high"))
            degrees = content["n_splits"] - 1
            error = (high - low) / 2 / stats.t.ppf((1 + content["confidence"]) / 2, degrees)
            n_words, target = int(content["n_words"]), str(content["target"])
        except (KeyError, TypeError, ValueError) as problem:
            raise LexiscopeError(f"not a bias prediction ({problem!r})", where=path) from None
        # Without any spread over the divisions, the error is at most one in all of them.
        p_value = 1.0 if effect == 0 else 1 / (content["n_splits"] + 1)
        if error > 0:
            p_value = float(2 * stats.t.sf(abs(effect) / error, degrees))
        note = "" if target == "bias" else "; the softmax has no bias, so log counts stand in for it"
        return Finding(
            described,
            f"mean squared error of linear regressions, {players[claim.loser]} less {players[claim.winner]}"
            + note,
            effect=effect,
            ci_low=low,
            ci_high=high,
            p_value=p_value,
            n_datasets=1,
            n_used=n_words,
            n_total=n_words,
            method=f"corrected resampled t over {content['n_splits']} divisions",
        )
    return Finding(described, "the bias was not predicted from these spaces")
