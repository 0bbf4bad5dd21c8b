"""Given heavy atoms with RDKit's hydrogens, a separate kind of geometry."""

from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molinv.chem import Structure, read
from molinv.chem.structure import EMBEDDED, GIVEN, HYDROGENS, KINDS
from molinv.datasets import load
from molinv.datasets.geometries import hydrogens_added_copies
from molinv.datasets.hydrogens import with_hydrogens
from molinv.datasets.own import read_own
from molinv.training.config import TrainConfig
from molinv.training.source import prepare

SAMPLE = load(str(Path(__file__).parents[2] / "data" / "qm9_sample"))


def record(i: int, hydrogens: bool, flat: bool = False) -> str:
    """A molecule of the sample as an .sdf record, with or without its hydrogens, 2-D or 3-D."""
    z, pos = SAMPLE.molecule(i)
    z2, pos2 = with_hydrogens(SAMPLE.smiles[i], z, pos)
    mol = Chem.AddHs(Chem.MolFromSmiles(SAMPLE.smiles[i]))
    assert z2.tolist() == [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    conformer = Chem.Conformer(len(z2))
    conformer.SetPositions(pos2.astype(float) * ([1, 1, 0] if flat else [1, 1, 1]))
    conformer.Set3D(not flat)
    mol.AddConformer(conformer)
    block = Chem.MolToMolBlock(mol if hydrogens else Chem.RemoveHs(mol))
    return f"{block}> <y>\n{i}\n\n$$$$\n"


def test_heavy_atoms_stay_and_hydrogens_are_as_many():
    chosen = np.arange(40, 80)
    found = hydrogens_added_copies(SAMPLE, chosen)
    assert found is not None
    made, index = found
    assert np.array_equal(index, chosen)
    assert list(made.ids) == [SAMPLE.ids[int(i)] for i in chosen]
    assert np.array_equal(made.y, SAMPLE.y[chosen])
    moved = 0
    for row, i in enumerate(chosen):
        (z, pos), (z2, pos2) = SAMPLE.molecule(i), made.molecule(row)
        assert np.array_equal(np.sort(z), np.sort(z2))
        assert np.array_equal(pos[z > 1], pos2[z2 > 1])
        apart = np.linalg.norm(pos2[z2 == 1][:, None] - pos2[z2 > 1], axis=-1).min(1)
        assert ((apart > 0.8) & (apart < 1.3)).all()
        moved += not np.allclose(pos, pos2, atol=0.01)
    assert moved > 30


def test_atoms_in_another_order_than_the_smiles_are_matched():
    z, pos = SAMPLE.molecule(60)
    order = np.random.default_rng(0).permutation(len(z))
    there, shuffled = (
        with_hydrogens(SAMPLE.smiles[60], *atoms) for atoms in ((z, pos), (z[order], pos[order]))
    )
    assert there is not None
    assert shuffled is not None
    assert np.array_equal(there[0], shuffled[0])
    assert np.allclose(there[1], shuffled[1], atol=1e-5)


@pytest.mark.parametrize("smiles", ["", "C(", "CCCCCCC", "InChI=1S/none", "[2H]C"])
def test_molecules_with_a_wrong_smiles_are_left_out(smiles):
    assert with_hydrogens(smiles, *SAMPLE.molecule(60)) is None


def test_molecules_without_hydrogens_are_left_out():
    z, pos = np.array([8, 6, 8]), np.array([[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    assert with_hydrogens("O=C=O", z, pos) is None


def test_a_file_may_have_geometries_of_three_kinds(tmp_path):
    path = tmp_path / "a.sdf"
    records = [record(40 + i, i % 2 == 0) for i in range(10)]
    path.write_text("".join(records) + record(50, True, flat=True))
    found = list(read(path))
    kinds = [GIVEN, HYDROGENS] * 5 + [EMBEDDED]
    assert [m.kind for m in found if isinstance(m, Structure)] == kinds
    assert [m.embedded for m in found if isinstance(m, Structure)] == [False] * 10 + [True]
    copies = hydrogens_added_copies(SAMPLE, np.array([41]))
    assert copies is not None
    made, _ = copies
    assert made is not None
    assert np.allclose(found[1].pos, made.molecule(0)[1], atol=2e-3)  # as for a file
    own = read_own(path)
    assert own.kind.tolist() == kinds
    assert own.embedded.tolist() == [k == EMBEDDED for k in kinds]
    assert own.state.tolist() == [[0, 0]] * 11
    again = read_own(path)  # from the cache
    assert (again.kind.tolist(), again.state.tolist()) == (kinds, own.state.tolist())
    source = prepare(TrainConfig(data=str(path), targets="y", train_size=None))
    assert source.kinds == (GIVEN, EMBEDDED, HYDROGENS)
    numbers = source.molecules.extras.kinds
    assert numbers is not None
    assert [KINDS[k] for k in numbers] == kinds
