"""Runs, functions and calculators as subjects."""

import pytest
import torch
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from torch import nn

from molinv import InputError
from molinv.analysis import analyse
from molinv.analysis.calculators import load_calculator, of_calculator
from molinv.analysis.callables import of_callable
from molinv.analysis.orbits import sweep
from molinv.analysis.produce import of_names
from molinv.analysis.runs import held_out, of_run, read_history
from molinv.analysis.subject import Structures, only
from molinv.training.ensemble import join


def given(*names):
    atoms = [molecule(n) for n in names]
    return Structures(
        [torch.tensor(a.positions) for a in atoms], [torch.tensor(a.numbers) for a in atoms]
    )


class Broken(Calculator):
    """EMT's energy with a term linear in z."""

    implemented_properties = ["energy"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        energy = EMT()
        atoms = atoms.copy()
        atoms.calc = energy
        self.results = {"energy": atoms.get_potential_energy() + 0.01 * atoms.positions[0, 2]}


class Failing(Calculator):
    implemented_properties = ["energy"]  # noqa: RUF012

    def calculate(self, *args, **kwargs):
        raise RuntimeError("no convergence")


@pytest.mark.parametrize("name", ["energy", "forces"])
def test_a_calculator_is_as_symmetric_as_its_physics(name):
    found = sweep(of_calculator(EMT(), name), given("H2O", "CH4", "CO"), 3)
    assert found.variance.sqrt().max() < 1e-10
    assert found.power[..., 0].max() > 1e-3


def test_a_broken_calculator_is_caught():
    found = sweep(of_calculator(Broken()), given("H2O", "CH4", "NH3"))
    share = found.power[..., 1:].sum(0) / found.variance.sum(0)[..., None]
    assert share[0, 0] > 1 - 1e-6  # degree 1


def test_calculator_errors_are_sentences():
    with pytest.raises(InputError, match="Broken has no dipole; it has energy"):
        of_calculator(Broken(), "dipole")
    with pytest.raises(InputError, match="did you mean 'energy'"):
        of_calculator(Broken(), "enery")
    with pytest.raises(InputError, match="Failing failed on CO: no convergence"):
        sweep(of_calculator(Failing()), given("CO"))
    with pytest.raises(InputError, match="cannot import 'nowhere:Calc'"):
        load_calculator("nowhere:Calc")
    with pytest.raises(InputError, match="not an ASE calculator"):
        load_calculator("ase.build:molecule", {"name": "H2O"})


def test_any_module_is_a_subject():
    class Net(torch.nn.Module):
        def forward(self, pos, z):
            return (pos.square().sum(-1) * z).sum(1, keepdim=True)

    subject = of_callable(Net(), ["inertia"], ["u angstrom^2"])
    found = sweep(subject, given("H2O", "CH4"), 3)
    assert (found.variance.sqrt() < 1e-5 * found.power[..., 0].sqrt()).all()
    with pytest.raises(InputError, match="one unit for each"):
        of_callable(Net(), ["a", "b"], ["eV"])


def test_a_run_provides_model_history_and_test_molecules(run):
    subject, config, saved = of_run(run)
    structures = held_out(config, saved, 20)
    assert [q.name for q in subject.quantities] == config.target_names
    assert subject.history[-1]["epoch"] == config.epochs
    assert subject.distribution is saved.network.distribution
    found = sweep(subject, structures, 3)
    assert found.error.isfinite().all()
    scale = saved.standardizer.scale
    assert (found.error.mean(0) < 3 * scale).all()


def test_of_an_ensemble_the_first_member_is_analysed_which_is_said(run, tmp_path):
    first, folder = of_run(run)[0], join(tmp_path / "both", [run, run])
    source = of_names(str(folder), molecules=2)
    assert source.subject.name == "both/member_0"
    assert source.folder == folder / "analysis"
    assert source.subject.history == first.history
    assert source.notes == [f"{folder} is an ensemble, of which {folder}/member_0 is analysed."]
    batch = source.structures.batch([0, 1])
    assert torch.equal(source.subject(*batch), first(*batch))
    assert of_names(str(run), molecules=2).notes == []


def test_some_of_a_runs_targets_in_another_order(run):
    subject, config, saved = of_run(run)
    structures, names = held_out(config, saved, 5), config.target_names[::-1]
    turned, given = only(subject, structures, names)
    assert [q.name for q in turned.quantities] == names
    pos, z = structures.batch([0, 1])
    with torch.no_grad():
        assert torch.equal(turned(pos, z), subject(pos, z).flip(1))
    assert torch.equal(given.y, structures.y.flip(1))
    last, alone = only(subject, structures, names[:1])
    assert sweep(last, alone, 3).variance.shape == (5, 1)
    with pytest.raises(InputError, match=r"unknown target of .*: 'home'"):
        only(subject, structures, ["home"])


def test_a_folder_without_metrics_has_no_history(tmp_path):
    assert read_history(tmp_path / "metrics.csv") == []


def test_a_network_of_points_is_analysed_on_a_tensor():
    height = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False), nn.Flatten(0))
    with torch.no_grad():
        height[1].weight.copy_(torch.eye(12)[2:3])  # the height of the first point
    pos = torch.randn(8, 4, 3, generator=torch.Generator().manual_seed(0))
    report = analyse(height, pos, parts=["orbit", "algebra"])
    assert report.answer == "no"
    assert any("rotations about z" in line for line in report.lines)
    assert analyse(lambda pos: pos.square().sum((1, 2)), pos, parts=["orbit"]).answer == "yes"
    with pytest.raises(InputError, match=r"expected coordinates \(b, n, 3\), got \(8, 12\)"):
        analyse(height, pos.flatten(1))
    with pytest.raises(InputError, match=r"the function failed on pos \(1, 4, 3\): "):
        analyse(nn.Linear(4, 1), pos)
