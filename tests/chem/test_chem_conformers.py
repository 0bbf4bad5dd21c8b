"""Conformers: elements, hydrogens, geometry, reproducibility and refusals."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

from molinv.chem import check, conformers, embed, read
from molinv.chem.structure import Rejected, Structure
from molinv.errors import InputError


@pytest.mark.parametrize(
    ("smiles", "elements"),
    [
        ("CCO", [6, 6, 8] + [1] * 6),
        ("[H][H]", [1, 1]),
        ("[H+]", [1]),
        ("[13CH4]", [6, 1, 1, 1, 1]),
        ("[2H]O[2H]", [1, 8, 1]),
        ("[CH3]", [6, 1, 1, 1]),
        ("[O-]C=O", [8, 6, 8, 1]),
        ("[Na+].[Cl-]", [11, 17]),
        ("[He].[He]", [2, 2]),
        ("Cl[Pt](Cl)(N)N", [17, 78, 17, 7, 7, 1, 1, 1, 1]),
    ],
)
def test_elements_and_hydrogens(smiles, elements):
    z, pos = embed(smiles)
    assert z.dtype == np.int64
    assert pos.dtype == np.float64
    assert z.tolist() == elements
    check(z, pos)


def distances(pos):
    return np.linalg.norm(pos[:, None] - pos[None], axis=-1)


def test_methane_has_its_bond_lengths():
    _, pos = embed("C")
    assert distances(pos)[0, 1:] == pytest.approx([1.09] * 4, abs=0.02)


def test_fragments_do_not_interpenetrate():
    z, pos = embed("c1ccccc1.c1ccccc1")
    first = np.array([*range(6), *range(12, 18)])
    second = np.setdiff1d(np.arange(len(z)), first)
    assert distances(pos)[np.ix_(first, second)].min() > 2.0


def test_a_seed_gives_the_same_coordinates_and_another_seed_others():
    one, again, other = (embed("CCCCO", seed)[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert abs(distances(one) - distances(other)).max() > 0.01


def test_stereo_is_kept():
    for smiles in ("N[C@@H](C)C(=O)O", "N[C@H](C)C(=O)O"):
        _, pos = embed(smiles)
        n, c, methyl, acid = pos[0], pos[1], pos[2], pos[3]
        volume = np.dot(n - c, np.cross(methyl - c, acid - c))
        assert (volume > 0) == ("@@" not in smiles)


def test_a_molecule_keeps_its_atom_order_and_is_not_changed():
    mol = Chem.MolFromSmiles("OCC")
    z, _ = embed(mol)
    assert z[:3].tolist() == [8, 6, 6]
    assert mol.GetNumAtoms() == 3
    assert mol.GetNumConformers() == 0


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("C(C", "extra open parentheses near position 2"),
        ("CXx", "syntax error near position 2"),
        ("C1CC", "unclosed ring"),
        ("CC(C)(C)(C)C", "valence for atom 2 (C), 5,"),  # counted from 1
        ("Cc1cccc1", "Unkekulized atoms: 2 3 4 5 6"),
        ("*CC", "atom 1 is a placeholder"),
        ("CC[*:1]", "atom 3 is a placeholder"),
        ("C" * 400, "too large"),
    ],
)
def test_refusals_say_why(smiles, said, capfd):
    with pytest.raises(InputError) as caught:
        embed(smiles)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_impossible_geometry_is_refused():
    with pytest.raises(InputError, match="no 3-D coordinates"):
        embed("C1[C@@H]2C[C@H]12.C12C3C1C23.[C@]12(F)C[C@@]1(F)C2")


def test_rdkit_stays_quiet(capfd):
    embed("[Fe+2].[cH-]1cccc1.[cH-]1cccc1")
    embed(Chem.MolFromSmiles("Cl[Pt](Cl)(N)N"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_that_would_not_reproduce_are_refused(seed):
    with pytest.raises(InputError, match="seed"):
        embed("C", seed)


@pytest.mark.parametrize(("carbons", "steps"), [(20, 1000), (150, 146)])
def test_a_large_molecules_relaxation_takes_fewer_steps(carbons, steps, monkeypatch):
    """482 atoms took 7.5 s without this bound and 1.1 s with it."""
    taken = []

    class Field:
        def Initialize(self):
            pass

        def Minimize(self, maxIts):
            taken.append(maxIts)

    monkeypatch.setattr(
        rdForceFieldHelpers, "MMFFGetMoleculeForceField", lambda *args, **settings: Field()
    )
    conformers._relax(Chem.AddHs(Chem.MolFromSmiles("C" * carbons)))
    assert taken == [steps]


def test_a_smiles_that_could_crash_rdkit_is_refused_before_parsing():
    long, usual = read(["c1" + "c" * 12_000, "C" * 40])
    assert isinstance(long, Rejected)
    assert long.reason == "a SMILES of 12,002 characters is too long: expected at most 5,000"
    assert isinstance(usual, Structure)
