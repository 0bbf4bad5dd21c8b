"""Predict libraries of molecules in runs that can be interrupted and resumed.

run       predict_library: from files of any size to one table
ahead     read items in a thread
chunk     Settings and predict_chunk: from records to rows, the same in any process
on_ray    predict chunks on a Ray cluster
shards    finished rows on disk, joined into one file at the end
"""

from __future__ import annotations

from .chunk import Settings, predict_chunk
from .run import Summary, predict_library

__all__ = ["Settings", "Summary", "predict_chunk", "predict_library"]
