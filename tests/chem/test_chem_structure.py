"""Structure and check: which atoms and coordinates are refused, and lazy imports."""

import subprocess
import sys

import numpy as np
import pytest

from molinv.chem import Rejected, Structure, check
from molinv.chem.structure import GIVEN
from molinv.errors import InputError

WATER = np.array([[0.0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])


def test_water_passes():
    check(np.array([8, 1, 1]), WATER)
    check(np.array([118]), np.zeros((1, 3), dtype=np.float32))


@pytest.mark.parametrize(
    ("z", "pos", "said"),
    [
        ([], np.empty((0, 3)), "at least one atom"),
        ([8, 1], WATER, "expected z (N,) and pos (N, 3), got (2,) and (3, 3)"),
        ([8, 1, 1], WATER[:, :2], "(3, 2)"),
        ([8.0, 1.0, 1.0], WATER, "integers"),
        ([8, 0, 1], WATER, "atom 2 has no known element"),
        ([8, 1, 119], WATER, "atom 3 has no known element"),
        ([8, 1, 1], WATER * [[1], [np.nan], [1]], "atom 2 is at (nan"),
        ([8, 1, 1], np.where(WATER < 0, np.inf, WATER), "atom 3 is at (inf"),
        ([8, 1, 1], np.where(WATER < 0, 1e300, WATER), "finite coordinates"),
        ([8, 1, 1], WATER[[0, 1, 1]], "atoms 2 and 3 coincide"),
        ([8, 1, 1], WATER[[0, 0, 0]], "coincide"),
        ([8, 1], [[0, 0, 0], [9e-4, 0, 0]], "atoms 1 and 2 coincide"),
    ],
)
def test_unusable_atoms_are_refused(z, pos, said):
    with pytest.raises(InputError) as caught:
        check(np.array(z, dtype=None if z else int), np.asarray(pos))
    assert said in str(caught.value)


def test_coincident_atoms_are_found_in_large_molecules_too():
    pos = np.random.default_rng(0).normal(scale=30, size=(300, 3))
    check(np.ones(300, dtype=int), pos)
    pos[250] = pos[17]
    with pytest.raises(InputError, match="atoms 18 and 251 coincide"):
        check(np.ones(300, dtype=int), pos)


def test_close_atoms_that_do_not_coincide_pass():
    check(np.array([1, 1]), np.array([[0, 0, 0], [1.1e-3, 0, 0]]))


def test_results_are_frozen():
    structure = Structure("w", np.array([8, 1, 1]), WATER, "argument", GIVEN)
    with pytest.raises(AttributeError):
        structure.name = "x"  # pyright: ignore
    assert structure.smiles is None
    assert Rejected("a", "b", "c") == Rejected("a", "b", "c")


def test_importing_the_package_loads_neither_rdkit_nor_ase():
    code = "import molinv.chem, sys; print([m for m in ('rdkit', 'ase') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error():
    import molinv.chem

    assert {"read", "embed", "Structure", "Rejected"} <= set(dir(molinv.chem))
    with pytest.raises(AttributeError):
        molinv.chem.nothing  # noqa: B018
