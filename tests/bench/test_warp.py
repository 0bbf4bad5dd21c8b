"""`molinv bench warp`: kornia gets the same maps in pixels, and groups must be learnable."""

import json

import pytest
import torch

from molinv import groups
from molinv.actions import warping
from molinv.bench import warp
from molinv.cli import main


@pytest.mark.parametrize("name", ["SO2", "T(2)", "SE2", "Affine2", "Scaling(2)"])
def test_pixel_maps_agree_with_the_group_elements(name):
    group = groups.find(name).double()
    g = group.exp(0.2 * torch.randn(3, group.k, dtype=torch.float64))
    maps, p = warp.to_pixels(group, g, 6, 9), warping.places(6, 9)
    moved = p @ group.linear(g)[:, None].mT
    if group.homogeneous:
        moved = moved + g[:, None, None, :-1, -1]
    row, column = torch.meshgrid(torch.arange(6.0), torch.arange(9.0), indexing="ij")
    index = torch.stack([column, row, torch.ones(6, 9)], -1).double()
    there = index @ maps[:, None].mT
    assert torch.allclose(there[..., 0], 3 * moved[..., 0] + 4)
    assert torch.allclose(there[..., 1], 2.5 - 3 * moved[..., 1])


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--groups", "SO3"], "group of the plane"),
        (["--groups", "SO2,Cyclic(4)"], "no extents"),
        (["--groups", "SO4"], "did you mean"),
        (["--groups", ","], "expected different names"),
        (["--size", "0"], "size: expected at least 1"),
        (["--device", "nowhere"], "device"),
    ],
)
def test_bad_flags_are_reported_in_one_sentence(flags, hint, capsys, tmp_path):
    assert main(["bench", "warp", "--quick", "--out", str(tmp_path / "a"), *flags]) == 2
    error = capsys.readouterr().err
    assert hint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_a_quick_round_gives_the_same_pictures_as_kornia(tmp_path, capsys):
    pytest.importorskip("kornia", reason="needs kornia, of the extra bench")
    out = tmp_path / "warp"
    flags = ["--batch", "3", "--size", "9", "--groups", "SO2,T(2),Affine2"]
    assert main(["bench", "warp", "--quick", "--out", str(out), *flags]) == 0
    found = json.loads((out / "warp.json").read_text())["groups"]
    assert set(found) == {"SO2", "T(2)", "Affine2"}
    assert all(row["ratio"]["median"] > 0 for row in found.values())
    assert "kornia" in capsys.readouterr().out
