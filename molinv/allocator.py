"""A setting of the C library's memory allocator that makes training on a CPU faster."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_memory() -> bool:
    """Make the allocator of this process keep freed memory for later tensors.

    By default glibc returns large blocks to the system at once and maps them again in the next
    step, page by page: 4,000 page faults and about an eighth of the time of a training step on a
    CPU. In exchange, the memory use of the process stays at its peak. Only glibc has this setting.
    Returns whether it was changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, 2**30) and mallopt(_TRIM_THRESHOLD, 2**31 - 1))
