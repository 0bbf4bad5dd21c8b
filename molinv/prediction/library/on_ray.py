"""Predict the chunks of a library on a Ray cluster.

Needs the extra `ray`. A run folder must have the same path on every machine; a shipped model needs
no path. The library is read on this machine, and rows are returned to it.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...chem.parallel import finish_all
from ...chem.structure import Item
from ...errors import InputError
from .chunk import Settings, predict_chunk, tabulate

if TYPE_CHECKING:
    import pyarrow as pa

Part = tuple[int, Sequence[Item]]  # the first record's row in the library, and the records


def on_ray(parts: Iterable[Part], settings: Settings, workers: int = 0) -> Iterator[pa.Table]:
    """Yield `predict_chunk` of each part, in order.

    `workers` parts are predicted at once, or as many as the cluster has CPUs if it is 0. Uses the
    cluster that RAY_ADDRESS names or that runs on this machine. Otherwise a local one is started,
    and stopped after the last part. If a worker process dies, for example because a molecule
    crashes RDKit, its part is predicted here, and one further process searches its conformers.
    Raises InputError if Ray is not installed.
    """
    if settings.model is not None and os.path.isdir(settings.model):
        settings = replace(settings, model=os.path.abspath(settings.model))
    with _cluster(workers) as ray:
        remote = ray.remote(num_cpus=1, max_retries=1)(predict_chunk)
        most = workers or int(ray.cluster_resources().get("CPU", 1))
        waiting: deque[tuple[Part, Any]] = deque()

        def first() -> pa.Table:
            (row, records), made = waiting.popleft()
            try:
                return ray.get(made)
            except ray.exceptions.WorkerCrashedError:
                return tabulate([*finish_all(records, settings.options, 1)], settings, row)
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, InputError):
                    raise error.cause from None
                raise

        for row, records in parts:
            waiting.append(((row, records), remote.remote(records, settings, row)))
            if len(waiting) > most:  # one part more than workers, so that no worker is idle
                yield first()
        while waiting:
            yield first()


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    """Ray, connected to a cluster; a cluster that was started here is stopped."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
        import ray.exceptions  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("the engine ray needs: pip install 'molinv[ray]'.") from None
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except ConnectionError:
        ray.init(
            num_cpus=workers or None,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        yield ray
    finally:
        ray.shutdown()
