"""Finishing records in several processes, with the same results in the same order.

Processes are spawned, not forked, because a fork of a process with torch threads can hang.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from ..errors import InputError
from .structure import Item, ReadOptions, Rejected, Structure, finish

TASK = 16  # records sent at once: about 0.1 s of conformer searches
AHEAD = 1024  # most records that are queued or finished ahead of the consumer
CRASHED = "RDKit crashed on this molecule; give 3-D coordinates in an .sdf or .xyz file"

Finished = list[Structure | Rejected]


def finish_all(
    items: Iterable[Item], options: ReadOptions, workers: int = 0, ahead: int = AHEAD
) -> Iterator[Structure | Rejected]:
    """`finish` every record with `workers` processes; 0 finishes them lazily in this process.

    At most `ahead` records are in memory. A molecule that crashes its process is returned as
    Rejected and does not affect the others. Raises InputError for fewer than 0 workers, and if
    processes cannot be started.
    """
    if workers < 0:
        raise InputError(f"expected 0 worker processes or more, got {workers}")
    if workers == 0:
        return (finish(item, options) for item in items)
    return _in_processes(iter(items), options, workers, max(1, ahead // TASK))


def _in_processes(
    items: Iterator[Item], options: ReadOptions, workers: int, ahead: int
) -> Iterator[Structure | Rejected]:
    pool = _Pool(workers, options)
    try:
        waiting: deque[tuple[list[Item], Future[Finished]]] = deque()
        while True:
            while len(waiting) < ahead and (task := list(islice(items, TASK))):
                waiting.append((task, pool.submit(task)))
            if not waiting:
                return
            task, future = waiting.popleft()
            try:
                done = future.result()
            except BrokenProcessPool:
                done = pool.one_by_one(task)
                waiting = deque((t, f if _sound(f) else pool.submit(t)) for t, f in waiting)
            yield from done
    finally:
        pool.stop()


def _sound(future: Future[Finished]) -> bool:
    return future.done() and future.exception() is None


class _Pool:
    """A pool of worker processes, restarted when one of them dies."""

    def __init__(self, workers: int, options: ReadOptions) -> None:
        self._workers, self._options = workers, options
        self._start()

    def submit(self, task: list[Item]) -> Future[Finished]:
        try:
            return self._executor.submit(_finish, task, self._options)
        except BrokenProcessPool:  # a process has died; report it through the future
            broken: Future[Finished] = Future()
            broken.set_exception(BrokenProcessPool())
            return broken

    def one_by_one(self, task: list[Item]) -> Finished:
        """Repeat a task during which a process died, to find the record that crashed it."""
        self._restart()
        done: Finished = []
        for item in task:
            try:
                done += self.submit([item]).result()
            except BrokenProcessPool:
                done.append(Rejected(item.name, item.source, CRASHED))
                self._restart()
        return done

    def stop(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _restart(self) -> None:
        self.stop()
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(self._workers, context, _prepare)
        try:
            self._executor.submit(_finish, [], self._options).result()
        except BrokenProcessPool:
            raise InputError(
                "worker processes cannot be started: in a script, put the code that asks for "
                'them under `if __name__ == "__main__":`'
            ) from None


def _prepare() -> None:
    """Set up a worker: ignore Ctrl-C, which the parent handles, and exit with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _finish(task: list[Item], options: ReadOptions) -> Finished:
    return [finish(item, options) for item in task]
