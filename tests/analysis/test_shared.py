"""What two models share: STIR with known answers, over orbits and over matched coordinates."""

import json
from html import unescape

import known
import pytest
import torch
from torch import nn

from molinv import InputError
from molinv.analysis import analyse, shared
from molinv.analysis.callables import of_callable
from molinv.cli import main


class Distances(nn.Module):
    """Features of pair distances alone."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.read = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 1))

    def forward(self, pos, z):
        inside = (z > 0).to(pos)
        away = ((pos[:, :, None] - pos[:, None]).square().sum(-1) + 1e-6).sqrt()
        centres = torch.linspace(0.5, 4, 8).to(pos)
        near = (-(away[..., None] - centres).square()).exp() * inside[:, None, :, None]
        return (self.read(near.sum(2))[..., 0] * inside).sum(1, keepdim=True)


class Coordinates(nn.Module):
    """Features of raw coordinates, without any symmetry."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.read = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, pos, z):
        return (self.read(pos)[..., 0] * (z > 0)).sum(1, keepdim=True)


def subject(net):
    return of_callable(net.double(), dtype=torch.float64)


@pytest.fixture
def batch():
    return known.molecules(40).batch(range(40))


def value(one, other, alike, batch):
    return shared.stir(other, batch[0], alike, batch[1], torch.Generator().manual_seed(0))


def test_linear_cka_of_known_features():
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, generator=draw, dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=draw, dtype=torch.float64)).Q
    assert shared.cka(x, 3 * x @ turn + 1) == pytest.approx(1)
    assert shared.cka(x, torch.randn(200, 4, generator=draw)) < 0.1
    # the squared correlation of one feature each
    both = torch.stack([x[:, 0], x[:, 0] + x[:, 1]])
    expected = float(torch.corrcoef(both)[0, 1] ** 2)
    assert shared.cka(both[0][:, None], both[1][:, None]) == pytest.approx(expected)


def test_over_orbits_a_network_of_distances_has_1_and_one_of_coordinates_has_less(batch):
    one, other = subject(Distances()), subject(Coordinates())
    alike = shared.orbit(one, *batch, torch.Generator().manual_seed(0))
    same, floor = value(one, one, alike, batch)
    assert same == pytest.approx(1, abs=1e-9)
    assert floor < 0.5
    assert value(one, other, alike, batch)[0] < 0.8


def test_matched_coordinates_look_the_same_to_one_and_not_to_the_other(batch):
    one, other = subject(Coordinates()), subject(Distances())
    draw = torch.Generator().manual_seed(0)
    alike = shared.matched(one, *batch, draw)
    assert shared.change(batch[0], alike, batch[1]) > 0.02
    assert value(one, one, alike, batch)[0] > 0.95
    start = shared.orbit(one, *batch, torch.Generator().manual_seed(0))
    assert value(one, one, start, batch)[0] < 0.8, "rotations are not hidden from it"
    assert value(one, other, alike, batch)[0] > 0.9, "bonds and contacts stay"


def test_features_without_padding_are_those_with_it():
    class Flat(Distances):
        def forward(self, pos, z):
            inside = z > 0
            self.read(torch.cat([pos[inside], pos[inside].new_zeros(int(inside.sum()), 5)], 1))
            return pos.new_zeros(len(z), 1)

    class Padded(Distances):
        def forward(self, pos, z):
            self.read(torch.cat([pos, pos.new_zeros(*z.shape, 5)], 2))
            return pos.new_zeros(len(z), 1)

    pos, z = known.molecules(5).batch(range(5))
    flat, padded = (shared.features(subject(net), pos, z) for net in (Flat(), Padded()))
    torch.testing.assert_close(flat, padded)
    assert flat.shape == (5, 16)


def test_it_is_a_section_of_both_on_the_page_and_in_the_json(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "STEPS", 3)
    nets = Distances().double(), Coordinates().double()
    how = {"out": tmp_path, "parts": ["orbit"], "degree": 3, "shared": True}
    report = analyse(nets[0], known.molecules(6), beside=nets[1], **how)
    found = json.loads((tmp_path / "analysis.json").read_text())["sections"]["shared"]
    assert len(found["numbers"]) == 4
    first = found["numbers"]["orbits: Coordinates | Distances"]
    assert first["stir_of_itself"] == pytest.approx(1)
    assert first["distances"] == pytest.approx(0, abs=1e-6)
    page = unescape((tmp_path / "report.html").read_text())
    assert "Which invariances the two models share" in page
    assert shared.READING.split(".")[0] in page
    assert any("STIR(Coordinates | Distances) over orbits" in line for line in report.lines)


def test_a_subject_without_layers_is_refused(capsys):
    with pytest.raises(InputError, match="not a module of coordinates"):
        analyse(known.harmonic(1), known.molecules(6), beside=Distances().double(), shared=True)
    assert main(["analyse", "qm9", "--shared", "--structures", "O"]) == 2
    assert "--shared compares two runs" in capsys.readouterr().err
