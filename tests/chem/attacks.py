"""Malformed inputs for every reader, and the contract that readers must keep.

    python attacks.py SEED COUNT FOLDER

reads COUNT mutated real files in this process and prints statistics. The process must not use
more than 2 GB, nor 10 s of processor time between two results of a reader. FOLDER keeps the last
file.
"""

from __future__ import annotations

import collections
import faulthandler
import gzip
import io
import json
import random
import resource
import sys
import time
from pathlib import Path

import ase.db
import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from rdkit import Chem
from rdkit.Chem import AllChem

from molinv.bench.memory import largest_size
from molinv.chem import Structure, check, read
from molinv.chem.labels import LABELS, labels
from molinv.chem.structure import ReadOptions
from molinv.errors import InputError

SECONDS, BYTES = 10, 2 * 2**30  # limits on processor time and memory
HANGS = 1800  # seconds without a result after which the process ends, even on a busy machine
SMILES = [
    "CCO",
    "c1ccccc1O",
    "C[N+](C)(C)CC(=O)[O-]",
    "[2H]OC",
    "[Na+].[Cl-]",
    "C[CH2]",
    "F/C=C\\F",
]
SMILES += ["N[C@@H](C)C(=O)O", "C#N", "[13CH4]", "OS(=O)(=O)O", "C1CC1", "[H][H]", "[OH-]"]

INCHI = ["InChI=1S/CH4O/c1-2/h2H,1H3", "InChI=1S/C6H6O/c7-6-4-2-1-3-5-6/h1-5,7H"]
INCHI += ["InChI=1S/C2H4O2.Na/c1-2(3)4;/h1H3,(H,3,4);/q;+1/p-1"]


def solid(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    mol.SetProp("_Name", smiles)
    return mol


def tripos(mol: Chem.Mol) -> str:
    """A molecule as a .mol2 record, which RDKit can read but not write."""
    pos = mol.GetConformer().GetPositions()
    atoms = "".join(
        f"{a.GetIdx() + 1} {a.GetSymbol()}1 {' '.join(f'{x:.4f}' for x in pos[a.GetIdx()])} "
        f"{a.GetSymbol()} 1 M 0.0\n"
        for a in mol.GetAtoms()
    )
    bonds = "".join(
        f"{b.GetIdx() + 1} {b.GetBeginAtomIdx() + 1} {b.GetEndAtomIdx() + 1} "
        f"{'ar' if b.GetIsAromatic() else int(b.GetBondTypeAsDouble())}\n"
        for b in mol.GetBonds()
    )
    counts = f" {mol.GetNumAtoms()} {mol.GetNumBonds()} 0 0 0"
    head = f"@<TRIPOS>MOLECULE\n{mol.GetProp('_Name')}\n{counts}\nSMALL\nNO_CHARGES\n\n"
    return f"{head}@<TRIPOS>ATOM\n{atoms}@<TRIPOS>BOND\n{bonds}"


def real_files(folder: Path) -> dict[str, bytes]:
    """Small files of every kind, as written by RDKit, ASE and QM9, by their extension."""
    mols = [solid(s) for s in SMILES]
    flat = Chem.MolFromSmiles("CC(=O)Oc1ccccc1")
    AllChem.Compute2DCoords(flat)
    sdf = ""
    for i, mol in enumerate([*mols[:6], flat]):
        sdf += Chem.MolToMolBlock(mol, forceV3000=i % 3 == 2)
        sdf += f">  <logS>  ({i + 1})\n{i / 7}\n\n>  <name>\nx{i}\n\n$$$$\n"
    atoms = [
        Atoms([a.GetSymbol() for a in m.GetAtoms()], m.GetConformer().GetPositions()) for m in mols
    ]
    plain, extended = io.StringIO(), io.StringIO()
    for a in atoms[:6]:
        ase.io.write(plain, a, "xyz")
        a.calc = SinglePointCalculator(a, energy=-1.5, forces=np.ones((len(a), 3)))
        ase.io.write(extended, a, "extxyz")
    qm9 = "5\ngdb 1\t157.7\t-0.38\nC\t-0.01\t1.08\t0.008\t-0.5\n"
    qm9 += (
        "H\t0.002\t-0.006\t0.002\t0.13\nH\t1.01\t1.46\t0.0002\t0.13\nH\t-0.54\t1.44\t-0.87\t0.13\n"
    )
    qm9 += "H\t-0.52\t1.43\t9.0*^-1\t0.13\n1341.3\t1341.3\nC\tC\n"
    qm9 += "InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4\n"
    with ase.db.connect(folder / "real.db") as rows:
        for i, a in enumerate(atoms[:5]):
            rows.write(a, name=f"m{i}", logS=i / 3, data={"q": np.ones(len(a)), "mu": np.ones(3)})
    with ase.io.Trajectory(folder / "real.traj", "w") as frames:
        for a in atoms[:5]:
            frames.write(a, energy=-1.5)
    mol2 = "".join(tripos(m) for m in mols[:5])
    pdb = "".join(Chem.MolToPDBBlock(m) for m in mols[:5])
    inchi = "".join(f"{text}\tname {i}\n" for i, text in enumerate(INCHI))
    table = "id,smiles,logS,when\n" + "".join(
        f'{i},"{s}",{i / 3},20{i:02}-01-01\n' for i, s in enumerate(SMILES)
    )
    made = {
        ".smi": "".join(f"{s}\tname {i}\n" for i, s in enumerate(SMILES)).encode(),
        ".csv": table.encode(),
        ".sdf": sdf.encode(),
        ".mol": Chem.MolToMolBlock(mols[0], forceV3000=True).encode(),
        ".xyz": (plain.getvalue() + qm9).encode(),
        ".extxyz": extended.getvalue().encode(),
        ".db": (folder / "real.db").read_bytes(),
        ".traj": (folder / "real.traj").read_bytes(),
        ".mol2": mol2.encode(),
        ".pdb": pdb.encode(),
        ".inchi": inchi.encode(),
        ".tsv": table.replace(",", "\t").encode(),
    }
    made |= dict.fromkeys((".smiles", ".txt"), made[".smi"])
    return made | {f"{k}.gz": gzip.compress(v, mtime=0) for k, v in made.items()}


PIECES = [b"\n", b" ", b"0", b"-1", b"999999999", b"99999999999999999999", b"nan", b"1e400", b'"']
PIECES += [b"*", b"\0", b"\xff", b"$$$$\n", b"Lattice=", b"=", b"{", b"[", b"(", b"V3000", b"\r"]
PIECES += [
    b"M  END\n",
    b"M  V30 BEGIN CTAB\n",
    b"M  V30 ",
    b"-\n",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b",",
]
PIECES += [
    b"Properties=species:S:1:pos:R:3 ",
    b"_JSON",
    b"inf",
    b"1e-320",
    b"%",
    b"\x1a",
    b"\xe2\x80\xa8",
]
PIECES += [
    b"R#",
    b"[#119]",
    b"[Xx]",
    b"[C@@@H]",
    b"|$;;$|",
    b"M  RAD  1   1   3\n",
    b"M  CHG  8",
    b">",
]


def mutate(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Make one to six changes: bytes, digits, lines, line ends, repeats, encodings, splices."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice((0, 1, 4, 40, 400)))
        kind = chance.randrange(12)
        lines = data.split(b"\n")
        match kind:
            case 0 | 1 | 2:
                data[at:to] = chance.choice(PIECES)
            case 3:
                data[at:to] = chance.randbytes(chance.choice((1, 2, 30)))
            case 4:
                data = data[:at]
            case 5:
                lines[chance.randrange(len(lines))] = bytearray(chance.choice(PIECES))
                data = bytearray(b"\n").join(lines)
            case 6:
                chance.shuffle(lines)
                data = bytearray(b"\n").join(lines)
            case 7:
                piece = data[at:to]  # a file of 3,000 molecules is long, but not malformed
                data[at:at] = piece * chance.choice((2, 5) if b"\n" in piece else (2, 50, 3000))
            case 8:
                other = chance.choice(others)
                cut = chance.randrange(len(other) + 1)
                data[at:to] = other[cut : cut + 300]
            case 9:
                data = bytearray(
                    data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b" \n")))
                )
            case 10:
                text = data.decode("latin-1")
                data = bytearray(
                    text.encode(chance.choice(("utf-16", "utf-8-sig", "utf-32", "utf-7")))
                )
            case 11:
                digits = [i for i, b in enumerate(data) if chr(b).isdigit()]
                if digits:
                    data[(i := chance.choice(digits)) : i + 1] = chance.choice(
                        (b"9", b"-", b"", b"1e9", b"7777777")
                    )
        del data[8_000_000:]
    return bytes(data)


def hold(path: Path, seen: collections.Counter) -> float:
    """Check the contract for one file: only structures, rejections or InputError may result.

    Returns the longest processor time that one result took, in seconds.
    """
    longest, start = 0.0, watched()
    refused = None
    try:
        for item in read([str(path)]):
            seen[type(item)] += 1
            longest, start = max(longest, time.process_time() - start), watched()
            if isinstance(item, Structure):
                check(item.z, item.pos)
                assert (item.z.dtype, item.pos.dtype) == (np.int64, np.float64)
                assert isinstance(item.name, str)
            else:
                assert item.reason
                assert "\n" not in item.reason
    except InputError as error:
        seen[InputError] += 1
        refused = str(error)
    assert refused is None or (refused and "\n" not in refused)
    ending = path.name.removesuffix(".gz").rpartition(".")[2]
    if f".{ending}" in LABELS:
        try:
            assert all(isinstance(found, dict) for found in labels(path, ReadOptions()))
        except InputError:
            seen["no labels"] += 1
    return max(longest, time.process_time() - start)


def watched() -> float:
    """The processor time. Ends the process if this is not called again within HANGS seconds."""
    faulthandler.dump_traceback_later(HANGS, exit=True)
    return time.process_time()


def main(seed: int, count: int, folder: Path) -> dict[str, object]:
    """Read `count` mutated real files; returns statistics of the results."""
    resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
    folder.mkdir(parents=True, exist_ok=True)
    files, chance, seen = real_files(folder), random.Random(seed), collections.Counter()
    slowest, endings = (0.0, ""), list(files)
    for number in range(count):
        ending = endings[number % len(endings)]
        content = files[ending]
        if ending.endswith(".gz") and chance.random() < 0.5:  # mutate the content, not the archive
            content = gzip.compress(mutate(files[ending[:-3]], list(files.values()), chance))
        else:
            content = mutate(content, list(files.values()), chance)
        path = folder / f"attack{ending}"
        path.write_bytes(content)
        slowest = max(slowest, (hold(path, seen), f"{number}{ending}"))
    faulthandler.cancel_dump_traceback_later()
    peak = largest_size() / 2**20
    names = {getattr(k, "__name__", k): v for k, v in seen.items()}
    return {"cases": count, "seconds": slowest[0], "slowest": slowest[1], "MiB": peak} | names


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
