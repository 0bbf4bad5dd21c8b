"""Libraries of molecules, predicted in one run that can be interrupted.

library   predict_library: a file of any length in, one table out
ahead     reading in a thread
chunk     Settings and predict_chunk: records in, rows out, the same wherever it runs
on_ray    the same on a Ray cluster
shards    what is already done, on disk; joined into one file at the end
"""

from __future__ import annotations

from .chunk import Settings, predict_chunk
from .run import Summary, predict_library

__all__ = ["Settings", "Summary", "predict_chunk", "predict_library"]
