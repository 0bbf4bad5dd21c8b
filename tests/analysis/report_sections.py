"""Sections that a report must cope with: unusual names, missing values, no content."""

from math import cos, nan, pi

import torch

from molinv.analysis.section import Chart, Globe, Grid, Section, Series

EVIL = "</script><script>window.hacked=1</script><img src=x onerror=hacked=1>"
LONG = "an unreasonably long name of a molecule " * 12
MATH = "cost in $ and %{y} and {braces} $"
ANGLES = [float(a) for a in range(0, 181, 10)]
WATER = ([[0.0, 0.0, 0.12], [0.76, 0.0, -0.47], [-0.76, 0.0, -0.47]], [8, 1, 1])
FACTS = {"model": "point", "data": EVIL}
VERDICT = ["It is invariant to within 3 meV.", EVIL, "Third.", "Fourth.", "Fifth."]


def chart(name="curve", height=10.0):
    y = [height * (2 - cos(pi * a / 180)) for a in ANGLES]
    low, high = [v - 1 for v in y], [v + 1 for v in y]
    gap = [nan if i == 3 else v for i, v in enumerate(y)]
    series = [Series("about x", ANGLES, gap, low, high), Series(EVIL, ANGLES, y, style="dashed")]
    return Chart(
        name,
        "Error by angle",
        "angle (degrees)",
        "MAE (meV)",
        series,
        "A caption.",
        vertical=[(40.0, "5 %")],
    )


def globe(name="map", scale=1.0):
    latitude = [float(v) for v in range(-90, 91, 15)]
    longitude = [float(v) for v in range(-180, 180, 15)]
    values = [[scale * cos(pi * b / 180) * cos(pi * a / 180) for b in longitude] for a in latitude]
    return Globe(name, "From everywhere", EVIL, latitude, longitude, values, EVIL, *WATER)


def sections():
    bars = Series(
        LONG, ["homo", EVIL, LONG, MATH], [1.0, nan, 3.0, 4.0], [0.5] * 4, [5.0] * 4, "bar"
    )
    other = Series("points", ["homo", EVIL, LONG, MATH], [2.0] * 4, style="points")
    named = Chart("bars", LONG, MATH, EVIL, [bars, other])
    logs = Series("power", [1.0, 2.0, 3.0], [1.0, 0.0, 1e-6])
    grid = Grid("Rows", ["name", "value", EVIL], [[LONG, 1234.5678, nan], [EVIL, 12, None]])
    return [
        Section("curves", "Tolerance", [EVIL], [chart(), named], [grid], {"x": nan, "y": [1.5]}),
        Section("space", "From every side", ["One."], [globe()], numbers={"n": torch.ones(2)}),
        Section("power", "By degree", [], [Chart("log", "Power", "l", "p", [logs], log_y=True)]),
        Section("empty", "Nothing at all"),
        Section("audit", "Audit", missing=f"there were too few molecules in {EVIL}."),
    ]
