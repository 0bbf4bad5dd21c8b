"""Several geometries of each molecule: made, drawn, validated and predicted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from molinv import cli
from molinv.analysis.runs import held_out, of_run
from molinv.chem.graph import BONDED
from molinv.chem.structure import KINDS
from molinv.datasets import load
from molinv.datasets.geometries import embedded_copies, hydrogens_added_copies
from molinv.errors import InputError
from molinv.training.config import TrainConfig
from molinv.training.copies import geometry_fractions, heavy_atoms
from molinv.training.molecule_data import MoleculeData, place
from molinv.training.run import train
from molinv.training.source import prepare

SMALL = {"width": 16, "layers": 1, "kernels": 4, "hidden": 8}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 of QM9's molecules, including the smallest."""
    few = load("data/qm9_sample").take(np.arange(60))
    path = tmp_path_factory.mktemp("set") / "few"
    few.save(path)
    return str(path)


def settings(folder, **changes) -> TrainConfig:
    given = {
        "data": folder,
        "targets": "homo",
        "features": "bonds,geometry",
        "geometries": "embedded=0.6,given=0.2,hydrogens=0.2",
        "conformers": 2,
        "model_args": SMALL,
        "epochs": 1,
    }
    return TrainConfig(**(given | changes))


def test_fractions_are_read_and_refused():
    assert geometry_fractions("embedded=0.8, given=0.2") == {"embedded": 0.8, "given": 0.2}
    assert geometry_fractions("given") == {"given": 1.0}
    for text in ("embeded", "given=0", "given=x", "given=nan"):
        with pytest.raises(InputError):
            geometry_fractions(text)


def test_each_copy_has_the_values_of_its_molecule_and_its_own_geometry(folder):
    source = prepare(settings(folder))
    base, copies = load(folder), source.copies
    assert copies is not None
    molecules = source.molecules
    kinds = np.array(KINDS)[molecules.extras.kinds]
    assert source.kinds == ("embedded",)
    assert set(kinds[source.parts.valid]) == set(kinds[source.parts.test]) == {"embedded"}
    for row in range(0, len(molecules), 7):
        i = copies.molecule[row]
        assert molecules.ids[row] == base.ids[i]
        assert np.array_equal(molecules.y[row], base.y[i])
        z, pos = molecules.molecule(row)
        own_z, own = base.molecule(i)
        assert np.array_equal(np.sort(z), np.sort(own_z))
        heavy = pos[z > 1]
        if kinds[row] == "given":
            assert np.array_equal(pos, own)
        elif kinds[row] == "hydrogens":
            assert np.allclose(np.sort(heavy, 0), np.sort(own[own_z > 1], 0), atol=1e-5)
            assert not np.allclose(pos, own, atol=1e-3)
        elif len(heavy) > 3:
            assert not np.allclose(np.sort(heavy, 0), np.sort(own[own_z > 1], 0), atol=1e-3)


def test_every_epoch_draws_one_geometry_of_each_molecule(folder):
    data = MoleculeData(prepare(settings(folder)), settings(folder))
    copies = data.source.copies
    assert copies is not None
    first, second = data.drawn(0), data.drawn(1)
    assert np.array_equal(copies.molecule[first], copies.molecule[data.train])
    assert np.array_equal(copies.molecule[second], copies.molecule[data.train])
    assert not np.array_equal(first, second)
    assert np.array_equal(first, data.drawn(0))
    kinds = data.molecules.extras.kinds
    assert kinds is not None
    drawn = np.concatenate([kinds[data.drawn(epoch)] for epoch in range(100)])
    share = np.bincount(drawn, minlength=3) / len(drawn)
    assert np.allclose(share, [0.2, 0.6, 0.2], atol=0.02)


def test_small_molecules_all_train_and_are_drawn_more_often(folder):
    limit = int(np.sort(heavy_atoms(load(folder)))[8])
    config = settings(folder, small=limit, repeat=3)
    data = MoleculeData(prepare(config), config)
    few = heavy_atoms(data.molecules) <= limit
    assert few.any()
    assert not few[data.source.parts.valid].any()
    assert not few[data.source.parts.test].any()
    copies = data.source.copies
    assert copies is not None
    counts = np.bincount(copies.molecule[data.drawn(0)])
    small = copies.heavy[copies.molecule[data.train]] <= limit
    assert set(counts[copies.molecule[data.train][small]]) == {3}
    assert set(counts[copies.molecule[data.train][~small]]) == {1}


def test_bonds_join_atoms_that_are_near_each_other(folder):
    data = MoleculeData(prepare(settings(folder)), settings(folder))
    stored, _ = data.stores("cpu")
    kinds = data.molecules.extras.kinds
    assert kinds is not None
    rows = np.flatnonzero(kinds != KINDS.index("given"))[::5]
    batch = stored.gather(rows)
    assert batch.features is not None
    apart = (batch.pos[:, :, None] - batch.pos[:, None]).norm(dim=-1)
    bonded = batch.features.pairs[..., 2] > 0
    assert bonded.any()
    assert apart[bonded].max() < 2.0
    given = stored.gather(np.flatnonzero(kinds == KINDS.index("given"))[:5])
    assert given.features is not None
    assert not given.features.pairs.any()


def test_geometries_are_refused_for_targets_that_rotate(folder):
    with pytest.raises(InputError, match="own geometries"):
        prepare(settings(folder, targets="dipole"))


def test_further_conformers_differ_and_are_those_of_a_prediction(folder):
    base = load(folder)
    every = np.arange(len(base))
    first, second = (embedded_copies(base, every, 0, k) for k in (0, 1))
    assert first is not None
    assert second is not None
    i = int(np.argmax(base.sizes))
    assert not np.allclose(first[0].molecule(i)[1], second[0].molecule(i)[1], atol=1e-2)
    from molinv.chem.conformers import embed_many

    both = embed_many(base.smiles[i], 0, 2)[1]
    assert np.allclose(both[1], second[0].molecule(i)[1], atol=1e-4)


def test_some_copies_of_a_set_keep_the_order_asked_for(folder):
    base = load(folder)
    chosen = np.array([30, 12, 45])
    made = embedded_copies(base, chosen)
    added = hydrogens_added_copies(base, chosen)
    for found in (made, added):
        assert found is not None
        assert found[0].ids[:] == [base.ids[int(i)] for i in found[1]]
        assert list(found[1]) == [i for i in chosen if i in found[1]]


def test_a_run_on_several_geometries_predicts_and_is_evaluated_on_each(folder, tmp_path):
    run = train(settings(folder, out=str(tmp_path / "run"), epochs=2))
    assert cli.main(["evaluate", str(run), "--embedded", "5"]) == 0
    measured = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["intervals"]
    assert set(measured) == set(KINDS)
    assert all(each["molecules"] for each in measured.values())
    assert cli.main(["predict", str(run), "CCO"]) == 0
    assert cli.main(["analyse", str(run), "--molecules", "3", "--degree", "2"]) == 0
    assert (run / "analysis" / "report.html").is_file()
    subject, config, saved = of_run(run)
    structures = held_out(config, saved, 4)
    bound = subject.of(structures)
    pos, z = structures.batch([1, 3])
    rows = prepare(config).parts.test[[1, 3]]
    batch = place(prepare(config).molecules, saved.task, config, "cpu").gather(rows)
    model = saved.network.model
    inputs = model.inputs(batch)  # pyright: ignore[reportCallIssue]
    expected = saved.task.values(model(*inputs))
    assert np.allclose(bound(pos, z).detach(), expected.detach(), rtol=1e-6)


def test_a_run_with_repeated_molecules_is_evaluated_on_each_kind_too(folder, tmp_path):
    config = settings(folder, geometries="", conformers=1, features="", small=30, repeat=2)
    with pytest.raises(InputError, match="no molecule is left"):
        train(replace(config, out=str(tmp_path / "all")))
    limit = int(np.sort(heavy_atoms(load(folder)))[8])
    run = train(replace(config, small=limit, out=str(tmp_path / "run")))
    assert cli.main(["evaluate", str(run), "--embedded", "5"]) == 0
    measured = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["intervals"]
    assert set(measured) == set(KINDS)


def test_data_makes_conformers_once(folder, capsys):
    assert cli.main(["data", folder, "--conformers", "2"]) == 0
    shown = capsys.readouterr().out
    assert "conformer 2 of 2" in shown


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory):
    """An .sdf file with coordinates, whose atoms are not in the order of the SMILES."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("sdf") / "a.sdf"
    with path.open("w", encoding="utf-8") as file:
        for i, smiles in enumerate(["CCO", "CC(=O)N", "c1ccccc1O", "CCCN", "CC#N", "COC"] * 5):
            mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
            AllChem.EmbedMolecule(mol, randomSeed=i + 1)
            mol = Chem.RenumberAtoms(mol, random.permutation(mol.GetNumAtoms()).tolist())
            file.write(Chem.MolToMolBlock(mol))
            file.write(f"> <smiles>\n{smiles}\n\n> <y>\n{i}\n\n$$$$\n")
    return str(path)


def own(shuffled, **changes):
    usual = {"data": shuffled, "targets": "y", "features": "bonds", "split": "random"}
    return TrainConfig(**(usual | {"model_args": SMALL, "epochs": 1} | changes))


def test_bonds_fit_the_atoms_of_each_geometry(shuffled):
    molecules = prepare(own(shuffled, geometries="given=0.5,embedded=0.5")).molecules
    graphs = molecules.extras.graphs
    assert graphs is not None
    assert len(molecules) == 60
    for row in range(len(molecules)):
        z, pos = molecules.molecule(row)
        n, start = len(z), graphs.pair_start[row]
        codes = graphs.pairs[start : start + n * n].reshape(n, n)
        bonded = codes >= BONDED
        length = np.linalg.norm(pos[:, None] - pos, axis=-1)[bonded]
        assert len(length) > 0
        assert length.max() < 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"conformers": 3}, "the coordinates of the data are given; add embedded ones"),
        ({"geometries": "given=1,given=2"}, "given is named twice"),
    ],
)
def test_settings_without_an_effect_are_refused(shuffled, changes, said):
    with pytest.raises(InputError, match=said):
        prepare(own(shuffled, **changes))


def test_data_of_two_kinds_has_one_geometry_each(shuffled, tmp_path):
    drawn = tmp_path / "both.sdf"
    flat = "".join(
        f"{Chem.MolToMolBlock(Chem.MolFromSmiles(s))}> <y>\n1\n\n$$$$\n" for s in ("CCO", "CCN")
    )
    drawn.write_text(Path(shuffled).read_text(encoding="utf-8") + flat, encoding="utf-8")
    assert prepare(own(str(drawn))).kinds == ("given", "embedded")
    with pytest.raises(InputError, match="some coordinates of the data are given, some embedded"):
        prepare(own(str(drawn), conformers=2))
    drawn.write_text(flat * 8, encoding="utf-8")
    with pytest.raises(InputError, match="no molecule has one of the kind embedded"):
        prepare(own(str(drawn), conformers=2))
