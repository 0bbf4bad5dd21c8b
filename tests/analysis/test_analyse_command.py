"""`molinv analyse` as its user calls it, rightly and wrongly."""

import json
import shutil
from html import unescape
from pathlib import Path

import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.io import write as write_atoms

from molinv.analysis.callables import of_callable
from molinv.analysis.parts import PARTS, analyse_all
from molinv.analysis.section import Section
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Structures
from molinv.analysis.verdict import verdict
from molinv.cli import main

QUICK = ["--molecules", "12", "--degree", "3"]


class Tilted(torch.nn.Module):
    """Linear in z: degree 1."""

    def forward(self, pos, z):
        return 7 + (z * pos[..., 2]).sum(1, keepdim=True)


def distances(pos, z):
    inside = (z > 0).to(pos.dtype)
    away = (pos[:, :, None] - pos[:, None]).square().sum(-1).add(1e-12).sqrt()
    return (away * inside[:, :, None] * inside[:, None]).sum((1, 2))[:, None]


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    path = tmp_path_factory.mktemp("molecules") / "few.xyz"
    write_atoms(path, [molecule(name) for name in ("H2O", "CH3OH", "C2H6", "NH3")])
    return str(path)


@pytest.fixture(scope="module")
def report(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    assert main(["analyse", str(run), *QUICK, "-o", str(out)]) == 0
    return out


def test_a_run_has_every_part(report):
    found = json.loads((report / "analysis.json").read_text())
    page = unescape((report / "report.html").read_text())
    assert len(found["verdict"]) == 6
    assert all(line in page or line.partition(": ")[2] in page for line in found["verdict"])
    assert found["verdict"][0].startswith(("Yes", "Almost", "No"))
    for _, title, _ in PARTS.values():
        assert title in page
    files = {"report.html", "analysis.json", "structures.chemiscope.json"}
    assert {path.name for path in report.iterdir()} == files
    scope = json.loads((report / "structures.chemiscope.json").read_text())
    assert {len(p["values"]) for p in scope["properties"].values()} == {12}
    assert all(len(s["names"]) == s["size"] == len(s["x"]) for s in scope["structures"])


def test_a_run_s_own_folder_takes_the_report(run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "a")
    assert main(["analyse", str(folder), *QUICK, "--parts", "orbit,spectrum"]) == 0
    assert f"wrote {folder / 'analysis' / 'report.html'}" in capsys.readouterr().out


def test_two_runs_stand_side_by_side(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "b")
    out = tmp_path / "both"
    arguments = ["analyse", str(run), str(other), *QUICK, "--parts", "orbit,loss", "-o", str(out)]
    assert main(arguments) == 0
    assert (out / "report.html").is_file()


def test_many_runs_make_one_figure(run, tmp_path, capsys):
    runs = [shutil.copytree(run, tmp_path / name) for name in "abc"]
    assert main(["analyse", *map(str, runs), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_run_without_a_history_is_analysed(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "a")
    (folder / "metrics.csv").unlink()
    out = tmp_path / "out"
    parts = ["--parts", "orbit,loss,learned"]
    assert main(["analyse", str(folder), *QUICK, *parts, "-o", str(out)]) == 0
    assert (out / "report.html").is_file()


def test_a_module_that_is_linear_in_z_is_caught(water, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    name = "test_analyse_command:Tilted"
    out = ["-o", str(tmp_path / "out"), "--unit", "eV"]
    assert main(["analyse", name, "--structures", water, *QUICK, *out]) == 0
    said = capsys.readouterr().out
    assert "Tilted is not exactly invariant" in said
    assert "no limit is known: give a threshold" in said
    assert "has degree l = 1" in said


def test_a_calculator_is_invariant(water, tmp_path, capsys):
    arguments = ["--calculator", "ase.calculators.emt:EMT", "--structures", water, *QUICK]
    assert main(["analyse", *arguments, "-o", str(tmp_path / "out")]) == 0
    assert "Yes: EMT is invariant under rotations, to within rounding" in capsys.readouterr().out


def test_gfn2_is_invariant_and_equivariant_to_rounding(water, tmp_path, capsys):
    pytest.importorskip("tblite")
    for name, word in (("energy", "invariant"), ("forces", "equivariant"), ("dipole", "equi")):
        arguments = ["--calculator", "tblite.ase:TBLite", "--structures", water, *QUICK]
        arguments += ["--property", name, "--parts", "orbit", "-o", str(tmp_path / name)]
        assert main(["analyse", *arguments]) == 0
        assert f"TBLite is {word}" in capsys.readouterr().out


def test_a_failing_part_does_not_stop_the_others(water):
    subject = of_callable(lambda pos, z: distances(pos.detach().clone(), z))
    atoms = molecule("H2O")
    given = Structures([torch.tensor(atoms.positions)], [torch.tensor(atoms.numbers)])
    found = analyse_all(subject, given, Settings(degree=3), ["loss", "orbit", "learned"])
    missing = {s.name: s.missing for s in found.sections}
    assert "true values" in missing["loss"]
    assert missing["learned"]
    assert missing["orbit"] is None
    assert all(isinstance(s, Section) for s in found.sections)
    assert len(verdict(found)) == 1, "of what was measured alone"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected one or more runs, or --calculator"),
        (["no/such/run"], "no model in no/such/run"),
        (["qm9", "--parts", "orbits"], "did you mean 'orbit'"),
        (["qm9", "--molecules", "0"], "at least 1"),
        (["qm9", "--structures", "none.xyz"], "none.xyz"),
        (["os.path:join", "--structures", "O"], "the function failed on pos"),
        (["nowhere:f", "--structures", "O"], "cannot import 'nowhere:f'"),
        (["nowhere:f"], "name molecules with --structures"),
        (
            ["--calculator", "ase.build:molecule", "--structures", "O"],
            "give them as --calculator_args",
        ),
        (["qm9", "--calculator_args", "{}"], "need --calculator"),
        (["qm9", "--threshold", "-1", "--structures", "O"], "expected a number above 0"),
        (["qm9", "--calculator", "a:b"], "expected one or more runs, or"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["analyse", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert says in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "analysis").exists()


def test_a_periodic_or_empty_file_is_refused(tmp_path, capsys):
    cell = Atoms("Cu", cell=[3, 3, 3], pbc=True)
    write_atoms(tmp_path / "solid.extxyz", cell)
    (tmp_path / "empty.xyz").write_text("")
    for name in ("solid.extxyz", "empty.xyz"):
        path = str(tmp_path / name)
        assert main(["analyse", "qm9", "--structures", path, "-o", str(tmp_path / "out")]) == 2
        assert name in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
