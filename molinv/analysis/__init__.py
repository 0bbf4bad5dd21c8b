"""Analysis: what a run has learned.

accuracy.py   errors on the test molecules: as stored, rotated, averaged
curves.py     the losses and extents of a run over time
"""
