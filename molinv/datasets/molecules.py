"""Flat storage of molecules: one array holds the atoms of all molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import SupportsIndex

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8
from numpy.typing import ArrayLike

from ..errors import InputError, unknown
from . import storage
from .checks import check
from .extras import Extras
from .ragged import Strings, pointers, take
from .targets import Field, Target, one_kind


@dataclass(frozen=True, eq=False, repr=False)
class Molecules:
    """n molecules; molecule i has the atoms ptr[i] to ptr[i + 1] of z, pos and charges.

    Arrays are NumPy arrays, memory-mapped and read-only after `open`.

    z        atomic numbers
    pos      in angstrom
    ptr      the first atom of each molecule, then the number of atoms
    y        one number per molecule and target, in the target's unit
    targets  a description of each column of y
    charges  partial charges of the atoms in e, or None
    smiles, ids   sequences of str that are decoded when indexed
    fields   targets that are not one number per molecule
    extras   optional inputs; `save` does not write them
    """

    z: UInt8[np.ndarray, " atoms"]
    pos: Float32[np.ndarray, "atoms 3"]
    ptr: Int64[np.ndarray, " ends"]
    y: Float64[np.ndarray, "n t"]
    targets: tuple[Target, ...]
    charges: Float32[np.ndarray, " atoms"] | None
    smiles: Strings
    ids: Strings
    fields: tuple[Field, ...] = ()
    extras: Extras = field(default_factory=Extras)

    @classmethod
    def from_arrays(
        cls,
        structures: Sequence[tuple[ArrayLike, ArrayLike]],
        y: ArrayLike | None = None,
        targets: Sequence[Target] = (),
        charges: Sequence[ArrayLike] | None = None,
        smiles: Sequence[str] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Molecules:
        """Gather pairs of z (atoms,) and pos (atoms, 3) in angstrom, with y (n, t) or (n,).

        `charges` has an array (atoms,) for each molecule, in e. Raises InputError if shapes or
        counts disagree, or if a molecule is unusable (see `checks`).
        """
        n = len(structures)
        if n == 0:
            raise InputError("expected at least one molecule, got none.")
        numbers = [np.asarray(z) for z, _ in structures]
        places = [np.asarray(pos, np.float32) for _, pos in structures]
        for i, (z, pos) in enumerate(zip(numbers, places, strict=True)):
            if z.ndim != 1 or pos.shape != (len(z), 3):
                raise InputError(
                    f"molecule {i}: expected z (atoms,) and pos (atoms, 3), "
                    f"got {z.shape} and {pos.shape}."
                )
        q = None if charges is None else [np.asarray(c, np.float32) for c in charges]
        if q is not None and [c.shape for c in q] != [z.shape for z in numbers]:
            raise InputError("expected one charge for every atom of every molecule.")
        values = np.zeros((n, 0)) if y is None else np.asarray(y, np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.shape != (n, len(targets)):
            raise InputError(f"expected y ({n}, {len(targets)}), got {values.shape}.")
        for kind, given in (("smiles", smiles), ("ids", ids)):
            if given is not None and len(given) != n:
                raise InputError(f"expected {n} {kind}, one per molecule, got {len(given)}.")
        z = np.concatenate(numbers)
        return check(
            cls(
                # numbers that uint8 cannot hold become 0, which `check` rejects
                z=np.where((z > 0) & (z < 256), z, 0).astype(np.uint8),
                pos=np.concatenate(places),
                ptr=pointers(np.array([len(z) for z in numbers], np.int64)),
                y=values,
                targets=tuple(targets),
                charges=None if q is None else np.concatenate(q),
                smiles=Strings.of([""] * n if smiles is None else smiles),
                ids=Strings.of([str(i) for i in range(n)] if ids is None else ids),
            )
        )

    @classmethod
    def open(cls, folder: str | Path) -> Molecules:
        """Memory-map a folder that `save` wrote; raises InputError if a file is damaged."""
        arrays, meta = storage.read(folder)
        return cls(
            z=arrays["z"],
            pos=arrays["pos"],
            ptr=arrays["ptr"],
            y=arrays["y"],
            targets=tuple(Target(**t) for t in meta["targets"]),
            charges=arrays.get("charges"),
            smiles=Strings(arrays["smiles_text"], arrays["smiles_ptr"]),
            ids=Strings(arrays["ids_text"], arrays["ids_ptr"]),
            fields=tuple(
                Field(Target(**t), arrays[f"field_{i}"])
                for i, t in enumerate(meta.get("fields", ()))
            ),
        )

    def save(self, folder: str | Path) -> Molecules:
        """Write a folder atomically and return it opened. `extras` are not written.

        If another process has written the same data there, that copy is used. Raises InputError
        if the folder holds other data.
        """
        arrays = {"z": self.z, "pos": self.pos, "ptr": self.ptr, "y": self.y}
        if self.charges is not None:
            arrays["charges"] = self.charges
        for kind, strings in (("smiles", self.smiles), ("ids", self.ids)):
            arrays |= {f"{kind}_text": strings.text, f"{kind}_ptr": strings.ptr}
        meta = {"molecules": len(self), "targets": [t.to_json() for t in self.targets]}
        if self.fields:
            arrays |= {f"field_{i}": field.values for i, field in enumerate(self.fields)}
            meta["fields"] = [field.target.to_json() for field in self.fields]
        storage.write(folder, arrays, meta)
        return Molecules.open(folder)

    @property
    def sizes(self) -> Int64[np.ndarray, " n"]:
        """The number of atoms of each molecule."""
        return np.diff(self.ptr)

    def select(self, names: Sequence[str]) -> Float64[np.ndarray, "n t"]:
        """The columns of y with these names, in this order.

        Raises InputError for an unknown name.
        """
        return self.y[:, [self.targets.index(t) for t in self.describe(names)]]

    def values(self, names: Sequence[str]) -> Float64[np.ndarray, "rows t *e"]:
        """The values of targets of one kind: (n, t, *e), or (atoms, t, *e) for values of atoms.

        Raises InputError for an unknown target, and for targets of several kinds.
        """
        if one_kind(self.describe(names)) in ("scalar", "class"):
            return self.select(names)
        known = {field.target.name: field.values for field in self.fields}
        return np.stack([known[name] for name in names], 1)

    def describe(self, names: Sequence[str]) -> tuple[Target, ...]:
        """The targets with these names, in this order; raises InputError for an unknown name."""
        known = {t.name: t for t in (*self.targets, *(f.target for f in self.fields))}
        for name in names:
            if name not in known:
                raise unknown("target", name, known)
        return tuple(known[name] for name in names)

    def molecule(
        self, i: SupportsIndex
    ) -> tuple[UInt8[np.ndarray, " a"], Float32[np.ndarray, "a 3"]]:
        """(z, pos) of molecule i, pos in angstrom; raises IndexError if i is out of range."""
        i = range(len(self))[i]
        atoms = slice(self.ptr[i], self.ptr[i + 1])
        return self.z[atoms], self.pos[atoms]

    def take(self, indices: Int64[np.ndarray, " m"]) -> Molecules:
        """A copy that holds only the chosen molecules, in the order of `indices`."""
        atoms, ptr = take(self.ptr, indices)
        return replace(
            self,
            z=self.z[atoms],
            pos=self.pos[atoms],
            ptr=ptr,
            y=self.y[indices],
            charges=None if self.charges is None else self.charges[atoms],
            smiles=self.smiles.take(indices),
            ids=self.ids.take(indices),
            fields=tuple(each.take(self.ptr, indices) for each in self.fields),
            extras=self.extras.take(indices),
        )

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __repr__(self) -> str:
        named = (*self.targets, *(field.target for field in self.fields))
        names = ", ".join(t.name for t in named) or "none"
        return f"Molecules({len(self):,} molecules, {len(self.z):,} atoms, targets: {names})"
