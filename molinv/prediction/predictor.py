"""From a saved model and structures to values with units and what is known of their error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..chem.objects import is_object
from ..chem.readers import read
from ..chem.state import NEUTRAL, of_states, words
from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS, KINDS, Rejected, Structure
from ..datasets.batches import Batch
from ..datasets.molecules import Target
from ..errors import InputError, unknown
from ..models import too_large
from ..sharing import choose_device, share_cores
from ..training.members import load_model
from ..training.saved import Saved, evaluated
from ..training.shipped import locate, shipped_name
from .applicability_domain import Composition
from .batches import PAIRS, asked, budget, by_size, conformers_of, over_conformers, pad
from .conformal import calibrated
from .fields import check_one_geometry, columns, deviation
from .orbit_values import orbit_forces, orbit_values

__all__ = ["PAIRS", "Predictor", "Values", "by_size", "pad", "symbols"]

# what the column `geometry` calls each kind
GEOMETRY = {GIVEN: "given", EMBEDDED: "embedded", HYDROGENS: "hydrogens added"}
WINDOW = 1024  # structures that are read before they are sorted by size


class Values(NamedTuple):
    """Values (b, t) in the targets' units, and what is known of their error.

    Their standard deviations over orientations (NaN of one), root mean square over conformers,
    and over conformers (NaN of one); `half` (b, t), of the 90 % prediction interval, NaN where
    none is known; `outside` says of each molecule why the model knows none like it, or None.
    `members` (b, t) are the standard deviations over an ensemble's members, None of one model.
    """

    mean: np.ndarray
    std: np.ndarray
    spread: np.ndarray
    half: np.ndarray
    outside: list[str | None]
    members: np.ndarray | None = None


class Predictor:
    """Predicts with a shipped model, given by its name, or the model or ensemble of a run folder.

    Without a model it takes the shipped default. Each value is averaged over `copies`
    orientations drawn from the distribution the model learned; its standard deviation over them
    says how far it still depends on orientation, not how wrong it is: that is `errors`.
    `targets` keeps the named ones only; `device` is where it computes (see `choose_device`).
    `total` adds the atom references to atomwise energies, which are relative to them otherwise.
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
    ):
        folder, self.device = locate(model), choose_device(device)
        self.saved: Saved = load_model(folder, trust).to(self.device)
        self.evaluation = evaluated(folder, self.saved.card)
        self.calibration = calibrated(folder, self.saved.card)
        self.shipped = shipped_name(folder)
        self.name = f"model {self.shipped}" if self.shipped else f"the model in {folder}"
        self.copies = copies
        self.elements = set(self.saved.card["elements"])
        self.states = trained_states(self.saved.card)
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
        search's), geometry (given, embedded or hydrogens added), outside (why it is not of the
        training molecules' kind, or None) and, for each target, its value, `<target>_std` over
        rotations (NaN of one copy), of an ensemble `<target>_ensemble_std` over its members,
        `<target>_low` and `<target>_high`, the 90 % prediction interval, where the model has one
        (None where it has none for this kind of geometry), `<target>_mae`, the model's error on
        test molecules with this kind of geometry, where it was measured, and `<target>_unit`. A
        structure of several conformers has the mean of their values, `conformers`, and
        `<target>_conformer_std` over them. What is not one number a molecule has the columns of
        `fields.columns`, as have the forces of a model that learned them, the gradient of its
        averaged energy.
        Structures are read ahead in windows of 1,024; a batch holds as many as the device has
        room for, at most `batch_size`. Raises InputError for several conformers of a molecule
        where values turn with it.
        """
        stream = _structures(structures)
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
        limit: int = self.saved.network.model.max_atoms  # pyright: ignore[reportAssignmentType]
        if len(item.z) > limit:
            few, many = self.saved.card["atoms"]
            reason = too_large(self.saved.card["build"]["model"], limit, len(item.z))
            reason = f"{self.name} learned from molecules of {few} to {many} atoms; {reason}"
            return Rejected(item.name, item.source, reason)
        if foreign := set(item.z.tolist()) - self.elements:
            reason = (
                f"{self.name} was not trained on {symbols(foreign)}, only on "
                f"{symbols(self.elements)}; train one on data that has it (molinv train --data) "
                "and name its folder."
            )
            return Rejected(item.name, item.source, reason)
        if self.states is None or item.state in self.states:
            return item
        unsaid = " (it counts as neutral, as its input gives no charge)" * (item.charge is None)
        reason = (
            f"{self.name} was trained on {of_states(self.states)} only; this one has "
            f"{words(*item.state)}{unsaid}: train one on data that has such molecules "
            "(molinv train --data) and name its folder."
        )
        return Rejected(item.name, item.source, reason)

    def kind(self, structure: Structure) -> str:
        """The kind of geometry that its interval is of."""
        return structure.kind

    def values(self, structures: Sequence[Structure], batch_size: int | None = None) -> Values:
        """Numbers of usable structures, at least one; run by size, so that little is padding."""
        each = [conformer for s in structures for conformer in conformers_of(s)]
        values, stds, far, over = self._each(each, batch_size)
        counts = np.array([s.conformers for s in structures])
        far = np.add.reduceat(far, np.cumsum(counts) - counts) / counts
        found = over_conformers(np.stack(values), np.stack(stds), counts)
        members = over_conformers(np.stack(values), np.stack(over), counts)[1] if over else None
        return Values(*found, self._halves(structures), self._outside(structures, far), members)

    def _each(
        self, structures: Sequence[Structure], batch_size: int | None
    ) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, list[np.ndarray]]:
        """Each one's values (t, *e) or (t, n, *e), their deviations, and distances (b,).

        Last come the deviations over an ensemble's members, none of a single model.
        """
        parts = by_size(structures, batch_size, budget(self.device))
        runs = zip(*(self._run([structures[i] for i in part]) for part in parts), strict=True)
        order = np.argsort(np.concatenate(parts))
        values, stds, far, over = ([row for run in made for row in run] for made in runs)
        if self.targets[0].by_atom:  # without the padding
            sizes = [len(structures[i].z) for part in parts for i in part]
            values, stds, over = (
                [row[:, :n] for row, n in zip(x, sizes, strict=False)] for x in (values, stds, over)
            )
        values, stds, over = ([x[i] for i in order] if x else [] for x in (values, stds, over))
        return values, stds, np.array(far)[order], over

    def _halves(self, structures: Sequence[Structure]) -> np.ndarray:
        return np.stack([self._half[self.kind(s)] for s in structures])

    @cached_property
    def _half(self) -> dict[str, np.ndarray]:
        """Half-widths (t,) of the intervals, for each kind of geometry."""
        names, found = list(self.units), self.calibration
        if found is None:
            return dict.fromkeys(KINDS, np.full(len(names), np.nan))
        return {k: found.half_widths(names, k, self.copies) for k in KINDS}

    def _outside(self, structures: Sequence[Structure], far: np.ndarray) -> list[str | None]:
        return [self._why(s, float(d)) for s, d in zip(structures, far, strict=True)]

    def _why(self, structure: Structure, distance: float) -> str | None:
        """Why a molecule is not of the training molecules' kind; NaN is no distance."""
        found = self.calibration
        if found is None:
            few, many = self.saved.card["atoms"]
            return Composition((few, many), len(structure.z), {}).sized(structure.z)
        limit = found.farthest(self.kind(structure), self.copies)
        if (why := found.composition.outside(structure.z)) or not distance > limit:
            return why
        return f"feature distance {distance / limit:.2g} times the 99 % limit of held-out molecules"

    def _run(self, structures: Sequence[Structure]) -> tuple[np.ndarray, ...]:
        """Mean and deviation over orientations (b, t), in the targets' units; distances (b,).

        Last the deviation over an ensemble's members (b, t), empty of a single model.
        """
        batch = self._pad(structures)
        found = orbit_values(self.saved, batch, self.copies)
        space = None if self.calibration is None else self.calibration.space
        if space is None or found.features is None:
            far = np.full(len(structures), np.nan)
        else:
            far = space.distance(found.features).double().numpy()
        mean = found.mean
        if self.total:
            mean = mean + self.saved.standardizer.references[batch.z].sum(1)
        over = np.empty((0,)) if found.members is None else found.members[:, self.columns].numpy()
        return mean.numpy()[:, self.columns], found.std.numpy()[:, self.columns], far, over

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
        if self.saved.task.kind == "scalar":
            values, std, spread, half, outside, members = self.values(structures, batch_size)
        else:
            check_one_geometry(structures, self.targets)
            values, stds, far, over = self._each(structures, batch_size)
            std, members = (
                np.stack([deviation(each, self.targets[0].by_atom) for each in x]) if x else None
                for x in (stds, over)
            )
            assert std is not None
            spread, half = std, self._halves(structures)  # one conformer: no spread is shown
            outside = self._outside(structures, far)
        slopes = self._forces(structures, batch_size) if forces else [{} for _ in structures]
        errors = {kind: self.errors_of(kind) for kind in KINDS}
        std, spread, half, rows = std.tolist(), spread.tolist(), half.tolist(), []
        for i, s in enumerate(structures):
            row: dict[str, Any] = {"name": s.name, "smiles": s.smiles, "source": s.source}
            row |= {"embedded": s.embedded, "geometry": GEOMETRY[s.kind], "outside": outside[i]}
            if s.conformers > 1:
                row["conformers"] = s.conformers
            for j, target in enumerate(self.targets):
                width = None if self.calibration is None else half[i][j]
                several = spread[i][j] if s.conformers > 1 else None
                known = std[i][j], width, errors[self.kind(s)].get(target.name), several
                among = None if members is None else members[i][j]
                row |= columns(target, values[i][j], *known, among)
            rows.append(row | slopes[i])
        return rows


def trained_states(card: dict[str, Any]) -> set[tuple[int, int]] | None:
    """The charges and unpaired electrons of a model's training molecules; None if not known."""
    if "states" in card:
        return {(charge, unpaired) for charge, unpaired in card["states"]}
    return {NEUTRAL} if card.get("data") == "qm9" else None  # molinv 0.1.0 kept none


def tested(result: dict[str, Any]) -> Sequence[str]:
    """The kinds of geometry that the molecules of an evaluation have."""
    return result.get("kinds") or [next(iter(result.get("intervals", {})), GIVEN)]


def symbols(numbers: Iterable[int]) -> str:
    """Atomic numbers as the elements' symbols, in order: "H, C, N"."""
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[z] for z in sorted(numbers))


def _structures(given: Any) -> Iterator[Structure | Rejected]:
    """Structures as they are, in their order; anything else as `chem.read` reads it."""
    several = isinstance(given, Iterable) and not isinstance(given, str) and not is_object(given)
    for item in given if several else [given]:
        if isinstance(item, Structure | Rejected):
            yield item
        else:
            yield from read(item)
