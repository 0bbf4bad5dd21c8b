"""Read items in a thread while the network runs; its operations release the GIL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from queue import Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")

PIECE = 32  # items passed between the threads at once
PAUSE = 0.2  # seconds between two checks whether the reader should stop


def ahead(items: Iterator[T], most: int) -> Iterator[T]:
    """Yield the same items, with up to about `most` of them read in advance.

    An exception of the reader is raised here, at its place in the sequence. If the caller stops
    early, the reader ends after its current piece.
    """
    pieces: Queue[tuple[list[T], BaseException | None]] = Queue(max(1, most // PIECE))
    stopped = threading.Event()

    def put(piece: Any) -> None:
        while not stopped.is_set():
            try:
                return pieces.put(piece, timeout=PAUSE)
            except Full:
                continue

    def run() -> None:
        while not stopped.is_set():
            piece: list[T] = []
            try:
                piece.extend(islice(items, PIECE))
            except BaseException as error:
                put((piece, error))
                return
            put((piece, None))
            if not piece:
                return

    threading.Thread(target=run, daemon=True).start()
    try:
        while True:
            piece, error = pieces.get()
            yield from piece
            if error is not None:
                raise error
            if not piece:
                return
    finally:
        stopped.set()
