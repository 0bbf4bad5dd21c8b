"""From a saved model and structures to values with units and what is known of their error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..chem.descriptors import Descriptors, check_names, taken
from ..chem.objects import is_object
from ..chem.readers import read
from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS, KINDS, Rejected, Structure
from ..datasets.batches import Batch
from ..datasets.molecules import Target
from ..errors import InputError, unknown
from ..sharing import choose_device, share_cores
from ..training.members import load_model
from ..training.saved import Saved, evaluated
from ..training.shipped import BY_XTB, available, by_geometry, locate, shipped_name
from .acceptance import Accepted
from .applicability_domain import Composition
from .batches import PAIRS, asked, budget, by_size, conformers_of, over_conformers, pad
from .conformal import Ends, calibrated
from .difficulty import Signs
from .fields import check_one_geometry, columns, deviation
from .orbit_values import orbit_forces, orbit_values, signs_from

__all__ = ["PAIRS", "Predictor", "Values", "by_size", "pad"]

# what the column `geometry` calls each kind
GEOMETRY = {GIVEN: "given", EMBEDDED: "embedded", HYDROGENS: "hydrogens added"}
WINDOW = 1024  # structures that are read before they are sorted by size


class Values(NamedTuple):
    """Values (b, t) in the targets' units, and what is known of their error.

    Their standard deviations over orientations (NaN of one), root mean square over conformers,
    and over conformers (NaN of one); `ends` of the 90 % prediction intervals, around the values;
    `outside` says of each molecule why the model knows none like it, or None. `members` (b, t) are
    the standard deviations over an ensemble's members, None of one model.
    """

    mean: np.ndarray
    std: np.ndarray
    spread: np.ndarray
    ends: Ends
    outside: list[str | None]
    members: np.ndarray | None = None


class Predictor:
    """Predicts with a shipped model, given by its name, or the model or ensemble of a run folder.

    Without a model it takes the shipped model that was trained on geometries like a structure's:
    given in 3-D, or made by RDKit (`of_kind`); `kind` is the one whose model is loaded at once, the
    others are loaded when a structure needs them. Each value is averaged over `copies`
    orientations drawn from the distribution the model learned; its standard deviation over them
    says how far it still depends on orientation, not how wrong it is: that is `errors`.
    `targets` keeps the named ones only; `device` is where it computes (see `choose_device`).
    `total` adds the atom references to atomwise energies, which are relative to them otherwise.
    `descriptors` are those that the model takes, or without one those that the shipped models take;
    `chem.read` is given them.
    Raises InputError where there is no model (see `molinv.training.saved.load`), for a target or a
    device that is not there, and for total energies of a model without atomwise ones.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        copies: int = 8,
        trust: bool = False,
        targets: Sequence[str] | None = None,
        device: str = "auto",
        total: bool = False,
        kind: str = GIVEN,
    ):
        usual = by_geometry(kind)
        folder = locate(usual if model is None and usual in available() else model)
        self.device = choose_device(device)
        self.saved: Saved = load_model(folder, trust).to(self.device)
        self.evaluation = evaluated(folder, self.saved.card)
        self.calibration = calibrated(folder, self.saved.card)
        self.shipped = shipped_name(folder)
        self.name = f"model {self.shipped}" if self.shipped else f"the model in {folder}"
        self.called = self.shipped or folder.name
        self.copies = copies
        self._others: dict[str, Predictor] | None = {} if model is None else None
        self._settings = (copies, trust, targets, device, total)
        takes = taken(self.saved.card["build"])
        check_names(takes)
        self.accepted = Accepted(self.saved, self.name, takes)
        self.descriptors = takes if model is not None else usual_descriptors()
        all_targets = self.saved.task.predicted
        names = [t.name for t in all_targets]
        for name in targets or ():
            if name not in names:
                raise unknown(f"target of {self.name}:", name, names)
        self.columns = [names.index(n) for n in dict.fromkeys(targets or names)]
        self.targets: list[Target] = [all_targets[i] for i in self.columns]
        self.total = total
        if total and not any(t.atomwise for t in self.targets):
            raise InputError(
                f"{self.name} has no energies relative to atom references among "
                f"{', '.join(self.units)}: leave out total, or choose one that has."
            )

    def of_kind(self, kind: str) -> Predictor:
        """The predictor of structures with this kind of geometry.

        This one, or another shipped model's where no model was named.
        """
        name = None if self._others is None else by_geometry(kind)
        if self._others is None or name == self.shipped or name not in available():
            return self
        if name not in self._others:
            self._others[name] = Predictor(name, *self._settings)
        return self._others[name]

    @property
    def units(self) -> dict[str, str]:
        """The unit of each target."""
        return {t.name: t.unit for t in self.targets}

    @property
    def errors(self) -> dict[str, float]:
        """Each target's mean absolute error on the model's test molecules, in its unit.

        Of values averaged as here, where that was measured, else of rotated molecules. Empty
        where `molinv evaluate` has not seen these weights.
        """
        if self.evaluation is None or self.targets[0].kind == "class":
            return {}
        rows = self.evaluation["targets"]
        return {n: rows[n].get("averaged", rows[n]["rotated"]) for n in self.units}

    def errors_of(self, kind: str) -> dict[str, float]:
        """`errors` for one kind of geometry; empty where they were not measured for it."""
        result = self.evaluation or {}
        measured = (result.get("intervals", {}).get(kind) or {}).get("targets", {})
        usual = self.errors if kind in tested(result) else {}
        found = {n: measured.get(n, {}).get("mae", usual.get(n)) for n in self.errors}
        return {n: e for n, e in found.items() if e is not None}

    def predict(
        self, structures: Any, batch_size: int | None = None
    ) -> Iterator[dict[str, Any] | Rejected]:
        """One row for each structure, in order; what cannot be predicted comes as Rejected.

        `structures` are those of `chem.read`, or whatever it reads: SMILES, files, ase.Atoms.

        A row has name, smiles (of a SMILES input), source, embedded (the geometry is a conformer
        search's), geometry (given, embedded or hydrogens added), model (its name), outside (why
        it is not of the training molecules' kind, or None) and, for each target, its value,
        `<target>_std` over rotations (NaN of one copy), of an ensemble `<target>_ensemble_std` over
        its members, `<target>_low` and `<target>_high`, the 90 % prediction interval, where the
        model has one (None where it has none for this kind of geometry), `<target>_mae`, the
        model's error on test molecules with this kind of geometry, where it was measured, and
        `<target>_unit`. A structure of several conformers has the mean of their values,
        `conformers`, and `<target>_conformer_std` over them. What is not one number a molecule has
        the columns of `fields.columns`, as have the forces of a model that learned them, the
        gradient of its averaged energy.
        Structures are read ahead in windows of 1,024; a batch holds as many as the device has
        room for, at most `batch_size`. Raises InputError for several conformers of a molecule
        where values turn with it.
        """
        stream = _structures(structures, self.descriptors)
        while chunk := list(islice(stream, WINDOW)):
            checked = [self.usable(item) for item in chunk]
            good = [item for item in checked if isinstance(item, Structure)]
            rows = iter(self.rows(good, batch_size) if good else [])
            for item in checked:
                yield item if isinstance(item, Rejected) else next(rows)

    def usable(self, item: Structure | Rejected) -> Structure | Rejected:
        """The structure, or Rejected with the reason why this model cannot take it."""
        if isinstance(item, Rejected):
            return item
        if (other := self.of_kind(item.kind)) is not self:
            return other.usable(item)
        return self.accepted.usable(item)

    def kind(self, structure: Structure) -> str:
        """The kind of geometry that its interval is of."""
        return structure.kind

    def values(self, structures: Sequence[Structure], batch_size: int | None = None) -> Values:
        """Numbers of usable structures, at least one; run by size, so that little is padding."""
        each = [conformer for s in structures for conformer in conformers_of(s)]
        values, stds, signs, over = self._each(each, batch_size)
        counts = np.array([s.conformers for s in structures])
        signs = signs.averaged(counts)
        found = over_conformers(np.stack(values), np.stack(stds), counts)
        members = over_conformers(np.stack(values), np.stack(over), counts)[1] if over else None
        ends, outside = self._ends(structures, signs), self._outside(structures, signs)
        return Values(*found, ends, outside, members)

    def _each(
        self, structures: Sequence[Structure], batch_size: int | None
    ) -> tuple[list[np.ndarray], list[np.ndarray], Signs, list[np.ndarray]]:
        """Each one's values (t, *e) or (t, n, *e), their deviations, and signs.

        Last come the deviations over an ensemble's members, none of a single model.
        """
        parts = by_size(structures, batch_size, budget(self.device))
        runs = [self._run([structures[i] for i in part]) for part in parts]
        order = np.argsort(np.concatenate(parts))
        values = [row for made, _, _, _ in runs for row in made]
        stds = [row for _, made, _, _ in runs for row in made]
        over = [row for _, _, _, made in runs for row in made]
        signs = Signs.joined([run[2] for run in runs]).take(order)
        if self.targets[0].by_atom:  # without the padding
            sizes = [len(structures[i].z) for part in parts for i in part]
            values, stds, over = (
                [row[:, :n] for row, n in zip(x, sizes, strict=False)] for x in (values, stds, over)
            )
        values, stds, over = ([x[i] for i in order] if x else [] for x in (values, stds, over))
        return values, stds, signs, over

    def _ends(self, structures: Sequence[Structure], signs: Signs) -> Ends:
        """Of the 90 % intervals (b, t), of each by its kind of geometry."""
        made = np.full((2, len(structures), len(self.targets)), np.nan)
        if (found := self.calibration) is None:
            return Ends(*made)
        for kind in KINDS:
            these = np.array([i for i, s in enumerate(structures) if self.kind(s) == kind], int)
            if len(these):
                made[:, these] = found.ends([*self.units], kind, self.copies, signs.take(these))
        return Ends(*made)

    def _outside(self, structures: Sequence[Structure], signs: Signs) -> list[str | None]:
        far = signs.distance(None if self.calibration is None else self.calibration.space)
        return [self._why(s, float(d)) for s, d in zip(structures, far, strict=True)]

    def _why(self, structure: Structure, distance: float) -> str | None:
        """Why a molecule is not of the training molecules' kind; NaN is no distance."""
        found = self.calibration
        if found is None:
            few, many = self.saved.card["atoms"]
            return Composition((few, many), len(structure.z), {}).sized(structure.z)
        heavy = int((structure.z > 1).sum())
        limit = found.limit(self.kind(structure), self.copies, heavy)
        if (why := found.composition.outside(structure.z)) or not distance > limit:
            return why
        return (
            f"feature distance {distance:.2g}, where held-out molecules of {heavy} or more atoms "
            f"other than H had at most {limit:.2g}"
        )

    def _run(
        self, structures: Sequence[Structure]
    ) -> tuple[np.ndarray, np.ndarray, Signs, np.ndarray]:
        """Mean and deviation over orientations (b, t), in the targets' units; signs.

        Last the deviation over an ensemble's members (b, t), empty of a single model.
        """
        batch = self._pad(structures)
        found = orbit_values(self.saved, batch, self.copies)
        mean = found.mean
        if self.total:
            mean = mean + self.saved.standardizer.references[batch.z].sum(1)
        over = np.empty((0,)) if found.members is None else found.members[:, self.columns].numpy()
        signs = signs_from(self.saved, found, batch)
        return mean.numpy()[:, self.columns], found.std.numpy()[:, self.columns], signs, over

    def _pad(self, structures: Sequence[Structure]) -> Batch:
        return pad(structures, self.saved.card["placement"]["center"], asked(self.saved))

    def _forces(
        self, structures: Sequence[Structure], batch_size: int | None
    ) -> list[dict[str, Any]]:
        """The columns of forces, where the model learned them: no number for their spread."""
        if not self.saved.task.gradient:
            return [{} for _ in structures]
        forces = self.saved.task.targets[-1]
        check_one_geometry(structures, [forces])
        error = ((self.evaluation or {}).get("targets", {}).get(forces.name) or {}).get("averaged")
        made: list[dict[str, Any]] = [{} for _ in structures]
        for part in by_size(structures, batch_size, budget(self.device)):
            batch = self._pad([structures[i] for i in part])
            found = orbit_forces(self.saved, batch, self.copies).numpy()
            for row, i in enumerate(part):
                value = found[row, : len(structures[i].z)]
                made[i] = columns(forces, value, mae=error)
        return made

    @share_cores()
    def rows(
        self, structures: Sequence[Structure], batch_size: int | None = None, forces: bool = True
    ) -> list[dict[str, Any]]:
        """The rows of `predict` of usable structures, at least one; `forces` can be left out."""
        made: dict[int, dict[str, Any]] = {}
        for kind in dict.fromkeys(self.kind(s) for s in structures):
            if (other := self.of_kind(kind)) is not self:
                these = [i for i, s in enumerate(structures) if self.kind(s) == kind]
                found = other.rows([structures[i] for i in these], batch_size, forces)
                made |= dict(zip(these, found, strict=True))
        rest = [i for i in range(len(structures)) if i not in made]
        if made:
            own = self._rows([structures[i] for i in rest], batch_size, forces) if rest else []
            made |= dict(zip(rest, own, strict=True))
            return [made[i] for i in range(len(structures))]
        return self._rows(structures, batch_size, forces)

    def _rows(
        self, structures: Sequence[Structure], batch_size: int | None, forces: bool
    ) -> list[dict[str, Any]]:
        """The rows of structures that this model predicts itself."""
        if self.saved.task.kind == "scalar":
            values, std, spread, ends, outside, members = self.values(structures, batch_size)
        else:
            check_one_geometry(structures, self.targets)
            values, stds, signs, over = self._each(structures, batch_size)
            std, members = (
                np.stack([deviation(each, self.targets[0].by_atom) for each in x]) if x else None
                for x in (stds, over)
            )
            assert std is not None
            spread, ends = std, self._ends(structures, signs)  # one conformer: no spread is shown
            outside = self._outside(structures, signs)
        slopes = self._forces(structures, batch_size) if forces else [{} for _ in structures]
        errors = {kind: self.errors_of(kind) for kind in KINDS}
        std, spread, rows = std.tolist(), spread.tolist(), list[dict[str, Any]]()
        low, high = (end.tolist() for end in ends)
        for i, s in enumerate(structures):
            row: dict[str, Any] = {"name": s.name, "smiles": s.smiles, "source": s.source}
            row |= {"embedded": s.embedded, "geometry": GEOMETRY[s.kind], "model": self.called}
            row["outside"] = outside[i]
            if s.conformers > 1:
                row["conformers"] = s.conformers
            for j, target in enumerate(self.targets):
                both = None if self.calibration is None else (low[i][j], high[i][j])
                several = spread[i][j] if s.conformers > 1 else None
                known = std[i][j], both, errors[self.kind(s)].get(target.name), several
                among = None if members is None else members[i][j]
                row |= columns(target, values[i][j], *known, among)
            rows.append(row | slopes[i])
        return rows


def usual_descriptors() -> Descriptors:
    """What the shipped models take where none is named: what xTB says of given coordinates."""
    return Descriptors(xtb=by_geometry(GIVEN) == BY_XTB, xtb_kinds=(GIVEN,))


def tested(result: dict[str, Any]) -> Sequence[str]:
    """The kinds of geometry that the molecules of an evaluation have."""
    return result.get("kinds") or [next(iter(result.get("intervals", {})), GIVEN)]


def _structures(given: Any, descriptors: Descriptors) -> Iterator[Structure | Rejected]:
    """Structures as they are, in their order; anything else as `chem.read` reads it."""
    several = isinstance(given, Iterable) and not isinstance(given, str) and not is_object(given)
    for item in given if several else [given]:
        if isinstance(item, Structure | Rejected):
            yield item
        else:
            yield from read(item, descriptors=descriptors)
