"""Dipoles, quadrupoles, octupoles and charges, from training to prediction."""

import csv
import json
from dataclasses import replace

import e3nn
import numpy as np
import pytest
import torch
from small_run import SAMPLE, small

from molinv import InputError
from molinv.analysis.runs import held_out, of_run
from molinv.chem.structure import GIVEN, Structure
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.datasets.batches import OnDevice
from molinv.datasets.targets import Target
from molinv.groups import SO3
from molinv.predict import Predictor
from molinv.prediction.evaluate import evaluate
from molinv.tasks import of_targets
from molinv.tasks.errors import Mean, errors_of
from molinv.tasks.numbers import masked
from molinv.training.build import make_network
from molinv.training.run import train
from molinv.training.saved import load

NAMES = {
    "dipole": "vector",
    "quadrupole": "tensor",
    "charges": "atom scalar",
    "octupole": "irreps 3o",
}
SETTINGS = {
    "octupole": {"model": "equivariant", "model_args": {"channels": 16, "layers": 2, "degree": 3}}
}


def mean_l1(outputs, target, **kwargs):
    """The mean error of copies (c, b, t), and the number of values."""
    target = target.expand(len(outputs), *target.shape).flatten(0, 1)
    errors, there = masked(outputs.flatten(0, 1), target, **kwargs)
    return errors.sum() / there.sum().clamp_min(1), there.sum() // len(outputs)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run of two epochs for each target, with an equivariant network."""
    root = tmp_path_factory.mktemp("kinds")
    for name in NAMES:
        train(
            small(
                root / name,
                targets=name,
                epochs=2,
                copies=2,
                **SETTINGS.get(name, {"model": "painn"}),
            )
        )
        evaluate(root / name, copies=2)
    return root


def turned(structure, g):
    return replace(structure, pos=structure.pos @ g.T)


def rotation():
    return SO3().double().haar(1, torch.Generator().manual_seed(5))[0].double().numpy()


def structures(n=4):
    molecules = load_data(SAMPLE)
    pairs = [molecules.molecule(i) for i in range(n)]
    return [
        Structure(str(i), z.astype(np.int64), pos.astype(float), "test", GIVEN)
        for i, (z, pos) in enumerate(pairs)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_errors_of_an_equivariant_network_do_not_depend_on_orientation(folders, name):
    result = json.loads((folders / name / "evaluation.json").read_text())
    row = result["targets"][name]
    assert row["stored"] == pytest.approx(row["rotated"], rel=1e-4)
    assert row["averaged"] == pytest.approx(row["rotated"], rel=1e-4)
    with (folders / name / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert float(last[f"{name}_stored"]) == pytest.approx(float(last[f"{name}_rotated"]), rel=1e-4)
    assert float(last[f"{name}_orbit_variance"]) < 1e-6 * float(last[f"{name}_orbit_square"])
    assert ("components" in row) == (name != "charges")
    if name != "charges":  # errors of components depend on the frame
        assert row["components"]["stored"] < row["stored"]
        assert row["components"]["stored"] != pytest.approx(row["components"]["rotated"], rel=1e-4)
    interval = result["intervals"]["given"]["targets"][name]
    assert interval["half"] > 0
    assert 0.7 < interval["coverage"] <= 1


def test_predictions_rotate_with_the_molecule(folders):
    g, items = rotation(), structures()
    for name in NAMES:
        predictor = Predictor(folders / name)
        here = list(predictor.predict(items))
        there = list(predictor.predict([turned(s, g) for s in items]))
        for s, a, b in zip(items, here, there, strict=True):
            assert a[f"{name}_unit"].startswith("e")
            assert a[f"{name}_radius"] > 0
            assert a[f"{name}_std"] < 1e-4
            if name == "dipole":
                vector, moved = (np.array([r[f"dipole_{c}"] for c in "xyz"]) for r in (a, b))
                assert np.abs(moved - vector).max() > 1e-4
                assert np.allclose(moved, g @ vector, atol=1e-5)
            elif name == "quadrupole":
                tensor, moved = (six(row) for row in (a, b))
                assert np.allclose(moved, g @ tensor @ g.T, atol=1e-4)
            elif name == "octupole":
                seven, moved = (np.array([r[f"octupole_{i}"] for i in range(7)]) for r in (a, b))
                d = e3nn.o3.Irrep("3o").D_from_matrix(torch.from_numpy(g)).numpy()
                assert np.abs(moved - seven).max() > 1e-4
                assert np.allclose(moved, d @ seven, atol=1e-4)
            else:
                assert len(a["charges"]) == len(s.z)
                assert np.allclose(a["charges"], b["charges"], atol=1e-5)


def six(row):
    found = np.zeros((3, 3))
    for i, a in enumerate("xyz"):
        for j, b in enumerate("xyz"[i:], i):
            found[i, j] = found[j, i] = row[f"quadrupole_{a}{b}"]
    return found


def test_files_and_the_screen_show_them(folders, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert main(["predict", str(folders / "dipole"), "CCO", "O", "-o", str(out)]) == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    columns = {"dipole_x", "dipole_y", "dipole_z", "dipole_std", "dipole_unit"}
    assert columns < set(rows[0])
    assert "dipole_mae" not in rows[0]  # not measured for RDKit's geometries
    assert rows[0]["dipole_unit"] == "e angstrom"
    out = tmp_path / "out.json"
    assert main(["predict", str(folders / "charges"), "O", "-o", str(out)]) == 0
    assert len(json.loads(out.read_text())[0]["charges"]) == 3
    assert main(["predict", str(folders / "charges"), "O"]) == 0
    assert "3 atoms" in capsys.readouterr().out


def test_an_analysis_gets_values_of_the_right_kind(folders):
    for name, kind in NAMES.items():
        subject, config, saved = of_run(folders / name)
        given = held_out(config, saved, 5)
        assert subject.kind == kind
        pos, z = given.batch(range(5), int(given.sizes.max()))
        with torch.no_grad():
            values = subject(pos, z)
        assert given.y is not None
        assert given.y.shape == values.shape
        assert given.y.isfinite().all()
        if subject.by_atom:  # padding has no values
            assert not values[:, 0][z == 0].any()


def test_the_loss_is_that_of_vectors_and_does_not_see_the_frame():
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(5, 2, 3, generator=generator)
    outputs = torch.randn(3, 5, 2, 3, generator=generator)
    y[1, 0, 2] = torch.nan  # the vector counts as a whole
    g = torch.from_numpy(rotation()).float()
    loss, count = mean_l1(outputs, y, kind="vector")
    moved, _ = mean_l1(outputs @ g.mT, y @ g.mT, kind="vector")
    errors = (outputs - y).norm(dim=-1)
    assert int(count) == 9
    assert loss == pytest.approx(float(errors[:, ~y.isnan().any(-1)].mean()), rel=1e-5)
    assert moved == pytest.approx(float(loss), rel=1e-5)
    one = outputs[:1].clone().requires_grad_()
    mean_l1(one, outputs[0], kind="vector")[0].backward()  # the gradient at an error of 0
    assert one.grad is not None
    assert one.grad.isfinite().all()
    weighted, _ = mean_l1(outputs, y, kind="vector", weights=torch.tensor([0.0, 2.0]))
    assert weighted == pytest.approx(2 * float(errors[:, :, 1].mean()) * 5 / 9, rel=1e-5)
    metric, task = Mean(2), of_targets([Target(n, "D", kind="vector") for n in "ab"])
    metric.update(*task.sums(outputs[0], y))
    assert metric.compute()[0] == pytest.approx(float(errors[0, [0, 2, 3, 4], 0].mean()), rel=1e-5)
    found = errors_of(outputs[0] - y, "vector")
    assert found.value.isnan().sum() == 1
    assert found.count.sum() == 9


def test_outputs_are_rotated_back_before_the_loss():
    """Rotations do not change the loss of an equivariant network of vectors."""
    molecules = load_data(SAMPLE)
    batch = OnDevice(molecules, molecules.select(["homo"]), "cpu").gather(np.arange(6))
    made = {}
    for name in ("painn", "point"):
        settings = {"width": 32, "layers": 2}
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = make_network(
                1,
                model=name,
                model_args=settings,
                group="SO3",
                distribution="UniformBox",
                distribution_args={"init": 1.0},
                copies=4,
                kind="vector",
            ).train()
        outputs = network(batch.pos, batch.z, generator=torch.Generator().manual_seed(1))
        assert outputs.shape == (4, 6, 1, 3)
        made[name] = float((outputs.std(0) / outputs.std()).max().detach())
        (outputs.square().sum() / outputs.square().sum().detach()).backward()
        slopes = [float(p.grad.abs().max()) for p in network.distribution.parameters()]
        assert (max(slopes) > 1e-4) == (name == "point")  # the extents see what turning costs
    assert made["painn"] < 1e-4
    assert made["point"] > 1e-2


def test_unsupported_settings_are_refused_in_one_sentence(folders, tmp_path, capsys):
    for changes, reason in (
        ({"targets": "homo,dipole"}, "homo (a scalar) and dipole (a vector)"),
        ({"targets": "dipole,quadrupole"}, "one kind"),
        ({"targets": "dipole", "model": "schnet", "model_args": {}}, "use equivariant or painn"),
        ({"targets": "homo", "model": "painn", "model_args": {"output": "vector"}}, "leave out"),
        ({"targets": "dipole [Debye]"}, "gives dipole in e angstrom"),
        ({"targets": "dipol"}, "did you mean 'dipole'"),
        ({"targets": "dipole", "weights": {"dipoles": 2}}, "did you mean 'dipole'"),
    ):
        with pytest.raises(InputError) as error:
            train(small(tmp_path / "none", **changes))
        assert reason in str(error.value)
    run = str(folders / "dipole")
    for command in (
        ["evaluate", run, "--embedded", "10"],
        ["predict", run, "CCO", "--conformers", "2"],
        ["predict", run, "CCO", "-o", str(tmp_path / "x.parquet")],
    ):
        capsys.readouterr()
        assert main(command) == 2
        assert capsys.readouterr().err.strip().count("\n") == 0


def test_a_model_of_numbers_is_fine_tuned_on_vectors(tmp_path, run):
    """`--init` with another kind of target keeps all layers except the last."""
    folder = train(small(tmp_path / "next", targets="dipole [D]", epochs=1, init=str(run)))
    first, then = load(run).network.state_dict(), load(folder).network.state_dict()
    assert first.keys() == then.keys()
    other = [k for k in first if first[k].shape != then[k].shape]
    assert sorted(other) == ["model.read.3.bias", "model.read.3.weight"]
    assert load(folder).standardizer.targets[0].unit == "D"


@pytest.mark.slow
def test_a_run_is_analysed(folders, tmp_path):
    quick = ["--molecules", "4", "--degree", "3"]
    for name, word in (("dipole", "equivariant"), ("charges", "invariant")):
        out = tmp_path / name
        assert main(["analyse", str(folders / name), *quick, "-o", str(out)]) == 0
        found = json.loads((out / "analysis.json").read_text())
        assert f"is {word} under rotations, to within rounding" in found["verdict"][0]
        assert not any("not measured" in line for line in found["verdict"])
