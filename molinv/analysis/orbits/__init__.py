"""What a function says of a molecule in every orientation.

orbits.py      the one pass over molecules and orientations
statistics.py  report section: standard deviations over orientations
spectrum.py    report section: power by Wigner-D degree
maps.py        report section: the prediction from every direction (views.py)
"""

from __future__ import annotations

from .orbits import Orbits, length_squared, sweep, values_at, width

__all__ = ["Orbits", "length_squared", "sweep", "values_at", "width"]
