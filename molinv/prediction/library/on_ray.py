"""The chunks of a library on a Ray cluster: `predict_chunk`, wherever there is room for it.

Needs the extra `ray`. The model's folder has to lie at the same path on every machine, unless it is
a shipped model; the library itself is read here, and rows come back here.
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

Part = tuple[int, Sequence[Item]]  # the library's row that its first record is, and the records


def on_ray(parts: Iterable[Part], settings: Settings, workers: int = 0) -> Iterator[pa.Table]:
    """`predict_chunk` of each part, in their order, `workers` at once (0: as the cluster has CPUs).

    On the cluster that RAY_ADDRESS names or that runs on this machine, else on one that is started
    here and ends with the last part. A part whose process dies, as at a molecule that crashes
    RDKit, is worked on here, one molecule at a time if need be. Raises InputError without Ray.
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
            if len(waiting) > most:  # one more than there is room for, so that none waits
                yield first()
        while waiting:
            yield first()


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    """Ray, connected to a cluster; what was started here is stopped."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
        import ray.exceptions  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("engine ray needs the package: pip install 'molinv[ray]'.") from None
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
