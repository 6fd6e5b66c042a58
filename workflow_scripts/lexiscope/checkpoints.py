"""Unfinished work on disk, so that a killed job goes on where it was.

A checkpoint is never a workflow output: Snakemake deletes outputs before it reruns a rule. It lies beside
them, carries the identity of the work it belongs to, and is ignored by any other work.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lexiscope.files import atomic_path, sha256_file, write_text

logger = logging.getLogger("lexiscope")

SAVE_INTERVAL_SECONDS = 60.0


class Checkpoint:
    """Named sets of arrays in one folder.

    Parameters
    ----------
    folder
        Where they lie; made when something is saved.
    identity
        A digest of everything that the unfinished work depends on. What was saved under another identity
        is not returned.
    """

    def __init__(self, folder: str | Path, identity: str) -> None:
        self.folder = Path(folder)
        self.identity = identity
        self._saved_at = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last save is long enough ago to be worth another."""
        return time.monotonic() - self._saved_at >= SAVE_INTERVAL_SECONDS

    def save(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Save ``arrays`` under ``name``, replacing what was there."""
        path = self._path(name)
        header = {"identity": self.identity}
        with atomic_path(path) as temporary:
            contiguous = {key: np.asarray(array, order="C") for key, array in arrays.items()}
            save_file(contiguous, temporary, metadata={"lexiscope": json.dumps(header)})
            digest = sha256_file(temporary)
            # The digest goes first: a kill between the two renames leaves a pair that does not match,
            # which is treated as absent.
            write_text(self._digest_path(name), digest)
        self._saved_at = time.monotonic()

    def load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The arrays saved under ``name``; None if there are none, or they are damaged or of other work."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            if self._digest_path(name).read_text(encoding="utf-8") != sha256_file(path):
                raise ValueError("its bytes do not match their digest")
            with safe_open(path, framework="np") as file:
                header = json.loads((file.metadata() or {})["lexiscope"])
                if header["identity"] != self.identity:
                    logger.info("checkpoint %s is of other settings or data and is not used", path.name)
                    return None
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            logger.warning("checkpoint %s is damaged and is not used (%s)", path.name, error)
            return None

    def remove(self) -> None:
        """Delete the folder: the work is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"

    def _digest_path(self, name: str) -> Path:
        return self.folder / f"{name}.sha256"
