"""For any content of a file, only structures, rejections or InputError may result."""

import gzip

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.io import Trajectory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from molinv.chem import Rejected, Structure, check, read
from molinv.chem.readers import READERS
from molinv.errors import InputError

FLAT = """x
     RDKit          2D

  2  1  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  4
    1.3000    0.0000    0.0000 O   0  0
  1  2  1  0
M  END
$$$$
"""
SOLID = """y
     RDKit          3D

  0  0  0  0  0  0  0  0  0  0999 V3000
M  V30 BEGIN CTAB
M  V30 COUNTS 2 1 0 0 0
M  V30 BEGIN ATOM
M  V30 1 F 0 0 0 0
M  V30 2 H 0 0 0.92 0
M  V30 END ATOM
M  V30 BEGIN BOND
M  V30 1 1 1 2
M  V30 END BOND
M  V30 END CTAB
M  END
$$$$
"""
XYZ = b"2\nh2\nH 0 0 0\nH 0 0 0.74\n\n1\nProperties=species:S:1:pos:R:3 charge=1 spin=2\nC 1 2 3\n"
MOL2 = b"""@<TRIPOS>MOLECULE
water
 3 2 0 0 0
SMALL
NO_CHARGES

@<TRIPOS>ATOM
 1 O1 0.0 0.0 0.119 O.3 1 W 0.0
 2 H1 0.0 0.763 -0.477 H 1 W 0.0
 3 H2 0.0 -0.763 -0.477 H 1 W 0.0
@<TRIPOS>BOND
 1 1 2 1
 2 1 3 1
"""
PDB = b"""HETATM    1  O   HOH A   1       0.000   0.000   0.119  1.00  0.00           O1-
HETATM    2  H1  HOH A   1       0.000   0.763  -0.477  1.00  0.00           H
HETATM    3  H2  HOH A   1       0.000  -0.763  -0.477  1.00  0.00           H
"""
VALID = {
    ".smi": b"SMILES name\r\nCO a\r\n[O-]C=O b\n# c\nF/C=C\\F\n",
    ".csv": b'id,smiles,y\n1,CO,2\n2,"C#N",3\n',
    ".sdf": (FLAT + SOLID + FLAT).encode(),
    ".mol": SOLID.encode(),
    ".xyz": XYZ,
    ".extxyz": XYZ,
    ".mol2": MOL2 + MOL2,
    ".tsv": b"id\tsmiles\ty\n1\tCO\t2\n2\tC#N\t3\n",
}
VALID |= {ending: VALID[".smi"] for ending in (".smiles", ".txt")}
VALID[".inchi"] = b"InChI\nInChI=1S/CH4O/c1-2/h2H,1H3 methanol\nInChI=1S/CHN/c1-2/h1H\n"
VALID[".pdb"] = PDB + b"END\n" + PDB
SLOW = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
PIECES = [b"\n", b" ", b"0", b"-1", b"999999999", b"nan", b"1e400", b'"', b"*", b"\0", b"\xff"]
PIECES += [b"$$$$\n", b"Lattice=", b"=", b"{", b"[", b"(", b"V3000", b"M  END\n", b",", b"\r"]


@st.composite
def mutated(draw, valid: bytes) -> bytes:
    content = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.integers(0, 6)))
        content[start:stop] = draw(st.sampled_from(PIECES) | st.binary(max_size=3))
    return bytes(content)


def everything(path):
    """The results of a reader, followed by the InputError that ends it, if any."""
    try:
        yield from read([str(path)])
    except InputError as error:
        yield error


def hold(path, seen: set) -> None:
    """Check the contract for one file; adds the types of the results to `seen`."""
    for item in everything(path):
        seen.add(type(item))
        if isinstance(item, Structure):
            check(item.z, item.pos)
            assert (item.z.dtype, item.pos.dtype) == (np.int64, np.float64)
        else:
            reason = item.reason if isinstance(item, Rejected) else str(item)
            assert reason
            assert "\n" not in reason


@pytest.mark.parametrize("extension", VALID)
def test_no_content_escapes_the_contract(extension, tmp_path):
    path = tmp_path / f"fuzz{extension}"
    seen = set()

    @SLOW
    @given(mutated(VALID[extension]) | st.binary(max_size=200))
    def attack(content):
        path.write_bytes(content)
        hold(path, seen)

    attack()
    assert seen == {Structure, Rejected, InputError}


def test_every_reader_is_attacked():
    assert {*VALID, ".db", ".traj"} == set(READERS)


@pytest.fixture(scope="module")
def binaries(tmp_path_factory):
    """The bytes of an ASE database and of a trajectory of a few small molecules."""
    folder = tmp_path_factory.mktemp("db")
    with ase.db.connect(folder / "a.db") as rows, Trajectory(folder / "a.traj", "w") as frames:
        for k in range(3):
            atoms = Atoms("HF", [[0, 0, 0], [0, 0, 0.9 + k / 10]])
            rows.write(atoms, name=f"hf{k}", data={"forces": np.ones((2, 3))})
            frames.write(atoms, energy=-1.0)
    return {ending: (folder / f"a{ending}").read_bytes() for ending in (".db", ".traj")}


@pytest.mark.parametrize("ending", [".db", ".traj"])
def test_no_binary_file_escapes_the_contract(binaries, ending, tmp_path):
    path, seen = tmp_path / f"fuzz{ending}", set()
    content = binaries[ending]
    used = np.flatnonzero(np.frombuffer(content, np.uint8))  # most bytes of a page are 0

    @SLOW
    @given(st.lists(st.tuples(st.sampled_from(list(used)), st.integers(0, 255)), max_size=8))
    def attack(changes):
        changed = bytearray(content)
        for at, byte in changes:
            changed[at] = byte
        path.write_bytes(changed)
        hold(path, seen)

    attack()
    path.write_bytes(content[: -len(content) // 4])
    hold(path, seen)
    assert seen >= {Structure, InputError}


@pytest.mark.parametrize("extension", [".smi", ".db"])
def test_no_gzip_escapes_the_contract(extension, binaries, tmp_path):
    path, seen = tmp_path / f"fuzz{extension}.gz", set()
    packed = gzip.compress((binaries | VALID)[extension], mtime=0)

    @SLOW
    @given(mutated(packed))
    def attack(content):
        path.write_bytes(content)
        hold(path, seen)

    attack()
    assert InputError in seen
