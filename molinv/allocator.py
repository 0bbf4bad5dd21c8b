"""How the C library treats memory that tensors give back."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_memory() -> bool:
    """Keep what tensors free for those that follow, in this process; whether that was possible.

    glibc hands large blocks back to the system at once and maps them anew a step later, page by
    page: 4,000 page faults and about an eighth of the time of a training step on a CPU. Memory
    stays at its peak in exchange. Only glibc has this setting.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, 2**30) and mallopt(_TRIM_THRESHOLD, 2**31 - 1))
