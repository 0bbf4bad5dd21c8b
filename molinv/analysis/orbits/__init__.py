"""What a function predicts for a molecule in every orientation.

orbits.py      the sweep over molecules and orientations; resolved.py chooses the orientations
statistics.py  report section: standard deviations over orientations
spectrum.py    report section: power by Wigner-D degree
maps.py        report section: the prediction from every direction (views.py)
"""

from __future__ import annotations

from .orbits import Orbits, length_squared, probe, sweep, values_at, width

__all__ = ["Orbits", "length_squared", "probe", "sweep", "values_at", "width"]
