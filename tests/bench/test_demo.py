"""What the demo says at its end: how far the distribution opened, and well-known molecules."""

from rich.console import Console

from molinv.bench.demo import opening
from molinv.bench.demo.drawing import draw
from molinv.bench.demo.known import MOLECULES, Known, known_table

ROWS = "epoch,extent_wx,extent_wy\n0,0.05,0.05\n1,1.5,0.2\n2,3.11,0.3\n"
TARGETS = ("homo", "lumo", "gap")


def known(name, trained):
    value = dict(zip(TARGETS, (-10533.4, 3187.2, 13730.1), strict=True))
    low = {t: v - 1200 for t, v in value.items()}
    high = {t: v + 3178 for t, v in value.items()}
    return Known(name, trained, value, low, high, value)


def test_the_opening_is_shown_from_its_start_to_its_end(tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    extents = {
        "wx": {"value": 3.11, "unit": "rad", "cap": 3.14},
        "wy": {"value": 0.3, "unit": "rad", "cap": 3.14},
    }
    lines = opening(tmp_path, {"extents": extents})
    assert "wx  0.05 -> 3.11 rad" in lines[2]
    assert lines[2].count("#") == 40
    assert lines[3].count("#") == 4
    assert max(map(len, lines)) <= 80


def test_well_known_molecules_fit_80_columns_and_test_molecules_are_marked():
    console = Console(record=True, width=80)
    longest = max(MOLECULES, key=len)
    console.print(known_table([known("water", True), known(longest, False)]))
    text = console.export_text()
    assert f"{longest} +" in text
    assert "-10533 ± 3178" in text
    assert text.count("QM9") == 4
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_one_picture_has_both(tmp_path):
    (tmp_path / "metrics.csv").write_text(ROWS)
    path = draw(tmp_path, [known("water", True), known("THF", False)])
    assert path.read_bytes().startswith(b"\x89PNG")
