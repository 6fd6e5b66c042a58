"""Chunks of text encoded by worker processes, given back in the order of the text."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType

from lexiscope.corpora.interning import Casing, InternedChunk, intern
from lexiscope.corpora.readers import Chunk, Reader, to_sentences
from lexiscope.corpora.segmentation import Segmenter
from lexiscope.errors import LexiscopeError

_segmenter = Segmenter()


@dataclass(frozen=True)
class EncodedChunk:
    """A chunk's tokens, what was counted on the way, and the size of its text."""

    tokens: InternedChunk
    counts: Counter[str]
    n_bytes: int


def encode_chunk(chunk: Chunk, reader: Reader, casing: Casing) -> EncodedChunk:
    """Read, segment where needed, and intern one chunk."""
    counts: Counter[str] = Counter()
    sentences = to_sentences(chunk, reader, _segmenter, counts)
    tokens = intern(sentences, casing, counts)
    if reader == "sentences":
        counts["text_lines"] = counts["sentences"] - counts["sentence_cuts"]
        counts["blank_lines"] = counts.pop("empty_sentences")
    return EncodedChunk(tokens, counts, len(chunk.text))


class ChunkEncoder:
    """Encodes streams of chunks on ``n_processes`` processes; with one, in this process.

    At most two chunks a process are in flight, which bounds the memory.
    """

    def __init__(self, n_processes: int) -> None:
        self._n_processes = n_processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> ChunkEncoder:
        if self._n_processes > 1:
            # Not "spawn": it would run the main script again, which is not made for that in a workflow.
            self._pool = ProcessPoolExecutor(
                self._n_processes,
                mp_context=multiprocessing.get_context("fork"),
                initializer=_exit_with,
                initargs=(os.getpid(),),
            )
            # Fork now, before this process has threads (such as that of a progress bar).
            self._pool.submit(os.getpid).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def encode(self, chunks: Iterator[Chunk], reader: Reader, casing: Casing) -> Iterator[EncodedChunk]:
        """Yield the encoded chunks in order.

        Raises
        ------
        LexiscopeError
            If a worker process was killed, which mostly is for lack of memory.
        """
        if self._pool is None:
            yield from (encode_chunk(chunk, reader, casing) for chunk in chunks)
            return
        waiting: deque[Future[EncodedChunk]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self._pool.submit(encode_chunk, chunk, reader, casing))
                if len(waiting) >= 2 * self._n_processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise LexiscopeError(
                "a process that encodes text was killed", remedy="is there enough memory? Try fewer threads"
            ) from None
        finally:
            for future in waiting:
                future.cancel()


def _exit_with(parent: int) -> None:
    """End this worker soon after its parent: a killed parent cannot do it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
