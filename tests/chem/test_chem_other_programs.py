"""Files as other programs write them, and the molecules that are read from them."""

from collections import Counter

import numpy as np
import pytest
from ase import Atoms

from molinv.chem import Rejected, Structure, read
from molinv.errors import InputError


def formula(item) -> str:
    """The formula of a structure, such as C2H6O; the reason of a rejected molecule."""
    if isinstance(item, Rejected):
        return item.reason
    from ase.data import chemical_symbols

    found = Counter(chemical_symbols[z] for z in item.z)
    return "".join(f"{s}{n if n > 1 else ''}" for s, n in sorted(found.items()))


def came(path) -> list[tuple[str, str]]:
    return [(item.name, formula(item)) for item in read([path])]


LINES = ["CCO ethanol", "", "# a comment", "   ", "[NH4+] ammonium", "CCO ethanol", "C[CH2] ethyl"]
OF_LINES = [
    ("ethanol", "C2H6O"),
    ("ammonium", "H4N"),
    ("ethanol", "C2H6O"),  # a repeated name, in its original position
    ("ethyl", "C2H5"),
]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("last", ["", "end"])
def test_line_ends_blank_lines_comments_and_byte_order_marks(write, end, encoding, last):
    text = end.join(LINES) + (end if last else "")
    assert came(write("a.smi", text.encode(encoding))) == OF_LINES


SHEETS = {
    "excel": "\ufeffID;Name;SMILES;pIC50\r\n1;Äpfelsäure;OC(=O)CC(O)C(=O)O;4,2\r\n"
    ";;;\r\n2;x;C;1\r\n",
    "quoted": '"Name","Smiles","note"\n"Äpfelsäure","OC(=O)CC(O)C(=O)O","a ""b"", c\nd"\n'
    '"x","C",""\n',
    "tabs": "title\tcanonical_smiles\nÄpfelsäure\tOC(=O)CC(O)C(=O)O\t\n\nx\tC\n",
}


@pytest.mark.parametrize("program", SHEETS)
def test_tables(write, program):
    made = came(write("a.csv", SHEETS[program]))
    assert made == [("Äpfelsäure", "C4H6O5"), ("x", "CH4")]


@pytest.mark.parametrize("name", ["a.smi", "a.csv", "a.sdf", "a.xyz"])
def test_latin1_says_how_to_convert_it(write, name):
    text = {"a.csv": "smiles,name\nC,süß\n", "a.xyz": "1\nsüß\nH 0 0 0\n"}.get(name, "C süß\n")
    with pytest.raises(InputError, match=r"expected UTF-8 text.*iconv -f latin1 -t utf-8"):
        list(read([write(name, text.encode("latin-1"))]))
    assert isinstance(next(iter(read([write(name, text)]))), Structure | Rejected)


KINDS = {
    "ammonium": ("C[NH3+]", "CH6N"),
    "carboxylate": ("CC(=O)[O-]", "C2H3O2"),
    "zwitterion": ("[NH3+]CC(=O)[O-]", "C2H5NO2"),
    "heavy water": ("[2H]O[2H]", "H2O"),
    "labelled": ("[13CH4]", "CH4"),
    "salt": ("[Na+].CC(=O)[O-]", "C2H3NaO2"),
    "hydrate": ("O.O.CN", "CH9NO2"),
    "methyl radical": ("[CH3]", "CH3"),
    "TEMPO": ("CC1(C)CCCC(C)(C)N1[O]", "C9H18NO"),
    "triplet carbene": ("[CH2]", "CH2"),
    "ferrocene-like": ("[Fe+2].c1cc[cH-]c1", "C5FeH5"),
}


@pytest.mark.parametrize("v3000", [False, True], ids=["V2000", "V3000"])
@pytest.mark.parametrize("solid", [True, False], ids=["3-D", "drawing"])
@pytest.mark.parametrize("kind", [k for k in KINDS if k != "ferrocene-like"])
def test_charges_isotopes_salts_and_radicals(block, sdf, kind, solid, v3000):
    """Molfiles of both versions, 2-D and 3-D, give the same atoms as the SMILES."""
    smiles, expected = KINDS[kind]
    text = block(smiles, kind, solid=solid, v3000=v3000)
    (item,) = read([sdf(text.replace("\n", "\r\n"))])
    if kind == "hydrate" and solid:  # RDKit has placed its molecules on top of each other
        assert "coincide" in formula(item)
        return
    assert (item.name, formula(item)) == (kind, expected)
    assert item.embedded is not solid


@pytest.mark.parametrize("kind", KINDS)
def test_formulas_from_smiles(kind):
    smiles, expected = KINDS[kind]
    (item,) = read([smiles])
    assert formula(item) == expected


OPENBABEL = """
 OpenBabel11232600003D

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1173 O   0  0  0  0  0  0  0  0  0  0  0  0
    0.0000    0.7572   -0.4692 H   0  0  0  0  0  0  0  0  0  0  0  0
    0.0000   -0.7572   -0.4692 H   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0  0  0  0
  1  3  1  0  0  0  0
M  END
> <pH>
7.4

$$$$
"""
CHEMDRAW = """ethanol.cdx
  ChemDraw11232600002D

  3  2  0  0  0  0  0  0  0  0999 V2000
   -0.7145   -0.2062    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.0000    0.2062    0.0000 C   0  0  0  0  0  0  0  0  0  0  0  0
    0.7145   -0.2062    0.0000 O   0  0  0  0  0  0  0  0  0  0  0  0
  1  2  1  0      \x20
  2  3  1  0      \x20
M  END
"""


def test_records_of_other_programs(write):
    made = list(read([write("a.sdf", OPENBABEL + CHEMDRAW.replace("\n", "\r\n") + "$$$$\r\n\r\n")]))
    assert [(m.name, formula(m), m.embedded) for m in made] == [
        ("a-1", "H2O", False),
        ("ethanol.cdx", "C2H6O", True),
    ]
    assert np.allclose(made[0].pos[1], [0, 0.7572, -0.4692])
    (one,) = read([write("a.mol", CHEMDRAW)])
    assert formula(one) == "C2H6O"


FRAMES = {
    "windows": "3\r\nwater\r\nO 0 0 0\r\nH 0 0.76 0.59\r\nH 0 -0.76 0.59\r\n\r\n",
    "fortran": "  3\nwater\n O   0.0D+00 0.0D+00 0.0D+00\n H 0 .76D0 .59D0\n H 0 -.76D0 5.9D-1\n",
    "numbers": "3\nwater\n8 0 0 0\n1 0 0.76 0.59\n1 0 -0.76 0.59\n",
    "forces": "3\nwater\nO 0 0 0 0.1 0 0\nH 0 0.76 0.59 0 0 0\nH 0 -0.76 0.59 0 0 0\n",
    "capitals": "3\nwater\no 0 0 0\nh 0 0.76 0.59\nD 0 -0.76 0.59\n\n\n",
    "tabs": "\ufeff3\nwater\nO\t0\t0\t0\nH\t0\t0.76\t0.59\nH\t0\t-0.76\t0.59",
}


@pytest.mark.parametrize("program", FRAMES)
def test_frames(write, program):
    (item,) = read([write("a.xyz", FRAMES[program])])
    assert (item.name, formula(item)) == ("water", "H2O")
    assert np.allclose(item.pos, [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])


def test_unusable_records_have_a_reason_and_do_not_affect_the_others(write, sdf, block):
    made = dict(
        came(write("a.smi", "C1CC open\nc1cccc1 odd\n*C part\nCCO fine\nC(C)(C)(C)(C)C five\n"))
    )
    assert made["fine"] == "C2H6O"
    for name, word in {
        "open": "ring",
        "odd": "kekulize",
        "part": "placeholder",
        "five": "valence",
    }.items():
        assert word in made[name].lower()
    broken = block("CCO", "broken").replace("V2000", "V9000")
    kept = came(sdf(block("CN", "first"), broken, block("CF", "last")))
    assert [name for name, _ in kept] == ["first", "broken", "last"]
    assert "record at line" in kept[1][1]
    assert [kept[0][1], kept[2][1]] == ["CH5N", "CFH3"]


def test_mol2_files_lists_of_smiles_and_tsv_tables(write):
    record = (
        "@<TRIPOS>MOLECULE\n{name}\n {count} 2 0 0 0\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n"
        " 1 O1 0.0 0.0 0.119 O.3 1 W 0.0\n 2 H1 0.0 0.763 -0.477 H 1 W 0.0\n"
        " 3 H2 0.0 -0.763 -0.477 H 1 W 0.0\n@<TRIPOS>BOND\n 1 1 2 1\n 2 1 3 1\n"
    )
    text = "# made elsewhere\n" + "".join(
        record.format(name=name, count=count) for name, count in (("water", 3), ("bad", 9))
    )
    water, bad = read([write("a.mol2", text)])
    assert (water.name, formula(water), water.embedded) == ("water", "H2O", False)
    assert np.allclose(water.pos[1], [0, 0.763, -0.477])
    assert bad.source.endswith("a.mol2:2")
    assert "record at line 15: cannot read it as a mol2 record" in bad.reason
    for name in ("a.txt", "a.smiles", "a.SMI"):
        assert came(write(name, "CCO ethanol\nCCC propane\n")) == [
            ("ethanol", "C2H6O"),
            ("propane", "C3H8"),
        ]
    assert came(write("a.tsv", "smiles\tlogS\nCCO\t1.1\n")) == [("CCO", "C2H6O")]


def test_trajectories_of_ase(tmp_path):
    from ase.build import molecule
    from ase.io import Trajectory

    kept = [molecule(name) for name in ("H2O", "CH4", "H2O")]
    kept[1].info["name"] = "methane"
    with Trajectory(tmp_path / "a.traj", "w") as frames:
        for atoms in [*kept, Atoms("Si", cell=[5, 5, 5], pbc=True)]:
            frames.write(atoms)
    *items, crystal = read([tmp_path / "a.traj"])
    assert [item.name for item in items] == ["a-1", "methane", "a-3"]
    for item, atoms in zip(items, kept, strict=True):
        assert item.z.tolist() == atoms.numbers.tolist()
        assert np.array_equal(item.pos, atoms.positions)
    assert "periodic" in crystal.reason
    with pytest.raises(InputError, match="expected an ASE trajectory"):
        list(read([_text(tmp_path / "b.traj")]))


def _text(path):
    path.write_text("3\nwater\n")
    return path
