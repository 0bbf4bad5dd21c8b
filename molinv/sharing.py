"""Choose the device, and make OpenMP threads sleep while other processes need the cores."""

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

# the last three pin threads to cores: the process's cores then say nothing about a thread's
SET_BY_USER = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_PROC_BIND", "OMP_PLACES")
SET_BY_USER += ("GOMP_CPU_AFFINITY",)
INTERVAL = 0.2  # seconds between two readings of the cores' use
SPARE = 0.2  # cores that others may use before spinning costs more than it saves


def choose_device(name: str = "auto") -> torch.device:
    """The device to compute on; "auto" is CUDA if it is available, else MPS, else the CPU.

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
    """Whether the device has bfloat16 instructions.

    On a CPU without them, bfloat16 takes forty times as long as float32.
    """
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
    """Make torch's OpenMP threads sleep instead of spin while other processes need the cores.

    molinv's commands and functions use it. For a training loop of your own, use it as a context
    manager or a decorator. It may be nested.

    A thread that reaches the end of a parallel region spins for some milliseconds while it waits
    for the other threads and for the next region. On free cores spinning is right: waking a
    sleeping thread takes longer than most regions, and sleeping makes a training step 1.6 times as
    long. On a core that another process wants, a spinning thread takes time from the threads that
    it waits for, and a step takes 3 to 10 times as long. libgomp chooses once, when it starts.
    This context manager reads the use of the cores five times a second and switches between the
    two. The number of threads stays the same, and so do the results.

    Does nothing if the user has set one of the variables SET_BY_USER (OMP_WAIT_POLICY,
    GOMP_SPINCOUNT, or one that pins threads), if torch has one thread, and without Linux or
    libgomp.
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
    """The libgomp that torch has loaded; None if its way of waiting may not be changed."""
    if any(name in os.environ for name in SET_BY_USER) or torch.get_num_threads() == 1:
        return None
    try:
        rows = Path("/proc/self/maps").read_text().splitlines()
        paths = [Path(row.split(maxsplit=5)[5]) for row in rows if "/libgomp" in row]
        # other packages may load a libgomp of their own, which torch does not use
        paths.sort(key=lambda path: not path.is_relative_to(Path(torch.__file__).parent))
        return ctypes.CDLL(str(paths[0])) if paths and cores_busy() > 0 else None
    except OSError:
        return None


def cores_busy() -> float:
    """Busy time since the system started, in seconds, summed over the cores of this process.

    0 if the system does not count it. Includes time that other virtual machines took (steal).
    """
    names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    with open("/proc/stat") as file:
        for row in file:
            name, *fields = row.split()
            if not name.startswith("cpu"):
                break
            if name in names:
                # user, nice, system, irq, softirq, steal; without idle and iowait
                ticks += sum(map(int, fields[:3] + fields[5:8]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Sleepers:
    """Makes all waiting OpenMP threads of the process sleep early while it is held.

    With more OpenMP threads than CPUs, a waiting thread spins 100 times instead of 300,000
    (libgomp manual, GOMP_SPINCOUNT). This class keeps a second team of sleeping threads, just large
    enough to exceed the number of CPUs.
    """

    def __init__(self, runtime: ctypes.CDLL, threads: int):
        self._runtime = runtime
        # with the team of `threads`, one thread more than cores; the size counts the caller
        self._size = max(2, len(os.sched_getaffinity(0)) - threads + 2)
        self._release = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        return self._thread is not None

    def hold(self, wanted: bool) -> None:
        """Hold the sleeping team, or release it. Repeating a call changes nothing."""
        if wanted and self._thread is None:
            self._release.clear()
            # in a separate thread: libgomp frees a team when the thread that made it ends
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
    """Reads the cores' use in a thread, and holds Sleepers while other processes need them."""

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
    """In seconds: a clock's time, the cores' busy time, and this process's CPU time."""
    return time.monotonic(), cores_busy(), time.process_time()


def others_use(before: tuple[float, float, float], now: tuple[float, float, float]) -> float:
    """How many cores other processes used between two readings."""
    seconds, all_, own = (b - a for a, b in zip(before, now, strict=True))
    return (all_ - own) / seconds


def crowded(threads: int, others: float, cores: int) -> bool:
    """Whether `threads` must wait for a core while other processes use `others` of `cores`."""
    return threads + others > cores + SPARE
