"""Which device computes, and how OpenMP's threads wait while other processes use the cores."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from .errors import InputError

# the last three pin threads: the cores that a thread may use are then not the process's
SET_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES")
SET_BY_USER += ("GOMP_CPU_AFFINITY",)
INTERVAL = 0.2  # seconds between two looks at the cores
SPARE = 0.2  # cores that others may use before spinning costs more than it saves


def choose_device(name: str = "auto") -> torch.device:
    """The device to compute on; "auto" is CUDA's where there is one, else mps, else the CPU.

    Raises InputError for a device that is not on this machine.
    """
    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there[:0] = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if name not in ("auto", *there):
        raise InputError(f"no device {name!r} here: expected auto or one of {', '.join(there)}.")
    return torch.device(there[0] if name == "auto" else name)


def has_bf16(device: torch.device) -> bool:
    """Whether it has instructions for bf16, which takes forty times as long as float32 without."""
    if device.type != "cpu":
        return True
    found = torch.cpu.get_capabilities()
    return found.get("architecture") != "x86_64" or any(
        found.get(name) for name in ("avx512_bf16", "amx_bf16")
    )


_lock = threading.Lock()
_entered = 0
_watch: _Watch | None = None


@contextmanager
def share_cores() -> Iterator[None]:
    """Let torch's OpenMP threads sleep instead of spin while other processes need the cores.

    Also a decorator, for training loops of your own; molinv's commands and functions have it. A
    thread that reaches the end of a parallel region spins for some milliseconds in wait of the
    others and of the next region. On free cores that is right: waking a sleeping thread takes
    longer than most regions, and sleeping makes a training step 1.6 times as long. On a core that
    another process wants, it uses up the share of the very threads that are waited for: a step then
    takes 3 to 10 times as long. libgomp decides once at its start, so this looks at the cores five
    times a second and switches. Results do not change: the number of threads is the same. Does
    nothing where the user has set OMP_WAIT_POLICY or GOMP_SPINCOUNT, with one thread, and without
    Linux or libgomp. May be nested.
    """
    global _entered, _watch
    with _lock:
        _entered += 1
        if _entered == 1 and (runtime := _switchable()) is not None:
            _watch = _Watch(runtime, torch.get_num_threads())
    try:
        yield
    finally:
        with _lock:
            _entered -= 1
            if _entered == 0 and _watch is not None:
                _watch.stop()
                _watch = None


def _switchable() -> ctypes.CDLL | None:
    """The libgomp that torch has loaded, if how it waits may be changed."""
    if any(name in os.environ for name in SET_BY_USER) or torch.get_num_threads() == 1:
        return None
    try:
        rows = Path("/proc/self/maps").read_text().splitlines()
        paths = [Path(row.split(maxsplit=5)[5]) for row in rows if "/libgomp" in row]
        # other packages may bring their own, which torch does not use
        paths.sort(key=lambda path: not path.is_relative_to(Path(torch.__file__).parent))
        return ctypes.CDLL(str(paths[0])) if paths and cores_busy() > 0 else None
    except OSError:
        return None


def cores_busy() -> float:
    """Seconds that the cores this process may use have been busy since the system started.

    0 where the system does not count them. Time stolen by a host's other machines is included.
    """
    names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    with open("/proc/stat") as file:
        for row in file:
            name, *fields = row.split()
            if not name.startswith("cpu"):
                break
            if name in names:
                # user, nice, system; idle and iowait are left out; irq, softirq, steal
                ticks += sum(map(int, fields[:3] + fields[5:8]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Sleepers:
    """While held, all of the process's OpenMP threads sleep soon when they wait.

    libgomp's manual, GOMP_SPINCOUNT: with more OpenMP threads than CPUs a thread spins 100 times
    in place of 300,000. So this keeps as many as that takes, asleep, in a team of their own.
    """

    def __init__(self, runtime: ctypes.CDLL, threads: int):
        self._runtime = runtime
        # beside the team of `threads` one more than the cores, of which the caller is counted
        self._size = max(2, len(os.sched_getaffinity(0)) - threads + 2)
        self._release = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        return self._thread is not None

    def hold(self, wanted: bool) -> None:
        """Hold, or release; either may be asked for again."""
        if wanted and self._thread is None:
            self._release.clear()
            # a thread of its own, because libgomp frees a team when the thread that made it ends
            self._thread = threading.Thread(target=self._keep, name="molinv-sleepers", daemon=True)
            self._thread.start()
        elif not wanted and self._thread is not None:
            self._release.set()
            self._thread.join()
            self._thread = None

    def _keep(self) -> None:
        harmless = ctypes.cast(self._runtime.omp_get_thread_num, ctypes.c_void_p)
        self._runtime.GOMP_parallel(harmless, None, self._size, 0)
        self._release.wait()


class _Watch:
    """Looks at the cores in a thread and holds Sleepers while others use what is needed here."""

    def __init__(self, runtime: ctypes.CDLL, threads: int):
        self.sleepers, self._threads = Sleepers(runtime, threads), threads
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="molinv-sharing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        before = _used()
        while not self._stopped.wait(INTERVAL):
            now = _used()
            others = others_use(before, now)
            self.sleepers.hold(crowded(self._threads, others, len(os.sched_getaffinity(0))))
            before = now
        self.sleepers.hold(False)


def _used() -> tuple[float, float, float]:
    """Seconds: of a clock, used of the cores by all, and used by this process."""
    return time.monotonic(), cores_busy(), time.process_time()


def others_use(before: tuple[float, float, float], now: tuple[float, float, float]) -> float:
    """How many cores other processes used between two readings."""
    seconds, all_, own = (b - a for a, b in zip(before, now, strict=True))
    return (all_ - own) / seconds


def crowded(threads: int, others: float, cores: int) -> bool:
    """Whether so many threads, beside others that use so many cores, have to wait for a core."""
    return threads + others > cores + SPARE
