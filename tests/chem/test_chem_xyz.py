"""XYZ and extended XYZ."""

import numpy as np
import pytest

from molinv.chem import Rejected, Structure, read

WATER = "3\nwater\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n"
H2 = "2\nhydrogen\nH 0 0 0\nH 0 0 0.74\n"


def rejected(items):
    return [item for item in items if isinstance(item, Rejected)]


def names(items):
    return [item.name for item in items if isinstance(item, Structure)]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("2\nx\nXx 0 0 0\nH 0 0 1\n", "line 8: unknown element 'Xx'"),
        ("1\nx\n119 0 0 0\n", "line 8: unknown element '119'"),
        ("1\nx\n0 0 0 0\n", "line 8: unknown element '0'"),
        ("2\nx\nH 0 0 0\nH nan 0 1\n", "line 9: expected an element and three finite"),
        ("2\nx\nH 0 0 0\nH 0 zero 1\n", "line 9: expected an element and three finite"),
        ("2\nx\nH 0 0 0\nH 0 1_0 1\n", "line 9: expected an element and three finite"),
        ("2\nx\nH 0 0 0\nH 0 1\n", "line 9: expected an element and three finite"),
        ("2\nx\nH 0 0 0\nH 0 0 0\n", "atoms 1 and 2 coincide"),
        ("3\nx\nH 0 0 0\nH 0 0 1\n", "line 6: the count says 3 atoms, got 2"),
        ("3\nx\nH 0 0 0\n\nH 0 0 1\n", "line 6: the count says 3 atoms, got 1"),
        ("1\nx\nH 0 0 0\nH 0 0 1\n", "line 6: the count says 1 atoms, but line 9 is one more"),
        ("five\nx\nC 0 0 0\n", "line 6: expected an atom count, got 'five'"),
        ("-1\nx\nC 0 0 0\n", "line 6: expected an atom count, got '-1'"),
        ("five\n7\nC 0 0 0\n", "line 6: expected an atom count"),
        ("0\nx\n", "at least one atom"),
        (f"{'9' * 5000}\nx\nC 0 0 0\n", "line 6: the count says 999999999999 atoms"),
        ('1\nLattice="5 0 0 0 5 0 0 0 5"\nH 0 0 0\n', "line 6: periodic structures"),
        ("1\nx\nH 0 0 0\nVEC1 5 0 0\nVEC2 0 5 0\nVEC3 0 0 5\n", "periodic structures"),
    ],
)
def test_a_bad_frame_does_not_affect_the_others(write, frame, said):
    items = list(read([write("a.xyz", WATER + frame + H2)]))
    assert names(items) == ["water", "hydrogen"]
    (bad,) = rejected(items)
    assert said in bad.reason
    assert bad.source.endswith(":6")


def test_a_truncated_last_frame(write):
    items = list(read([write("a.xyz", WATER + "5\nmethane\nC 0 0 0\nH 0 0")]))
    assert names(items) == ["water"]
    assert "cut short" in rejected(items)[0].reason


def test_frames_of_other_programs(write):
    text = (
        "\ufeff 2 \r\n\r\n 6  0.0D+00 0 0  0.1 label\r\n o 0 0 1.128d0 -0.1\r\n"
        "\r\n\r\n1\r\nE = -76.4 step = 3\r\nCL 0 0 0\r\n1\r\n17\r\nD\t0\t0\t0\r\n"
    )
    one, two, three = read([write("traj.xyz", text)])
    assert one.z.tolist() == [6, 8]
    assert one.pos.tolist() == [[0, 0, 0], [0, 0, 1.128]]
    assert not one.embedded
    assert [s.name for s in (one, two, three)] == ["traj-1", "traj-2", "17"]
    assert (two.z.tolist(), three.z.tolist()) == ([17], [1])


def test_files_of_qm9(write):
    text = (
        "3\ngdb 3\t799.58812\t437.90386\t282.94545\t1.8511\n"
        "O\t-0.0343604951\t 0.9775395708\t 0.0076015923\t-0.589706\n"
        "H\t 0.0647664923\t 2.1*^-2\t 0.0015346341\t 0.294853\n"
        "H\t 0.8717903737\t 1.3007924048\t 0.0006931336\t 0.294853\n"
        "1671.4222\t3803.6305\t3907.698\nO\tO\nInChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2\n"
    )
    items = list(read([write("dsgdb9nsd_000003.xyz", text + text)]))
    assert not rejected(items)
    assert names(items) == ["gdb 3", "gdb 3"]
    assert items[0].pos[1, 1] == pytest.approx(0.021)


def test_an_extended_comment_in_an_xyz_file_is_used(write):
    text = "1\nProperties=pos:R:3:species:S:1\n1 2 3 N\n"
    (item,) = read([write("a.xyz", text)])
    assert item.z.tolist() == [7]
    assert item.pos.tolist() == [[1, 2, 3]]


EXTENDED = "2\nProperties=species:S:1:pos:R:3 name=h2\nH 0 0 0\nH 0 0 0.74\n"


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ('1\nLattice="5 0 0 0 5 0 0 0 5"\nSi 0 0 0\n', "periodic structures are not supported"),
        ('1\nLattice="5 0 0 0 5 0 0 0 5" pbc="F F T"\nSi 0 0 0\n', "periodic structures"),
        (
            "1\nProperties=species:S:1:pos:R:3:f:R:2\nH 0 0 0\n",
            "line 7: expected an element and three finite coordinates in angstrom in 6 columns",
        ),
        ("1\nProperties=species:S:1:pos:R:99999999\nH 0 0 0\n", "fewer than 1000 columns"),
        ("1\nProperties=species:S:1:pos:R:3\nX 0 0 0\n", "unknown element 'X'"),
        ("1\nProperties=species:S:1:pos:R:3\nXx 0 0 0\n", "line 7: unknown element 'Xx'"),
        ("1\nProperties=species:S:1:pos:R:3 Lattice=cubic\nH 0 0 0\n", "line 6: ASE cannot read"),
        ("1\nProperties=species:S:1:pos:R:3\nH nan 0 0\n", "finite coordinates"),
        ("1\nProperties=species:S:1\nH\n", "line 6: expected species:S:1 and pos:R:3"),
        ("4\nProperties=species:S:1:pos:R:3\nH 0 0 0\n", "the count says 4"),
    ],
)
def test_a_bad_extended_frame_does_not_affect_the_others(write, frame, said):
    text = EXTENDED + frame + EXTENDED.replace("name=h2", 'pbc="F F F"')
    items = list(read([write("a.extxyz", text)]))
    assert names(items) == ["h2", "a-3"]
    (bad,) = rejected(items)
    assert said in bad.reason
    assert "\n" not in bad.reason


def test_files_of_ase_are_read_back(tmp_path):
    import ase.build
    import ase.io

    molecules = [ase.build.molecule(name) for name in ("H2O", "CH3CH2OH")]
    ase.io.write(tmp_path / "m.extxyz", molecules)
    ase.io.write(tmp_path / "m.xyz", molecules, format="xyz")
    for file in ("m.extxyz", "m.xyz"):
        items = list(read([str(tmp_path / file)]))
        for item, atoms in zip(items, molecules, strict=True):
            assert item.z.dtype == np.int64
            assert item.z.tolist() == atoms.numbers.tolist()
            np.testing.assert_allclose(item.pos, atoms.positions, atol=1e-8)


def test_heavy_hydrogen_and_symbols_in_any_case_in_extended_frames(write):
    text = "3\nProperties=species:S:1:pos:R:3:q:R:1\nO 0 0 0 1\nD 0.76 0.59 0 2\nt -0.76 0.59 0 3\n"
    (item,) = read([write("A.EXTXYZ", text)])
    assert item.z.tolist() == [8, 1, 1]
    numbers = "1\nProperties=Z:I:1:pos:R:3\n8 0 0 0\n"
    (item,) = read([write("b.extxyz", numbers)])
    assert item.z.tolist() == [8]


def test_a_number_that_ase_wrote_as_json(write):
    from pathlib import Path

    from molinv.chem.labels import labels
    from molinv.chem.structure import ReadOptions

    path = write(
        "a.extxyz", '1\nProperties=species:S:1:pos:R:3 energy="_JSON 2.5" tag=x\nH 0 0 0\n'
    )
    assert list(labels(Path(path), ReadOptions())) == [
        {"Properties": "species:S:1:pos:R:3", "energy": 2.5, "tag": "x"}
    ]
