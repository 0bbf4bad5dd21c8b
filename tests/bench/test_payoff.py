"""The payoff of a learned symmetry: its plumbing, its verdicts, and its table."""

import json
import shutil
from math import pi
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from molinv import Augmented, InputError, cli, groups
from molinv import distributions as D
from molinv.actions import Points
from molinv.bench import payoff
from molinv.bench.payoff import axis_sets, finite_sets, tasks
from molinv.bench.payoff.results import cells, difference, summarise
from molinv.datasets import matrix, surface
from molinv.datasets.electric_field import Settings
from molinv.datasets.planted import from_text
from molinv.datasets.planted.bodies import turned
from molinv.groups import SO3, About, LearnedBasis, PointGroup

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "PASSES", 1)
        yield


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    pytest.importorskip("tblite")
    out = tmp_path_factory.mktemp("payoff")
    arguments = ["bench", "payoff", "--data", str(SAMPLE), "--out", str(out), "--copies", "2"]
    arguments += ["--sets", "field", "--molecules", "20", "--geometries", "2"]
    arguments += ["--sizes", "16,32", "--steps", "2", "--seeds", "1"]
    assert cli.main(arguments) == 0
    return out, arguments


def test_it_runs_reports_and_makes_no_run_twice(bench, capsys):
    out, arguments = bench
    names = sorted(path.parent.name for path in out.glob("runs/*/result.json"))
    methods = ("Augerino", "full", "learned", "none", "true-group")
    assert names == [f"field-{m}-{size}-seed0" for m in methods for size in (16, 32)]
    result = json.loads((out / "runs/field-learned-16-seed0/result.json").read_text())
    assert result["learned"]["right"] is False
    assert result["error"] > 0
    assert result["averaged"] > 0
    splits = {json.loads(p.read_text())["split"] for p in out.glob("runs/*-16-*/result.json")}
    assert len(splits) == 1  # the same molecules for every method
    table = json.loads((out / "table.json").read_text())
    assert [row["size"] for row in table["rows"]] == [16, 32]
    assert table["rows"][0]["verdict"] == "one seed: no interval"
    assert "| field (meV) | 16 |" in (out / "table.md").read_text()
    assert (out / "payoff.png").stat().st_size > 5000
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")}
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")}
    with pytest.raises(InputError, match="other settings"):
        payoff.main(
            str(out), "field", "16", strength=0.02, molecules=20, geometries=2, data=str(SAMPLE)
        )
    shutil.move(out / "field", out / "kept")  # as the error above asks for
    others = {"strength": 0.02, "molecules": 20, "geometries": 2, "copies": 2}
    with pytest.raises(InputError, match="holds a run with labels="):
        payoff.main(str(out), "field", "16", 1, 2, "none", data=str(SAMPLE), **others)
    shutil.rmtree(out / "field")
    shutil.move(out / "kept", out / "field")
    with pytest.raises(InputError, match="epochs=2, not 5"):
        payoff.main(str(out), "field", "16", 1, 5, "none", 20, 2, copies=2, data=str(SAMPLE))


def test_methods_differ_in_the_distribution_alone(bench):
    field = axis_sets.FieldSet(bench[0] / "field", str(SAMPLE), Settings(20, geometries=2))
    made = {m: vars(field.config(m, 16, 1, 5, Path("x"))) for m in tasks.USUAL}
    for method, config in made.items():
        other = {k for k in config if config[k] != made["none"][k]}
        own = set(tasks.AUGERINO) if method == tasks.PAPER else {"group", "distribution"}
        assert other <= own, method
    axis = groups.find(made["true group"]["group"]).axis
    assert axis == pytest.approx(tuple(Settings(20, geometries=2).direction().tolist()), abs=1e-6)


def test_the_planted_field_is_another_set_with_the_settings_of_the_field(tmp_path):
    arguments = ["bench", "payoff", "--data", str(SAMPLE), "--out", str(tmp_path), "--copies", "0"]
    arguments += ["--sets", "planted", "--planted", "400", "--sizes", "64", "--steps", "2"]
    assert cli.main([*arguments, "--seeds", "1", "--methods", "learned,true group"]) == 0
    learned, given = (
        json.loads((tmp_path / f"runs/planted-{m}-64-seed0/result.json").read_text())
        for m in ("learned", "true-group")
    )
    assert learned["split"] == given["split"]
    assert learned["tested"] == 40
    assert learned["learned"]["right"] is False
    own = axis_sets.PlantedSet(tmp_path, str(SAMPLE), 400)
    task, group = from_text(own.data), groups.find(own.given()["group"])
    turns = group.haar(400, torch.Generator().manual_seed(0))
    moved = turned(task.molecules, turns.double().numpy())
    y = task.molecules.y
    assert abs(task.formula(moved.pos.astype(float)) - y).max() < 1e-4 * y.std()
    other = turned(task.molecules, SO3().haar(400).double().numpy())
    assert abs(task.formula(other.pos.astype(float)) - y).max() > y.std()


def test_runs_have_at_least_forty_passes_and_three_times_the_steps_on_finite_groups(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tasks, "PASSES", 40)
    slab, site = finite_sets.SurfaceSet(tmp_path), finite_sets.MatrixSet(tmp_path)
    field = axis_sets.FieldSet(tmp_path)
    epochs = [field.config("none", size, 0, 2000, tmp_path).epochs for size in (300, 3000)]
    assert epochs == [200, 40]
    for finite in (slab, site):
        assert finite.config("none", 300, 0, 2000, tmp_path).epochs == 600


def test_the_surface_has_its_turns_about_the_normal_and_names_what_it_found(tmp_path):
    slab = finite_sets.SurfaceSet(tmp_path / "surface", surface.Settings(40, atoms=2))
    slab.make(0)
    config = slab.config("true group", 16, 0, 1, tmp_path / "run")
    assert (config.center, config.model_args["geometry"]) == (False, "absolute")
    turns = surface.truth(slab.settings).elements()
    assert torch.allclose(groups.find(config.group).elements.double(), torch.tensor(turns))
    pos = torch.randn(200, 1, 3, generator=torch.Generator().manual_seed(0))
    examples = SimpleNamespace(pos=pos)
    for axis, right in (([0.0, 0, 1], True), ([1.0, 0, 0], False)):
        net, mu = Fourfold(axis), D.Peaks(SO3(), count=6)
        truth = net(pos)
        task = SimpleNamespace(losses=lambda out, _, truth=truth: [((out - truth).abs(), None)])
        angles = torch.tensor([1.0, 2, 3, 0.6, 1.7, 2.4]) * pi / 2  # the last three are none
        with torch.no_grad():
            mu._places.copy_(angles[:, None] * torch.tensor(axis))
        found = slab.judge(Augmented(net, mu), task, examples)
        assert (found["symbol"], found["right"]) == ("C4", right)
        assert found["found"].startswith("C4 about")


def test_the_matrix_has_the_rotations_of_its_site_and_names_what_it_found(tmp_path):
    pytest.importorskip("tblite")
    site = finite_sets.MatrixSet(tmp_path / "matrix", matrix.Settings(2))
    site.make(0)
    config = site.config("true group", 16, 0, 1, tmp_path / "run")
    assert (config.center, config.model_args["geometry"]) == (False, "absolute")
    assert config.group == "PointGroup(D4)"
    turns = matrix.truth(site.settings).elements()
    assert torch.allclose(groups.find(config.group).elements.double(), torch.tensor(turns))
    cubic = finite_sets.MatrixSet(tmp_path, matrix.Settings(strain=0.0))
    assert cubic.given()["group"] == "PointGroup(O)"
    pos = torch.randn(200, 1, 3, generator=torch.Generator().manual_seed(0))
    true = PointGroup("D4").double()
    # in the right frame, about another axis, and turned about the right one
    for turn, off in (([0.0, 0, 0], 0), ([pi / 2, 0, 0], 90), ([0.0, 0, pi / 8], 45)):
        frame = SO3().double().exp(torch.tensor(turn, dtype=torch.float64))
        net, mu = Site(frame.float()), D.Peaks(SO3(), count=12)
        truth = net(pos)
        task = SimpleNamespace(losses=lambda out, _, truth=truth: [((out - truth).abs(), None)])
        others = torch.cat([frame @ true.elements[1:] @ frame.mT, true.haar(5)])
        with torch.no_grad():
            mu._places.copy_(SO3().double().log(SO3().double().normalize(others)))
        found = site.judge(Augmented(net, mu), task, SimpleNamespace(pos=pos))
        assert (found["symbol"], found["right"]) == ("D4", off == 0)
        assert found["degrees"] == pytest.approx(off, abs=0.1)


def test_a_frame_is_judged_by_the_element_that_is_farthest_off():
    true = PointGroup("D4").elements.double()
    for angle in (2.0, 4.0):  # degrees: half turns about level axes turn by twice as much
        tilt = SO3().double().exp(torch.tensor([0, 0, angle * pi / 180]).double())
        found = finite_sets.farthest("D4", tilt @ true @ tilt.mT)
        assert found == pytest.approx(2 * angle, abs=1e-3)
    assert finite_sets.farthest("D4", PointGroup("C4").elements.double()) == pytest.approx(
        180, abs=1e-3
    )
    assert finite_sets.farthest("D4", PointGroup("O").elements.double()) == pytest.approx(
        0, abs=1e-3
    )


class Fourfold(torch.nn.Module):
    """A function of one point that quarter turns about the x or the z axis leave unchanged."""

    def __init__(self, axis):
        super().__init__()
        self.action = Points()
        self.order = [1, 2, 0] if axis[0] else [0, 1, 2]

    def inputs(self, batch):
        return (batch.pos,)

    def forward(self, pos):
        x, y, z = pos[:, 0, self.order].unbind(1)
        return (x**4 + y**4 + z)[:, None]


class Site(torch.nn.Module):
    """A function of one point in a frame that D4 leaves unchanged, and other rotations do not."""

    def __init__(self, frame):
        super().__init__()
        self.action, self.frame = Points(), frame

    def inputs(self, batch):
        return (batch.pos,)

    def forward(self, pos):
        x, y, z = (pos[:, 0] @ self.frame).unbind(1)
        return (x**4 + y**4 + 2 * z**2)[:, None]


def box(n, about, across):
    """A box on rotations with these half-widths about n and about axes at right angles to it."""
    basis = LearnedBasis(3, 3, compact=True, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        basis.directions[0] = About(*n.tolist()).generators[0]  # the first stays as it is
    return D.UniformBox(basis, init=[about, across, across / 2])


def test_the_axis_and_widths_of_a_box_are_found_in_any_basis():
    n = torch.tensor([0.6, -0.48, 0.64])
    found = axis_sets.spread(box(n, 3.0, 0.2))
    assert float((found.axis @ n.double()).abs()) == pytest.approx(1, abs=1e-4)
    assert (found.about, found.across) == pytest.approx((3.0, 0.2), abs=1e-3)
    found = axis_sets.spread(D.UniformBox(SO3(), init=[0.1, 2.0, 0.3]))
    assert found.axis.abs().tolist() == pytest.approx([0, 1, 0])
    assert (found.about, found.across) == pytest.approx((2.0, 0.3), abs=1e-3)


@pytest.mark.parametrize(
    ("turn", "about", "across", "right"),
    [(0, 3.0, 0.1, True), (12, 3.0, 0.1, False), (0, 2.5, 0.1, False), (0, 3.0, 0.3, False)],
)
def test_a_run_is_right_where_axis_and_widths_are(bench, turn, about, across, right):
    field = axis_sets.FieldSet(bench[0] / "field", str(SAMPLE), Settings(20, geometries=2))
    true = torch.tensor(Settings(20, geometries=2).direction(), dtype=torch.float32)
    side = torch.linalg.svd(true[None])[2][1]
    n = About(*side.tolist()).exp(torch.tensor([turn * pi / 180])) @ true
    found = field.judge(Augmented(torch.nn.Identity(), box(n, about, across)), None, None)
    assert found["degrees"] == pytest.approx(turn, abs=0.1)
    assert found["right"] is right
    assert found["found"] == f"{found['degrees']:.1f} degrees off, {about:.2f} / {across:.2f} rad"


def results(errors, right=True):
    made = []
    for method, values in errors.items():
        for seed, error in enumerate(values):
            own = {"found": "2.0 degrees off, 3.00 / 0.10 rad", "right": right}
            more = {"learned": own} if method == "learned" else {}
            about = {"set": "field", "unit": "meV", "method": method, "size": 300, "seed": seed}
            made.append(about | {"error": error} | more)
    return made


def test_intervals_are_students_and_paired_by_seed():
    found = difference({0: 10.0, 1: 20.0, 2: 30.0}, {0: 12.0, 1: 21.0, 2: 33.0, 5: 1.0})
    assert found == (pytest.approx(-2), pytest.approx(4.302653 / 3**0.5, rel=1e-5), 3)
    assert not found.lower  # 2.5 either way
    assert difference({0: 1.0}, {1: 2.0}) is None
    assert difference({0: 1.0}, {0: 2.0}) == (-1.0, None, 1)


@pytest.mark.parametrize(
    ("learned", "verdict"),
    [
        ([50, 52, 54], "pays"),
        ([60, 62, 64], "pays; 24% above the true group"),
        ([69, 73, 73], "does not pay: not below none beyond the interval"),
        ([95, 99, 105], "does not pay: not below none and full beyond the interval"),
    ],
)
def test_where_learning_does_not_pay_the_table_says_so(learned, verdict):
    errors = {"none": [70, 72, 74], "full": [100, 101, 102], "true group": [48, 50, 52]}
    rows = summarise(results({"learned": learned} | errors))
    assert rows[0]["verdict"] == verdict
    assert cells(rows)[0][-1] == verdict
    assert cells(rows)[0][-2] == "3 of 3"


def test_a_diverged_run_is_counted_and_not_averaged():
    found = results({"learned": [50, 52], "none": [70, 72], "full": [90, 91]})
    about = {"set": "field", "unit": "meV", "method": "none", "size": 300, "seed": 2}
    (row,) = summarise([*found, about | {"failed": "diverged"}])
    assert row["failed"] == 1
    assert row["errors"]["none"] == {0: 70, 1: 72}
    assert row["ratio"] is None
    assert row["verdict"].endswith("(1 diverged)")
    (row,) = summarise([*found, about | {"method": "learned", "failed": "diverged"}])
    assert cells([row])[0][-2] == "2 of 3"


def test_bad_arguments_are_one_sentence():
    for wrong, said in (
        ({"seeds": 0}, "seeds"),
        ({"sizes": "a"}, "whole numbers"),
        ({"methods": "leaned"}, "learned"),
        ({"strength": 0.0}, "field of zero"),
        ({"sizes": "0"}, "size"),
        ({"copies": -1}, "copies"),
        ({"methods": ""}, "different names"),
        ({"sets": ""}, "different names"),
    ):
        with pytest.raises(InputError, match=said):
            payoff.main(**wrong)
