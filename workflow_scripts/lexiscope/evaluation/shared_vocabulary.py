"""The words that all spaces of a study have, so that they can be judged on the same ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from lexiscope.embeddings.space import load_space
from lexiscope.errors import LexiscopeError
from lexiscope.files import open_binary, write_text
from lexiscope.stage import stage_entry

logger = logging.getLogger("lexiscope")


@stage_entry
def share_vocabulary(*, spaces: Sequence[Path], output: Path) -> None:
    """Write the words that every space has, one a line, in the order of the first.

    Raises
    ------
    LexiscopeError
        If a space cannot be read, or no word is common to all.
    """
    first, *others = [load_space(path).words for path in spaces]
    common = set(first).intersection(*others)
    if not common:
        raise LexiscopeError("the spaces have no word in common", remedy="set protocol.vocabulary to 'own'")
    logger.info("%d words are common to %d spaces, of %d", len(common), len(spaces), len(first))
    write_text(output, "".join(f"{word}\n" for word in first if word in common))


def read_vocabulary(path: str | Path) -> tuple[str, ...]:
    """Read what `share_vocabulary` wrote."""
    with open_binary(path) as stream:
        return tuple(stream.read().decode("utf-8").split("\n")[:-1])
