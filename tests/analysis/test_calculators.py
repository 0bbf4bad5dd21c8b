"""ASE calculators on molecules and crystals, as their user calls them."""

import importlib.machinery
import importlib.util
import json
import sys
import types
import warnings
import zipfile

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from molinv import InputError
from molinv.analysis import analyse
from molinv.analysis.calculators import (
    as_structures,
    atoms_of,
    check_cell,
    load_calculator,
    structures_for,
)
from molinv.analysis.walk import walk
from molinv.cli import main
from molinv.groups.merging import distance


class Laboratory(Calculator):
    """EMT with a term in the cell's first vector along x of the laboratory; it prints a lot."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, strength=0.0, offset=0.0):
        super().__init__()
        self.strength, self.offset = strength, offset

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        print("SCF converged")
        atoms = atoms.copy()
        atoms.calc = EMT()
        energy = atoms.get_potential_energy() + self.strength * atoms.cell[0, 0] + self.offset
        stress = atoms.get_stress() if atoms.cell.rank == 3 else np.zeros(6)
        self.results = {"energy": energy, "forces": atoms.get_forces(), "stress": stress}


def crystals(m=6):
    """Copper in cells of their own, strained and shaken."""
    draw, made = np.random.default_rng(0), []
    for i in range(m):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell.array * [1, 1.02, 1.05], scale_atoms=True)
        atoms.rattle(0.05, seed=i)
        atoms.info["name"] = f"Cu {i}"
        atoms.set_cell(atoms.cell.array @ np.linalg.qr(draw.normal(size=(3, 3)))[0] * 1.0, True)
        made.append(atoms)
    return made


@pytest.mark.parametrize("name", ["energy", "energy_per_atom", "forces", "stress"])
def test_a_crystal_turns_with_its_cell(name):
    report = analyse(EMT(), crystals(), property=name)
    assert report.answer == "yes"
    assert report.page is None
    assert len(report.lines) == 1
    assert float(report.analyses[0].orbits.power[..., 0].max()) > 1e-6


def test_a_term_that_depends_on_the_cell_only_is_found():
    report = analyse(Laboratory(0.01), crystals(), property="energy_per_atom", parts=["orbit"])
    assert report.answer == "no"
    assert "spectrum" not in [s.name for s in report.analyses[0].sections]
    assert analyse(Laboratory(0.0), crystals(), parts=["orbit"]).answer == "yes"


def test_batches_keep_the_cell():
    (atoms, *_) = given = crystals(2)
    pos, z = as_structures(given).batch([0, 1])
    back = atoms_of(pos[0], z[0])
    np.testing.assert_allclose(back.cell.array, atoms.cell.array)
    np.testing.assert_allclose(
        back.get_all_distances(mic=True), atoms.get_all_distances(mic=True), atol=1e-12
    )
    assert back.pbc.all()
    slab = atoms.copy()
    slab.pbc = [True, True, False]
    pos, z = as_structures([slab]).batch([0])
    assert atoms_of(pos[0], z[0]).pbc.tolist() == [True, True, False]


def test_true_values_stored_in_structures_are_used(tmp_path):
    given = crystals(7)
    for atoms in given:
        made = atoms.copy()
        made.calc = EMT()
        brought = {"energy": made.get_potential_energy() + 0.3, "forces": made.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **brought)
    write(tmp_path / "cu.extxyz", given)
    report = analyse(EMT(), str(tmp_path / "cu.extxyz"), parts=["orbit"])
    assert report.analyses[0].numbers("orbit")["error"]["value"] == pytest.approx([0.3], rel=1e-5)
    forces = analyse(EMT(), given, property="forces", parts=["orbit"])
    assert forces.analyses[0].numbers("orbit")["error"]["value"][0] < 1e-6
    given[0].calc = None
    assert analyse(EMT(), given, parts=["orbit"]).analyses[0].numbers("orbit")["error"] is None


def test_unusable_structures_are_left_out_and_named():
    flat = Atoms("Cu", cell=[3.6, 3.6, 0], pbc=True)
    turned = bulk("Cu", cubic=True)
    turned.rotate(30, "z")  # and not its cell
    others = [molecule("SiH4"), flat, turned, *crystals(2)]
    found, notes = structures_for(EMT(), "energy", others)
    assert len(found) == 2
    assert [
        words in note
        for words, note in zip(("No EMT-potential", "no volume", "cell not"), notes, strict=True)
    ] == [True] * 3
    with pytest.raises(InputError, match="can be used; left out H4Si"):
        structures_for(EMT(), "energy", others[:2])
    check_cell(crystals(1)[0])


def test_calculators_get_arguments_and_their_printing_is_discarded(tmp_path, monkeypatch, capfd):
    monkeypatch.syspath_prepend(str(__file__).rpartition("/")[0])
    write(tmp_path / "cu.extxyz", crystals(3))
    arguments = ["analyse", "--calculator", "test_calculators:Laboratory", "--structures"]
    arguments += [str(tmp_path / "cu.extxyz"), "--parts", "orbit", "-o", str(tmp_path / "out")]
    assert main([*arguments, "--calculator_args", '{"strength": 0.05}']) == 0
    shown = capfd.readouterr()
    assert shown.out.startswith("No: Laboratory is not exactly invariant")
    assert "SCF converged" not in shown.out + shown.err
    facts = json.loads((tmp_path / "out" / "analysis.json").read_text())["facts"]
    assert "0.05" in facts["calculator"]
    assert main([*arguments, "--calculator_args", "small"]) == 2
    assert "expected JSON" in capfd.readouterr().err
    with pytest.raises(InputError, match="give them as --calculator_args"):
        load_calculator("test_calculators:Laboratory", {"power": 2})


def test_two_calculators_are_compared_on_the_same_structures(tmp_path):
    report = analyse(EMT(), crystals(8), beside=Laboratory(0.01), out=tmp_path, parts=["orbit"])
    (line,) = [line for line in report.lines if line.startswith("On the same")]
    assert "larger for Laboratory than for EMT" in line
    content = json.loads((tmp_path / "analysis.json").read_text())
    assert content["shared"] == [line]


def test_modules_and_their_precision():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, pos, z):
            return self.w * (pos.square().sum(-1) * z).sum(1, keepdim=True)

    report = analyse(Net(), [molecule("H2O"), molecule("CH4")], unit="eV", parts=["orbit"])
    assert report.answer == "yes"
    assert report.analyses[0].subject.dtype == torch.float64
    with pytest.raises(InputError, match="needs structures"):
        analyse(Net())


def test_the_walk_matches_ml_peg():
    turns = walk(0)
    assert turns.shape == (115, 3, 3)
    between = torch.rad2deg(distance(turns[1:15], turns[:14]))
    torch.testing.assert_close(between, torch.linspace(1, 40, 14).double())
    given = crystals(11)
    sound = analyse(EMT(), given, parts=["walk"]).analyses[0].numbers("walk")
    assert sound["pairs"] == 1140
    assert sound["max_energy"] < 1e-10
    assert sound["max_forces"] < 1e-8
    assert len(sound["structures"]) == 10
    broken = analyse(Laboratory(0.04), given[:2], parts=["walk"]).analyses[0].numbers("walk")
    g, cell = walk(0)[:2], given[0].cell.array
    expected = abs(0.04 * ((cell @ g[1].numpy().T)[0, 0] - cell[0, 0])) / 4
    assert broken["energy"][0][0] == pytest.approx(expected, rel=1e-6)
    assert broken["max_forces"] < 1e-8
    none = analyse(EMT(), given[:2], property="stress", parts=["walk"]).analyses[0].sections
    assert "has both" in (none[0].missing or "")


def test_a_calculator_runs_in_another_environment(tmp_path, monkeypatch, capfd):
    (tmp_path / "foreign.py").write_text(
        "from ase.calculators.emt import EMT\n"
        "class Foreign(EMT):\n"
        "    def __init__(self, factor):\n"
        "        super().__init__()\n"
        "        self.factor = factor\n"
        "    def calculate(self, atoms, properties, changes):\n"
        "        print('noise')\n"
        "        super().calculate(atoms, properties, changes)\n"
        "        self.results['energy'] *= self.factor\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = load_calculator("foreign:Foreign", {"factor": 2.0}, sys.executable)
    given = crystals(3)
    report = analyse(found, given, parts=["orbit"])
    assert report.answer == "yes"
    assert report.analyses[0].subject.name == "Foreign"
    here = given[0].copy()
    here.calc = EMT()
    energy = float(report.analyses[0].orbits.mean[0, 0])
    assert energy == pytest.approx(2 * here.get_potential_energy())
    assert "noise" not in capfd.readouterr().out
    with pytest.raises(InputError, match="No EMT-potential"):
        analyse(found, [molecule("SiH4")])
    with pytest.raises(InputError, match="cannot make foreign:Foreign"):
        load_calculator("foreign:Foreign", {}, sys.executable)
    with pytest.raises(InputError, match="cannot start"):
        load_calculator("foreign:Foreign", {}, str(tmp_path / "none"))


def test_a_metatomic_model_is_named_by_its_file(tmp_path, monkeypatch, capsys):
    write(tmp_path / "few.xyz", [molecule(name) for name in ("H2O", "CO", "CH4")])
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:  # laid out as TorchScript does
        archive.writestr("model/code/__torch__.py", "")
    torch.save({}, tmp_path / "state.pt")
    arguments = ["--structures", str(tmp_path / "few.xyz"), "--parts", "orbit"]
    arguments += ["-o", str(tmp_path / "out")]

    def refused(name):
        assert main(["analyse", str(tmp_path / name), *arguments]) == 2
        return capsys.readouterr().err

    assert "no file" in refused("none.pt")
    assert "expected a TorchScript archive" in refused("state.pt")
    if importlib.util.find_spec("metatomic_ase") is None:
        assert "pip install 'molinv[metatomic]'" in refused("model.pt")
    stand_in = types.ModuleType("metatomic_ase")
    stand_in.__spec__ = importlib.machinery.ModuleSpec("metatomic_ase", None)

    class MetatomicCalculator(EMT):
        def __init__(self, model):
            super().__init__()
            if not model.endswith("/model.pt"):
                raise ValueError("no metadata in it")

    stand_in.MetatomicCalculator = MetatomicCalculator
    monkeypatch.setitem(sys.modules, "metatomic_ase", stand_in)
    assert main(["analyse", str(tmp_path / "model.pt"), *arguments]) == 0
    assert capsys.readouterr().out.startswith("Yes: model.pt is invariant")
    (tmp_path / "model.pt").rename(tmp_path / "other.pt")
    assert "is not a metatomic model: no metadata in it" in refused("other.pt")


class Single(Calculator):
    """A pair potential in float32, with forces by autograd, as many potentials have them."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        warnings.warn("cuequivariance is not available", stacklevel=2)
        pos = torch.tensor(atoms.positions, dtype=torch.float32, requires_grad=True)
        energy = torch.pdist(pos).neg().exp().sum()
        (gradient,) = torch.autograd.grad(energy, pos)
        self.results = {"energy": energy.item(), "forces": -gradient.numpy()}


@pytest.mark.parametrize("name", ["energy", "forces"])
def test_float32_and_autograd_inside_a_calculator(name):
    given = [molecule(each) for each in ("CH4", "H2O", "C2H6", "CH3OH")]
    report = analyse(Single(), given, property=name)
    assert report.answer == "yes"
    assert len(report.analyses[0].orbits.nodes) == 16
    assert analyse(EMT(), given).analyses[0].subject.rounding == torch.float64


def test_torch_sim_models_are_calculators(monkeypatch):
    interface = types.ModuleType("torch_sim.models.interface")
    io = types.ModuleType("torch_sim.io")

    class ModelInterface(torch.nn.Module):
        device, dtype, compute_forces, compute_stress = (
            torch.device("cpu"),
            torch.float64,
            True,
            True,
        )

    class Springs(ModelInterface):
        def __init__(self, stiffness):
            super().__init__()
            self.stiffness = stiffness

        def forward(self, state):
            pos, cell = state
            away = pos - pos.mean(0)
            stress = self.stiffness * away.T @ away / torch.linalg.det(cell).abs()
            energy = self.stiffness * away.square().sum()[None] / 2
            return {"energy": energy, "forces": -self.stiffness * away, "stress": stress[None]}

    def atoms_to_state(atoms, device, dtype):
        return [torch.tensor(part, dtype=dtype) for part in (atoms.positions, atoms.cell.array)]

    interface.ModelInterface, io.atoms_to_state = ModelInterface, atoms_to_state
    user = types.ModuleType("user")
    user.Springs = Springs
    for module in (types.ModuleType("torch_sim"), interface, io, user):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("energy_per_atom", "forces", "stress"):
        report = analyse(Springs(1.5), crystals(), property=name, parts=["orbit", "symmetries"])
        assert report.answer == "yes"
        assert report.analyses[0].subject.name == "Springs"
    found = load_calculator("user:Springs", {"stiffness": 1.5})
    assert found.implemented_properties == ["energy", "forces", "stress"]
    gradient = analyse(found, crystals(), parts=["symmetries"]).analyses[0].numbers("symmetries")
    assert gradient["forces"]["from_energy"]["value"] < 1e-6
    with pytest.raises(InputError, match="cannot make user:Springs"):
        load_calculator("user:Springs")
