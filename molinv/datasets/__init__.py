"""Molecules with targets, from files to padded batches on a device.

| file | what is in it |
|---|---|
| `molecules.py` | `Molecules`, the flat storage of every data set |
| `targets.py` | `Target`: its unit and how it turns; `Field`: vectors, tensors, values of atoms |
| `kinds.py` | the kinds of target: their shapes, and how rotations act on them |
| `moments.py` | charges, dipole, quadrupole and octupole as targets, from the atoms' charges |
| `ragged.py` | lists of unequal length in flat arrays; `Strings`, decoded when indexed |
| `checks.py` | what a molecule must satisfy: finite, known elements, no coincident atoms |
| `storage.py` | a folder of memory-mapped arrays: written atomically, sealed by checksums |
| `qm9.py` | QM9 from the package qm9pack: `open_qm9`, `build`, `TARGETS`, `cache_root` |
| `sample.py` | the 1,000 molecules of QM9 that are shipped in data/ |
| `own.py`, `own_targets.py`, `own_values.py`, `own_classes.py` | a user's file of molecules |
| `repeats.py`, `oddities.py` | notes on a user's file: repeats, total energies, outliers |
| `units.py` | one spelling for each unit |
| `electric_field.py` | molecules in a uniform electric field, labelled with GFN2-xTB |
| `surface.py` | metal clusters over a metal slab, labelled with EMT |
| `matrix.py` | small molecules in a rare-gas crystal, labelled with GFN2-xTB |
| `labelled.py` | the files of a set with one label for each molecule |
| `shards.py` | data sets that processes compute in shards, so that a run can be resumed |
| `xtb.py` | perturbed geometries labelled with GFN2-xTB: energies, forces, dipoles |
| `features.py`, `extras.py` | further inputs of a model: bonds, state, descriptors, xTB results |
| `descriptors.py` | RDKit descriptors and numbers of columns, computed once and cached |
| `electronic.py` | GFN2-xTB results of each molecule, computed once and cached |
| `geometries.py`, `hydrogens.py` | RDKit's conformers and hydrogens, computed once and cached |
| `partition.py`, `folds.py` | splits by scaffold, time, column or file; k-fold cross-validation |
| `split.py` | `split` into train, valid and test, with a hash to print beside results |
| `references.py` | `fit_references`, `Standardizer`: targets to numbers of order one |
| `placement.py` | centring, one fixed rotation and one fixed shift per molecule |
| `batches.py` | `OnDevice`, `Loader`, `Batch`: what a network sees |
| `planted/` | molecules with a target whose symmetry is known |
| `pictures/` | pictures with labels, label maps or numbers |

    molecules = load("qm9")
    parts = split(len(molecules), seed=0)
    standardizer = Standardizer.fit(molecules, ["homo"], parts.train)
    store = OnDevice(molecules, molecules.select(["homo"]), "cpu")
    for batch in Loader(store, parts.train, batch_size=64, seed=0, epoch=0, shuffle=True):
        target = standardizer(batch.y, batch.z)
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError, unknown
from .molecules import Molecules, Target
from .own import is_own, read_own

__all__ = ["Molecules", "Target", "load"]


def load(name_or_path: str | Path) -> Molecules:
    """Open a data set.

    `name_or_path` is one of:
    - "qm9", which is built on first use;
    - a planted task such as "planted:axial" (see `planted`);
    - a user's file (see `own`), in which every column of numbers is a target;
    - a folder that `Molecules.save` wrote.

    Raises InputError for any other name, and for a folder that is missing, damaged or of another
    format.
    """
    if str(name_or_path) == "qm9":
        from .qm9 import open_qm9

        return open_qm9()
    if str(name_or_path).startswith("planted:"):
        from .planted import from_text

        return from_text(str(name_or_path)).molecules
    path = Path(name_or_path)
    if is_own(path):
        return read_own(path).molecules
    if path.exists():
        return Molecules.open(path)
    if isinstance(name_or_path, Path) or len(path.parts) > 1:
        raise InputError(
            f"no data set at {path}: expected 'qm9' or a folder written by Molecules.save."
        )
    raise unknown("data set", str(name_or_path), ["qm9", "a folder written by Molecules.save"])
