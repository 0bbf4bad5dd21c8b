"""Predict structures with a saved model: values with units and error estimates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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
from ..training.members import first_member, load_model
from ..training.saved import Saved, evaluated
from ..training.shipped import BY_XTB, available, by_geometry, locate, shipped_name
from .acceptance import Accepted
from .applicability_domain import Composition, wrong_scale
from .batches import PAIRS, asked, budget, by_size, conformers_of, over_conformers, pad
from .conformal import Ends, calibrated
from .difficulty import Signs
from .fields import check_one_geometry, columns, deviation
from .orbit_values import orbit_forces, orbit_values, signs_from

__all__ = ["PAIRS", "Predictor", "Values", "by_size", "pad"]

# values of the column `geometry`
GEOMETRY = {GIVEN: "given", EMBEDDED: "embedded", HYDROGENS: "hydrogens added"}
WINDOW = 1024  # structures read at once, then sorted by size


class Values(NamedTuple):
    """Predicted values and estimates of their error, for b molecules and t targets.

    mean     values (b, t), in the targets' units
    std      standard deviation over orientations (b, t), NaN for a single orientation; the root
             mean square over conformers
    spread   standard deviation over conformers (b, t), NaN for a single conformer
    ends     ends of the 90 % prediction intervals, relative to `mean`
    outside  for each molecule, why it is outside the applicability domain; None if it is inside
    members  standard deviation over the members of an ensemble (b, t), None for a single model
    """

    mean: np.ndarray
    std: np.ndarray
    spread: np.ndarray
    ends: Ends
    outside: list[str | None]
    members: np.ndarray | None = None


class Predictor:
    """Predict with a shipped model, or with the model or ensemble of a run folder.

    model    name of a shipped model, or a run folder. By default each structure is predicted by the
             shipped model that was trained on its kind of geometry: given in 3-D, or made by RDKit.
    copies   number of orientations to average over, drawn from the learned distribution. The
             standard deviation over them measures how much a value still depends on orientation.
             It does not measure the error; see `errors`.
    trust    import custom classes that the model's files name
    targets  names of the targets to predict, all by default
    device   where to compute, see `choose_device`
    total    add the atom references to atomwise energies, which are relative to them otherwise
    kind     kind of geometry whose shipped model is loaded first. The other one is loaded when a
             structure needs it.

    The attribute `descriptors` says which inputs `chem.read` must compute for the model.

    Raises InputError for a missing model (see `molinv.training.saved.load`), an unknown target, an
    unavailable device, negative copies, and for `total` without atomwise energies.
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
        if copies < 0:
            raise InputError(f"expected 0 or more copies, got {copies}.")
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
        own = replace(takes, xtb_elements=frozenset(self.accepted.elements))
        self.descriptors = own if model is not None else usual_descriptors()
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
        """The predictor for structures with this kind of geometry.

        This predictor if a model was named, else possibly that of another shipped model.
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
        """Mean absolute error of each target on the model's test molecules, in its unit.

        Measured with averaging over orientations, or without it on rotated molecules. Empty for
        classes, and if `molinv evaluate` was not run with these weights.
        """
        if self.evaluation is None or self.targets[0].kind == "class":
            return {}
        rows = self.evaluation["targets"]
        return {n: rows[n].get("averaged", rows[n]["rotated"]) for n in self.units}

    def errors_of(self, kind: str) -> dict[str, float]:
        """`errors` for one kind of geometry; only the targets whose error was measured for it."""
        result = self.evaluation or {}
        measured = (result.get("intervals", {}).get(kind) or {}).get("targets", {})
        usual = self.errors if kind in tested(result) else {}
        found = {n: measured.get(n, {}).get("mae", usual.get(n)) for n in self.errors}
        return {n: e for n, e in found.items() if e is not None}

    def predict(
        self, structures: Any, batch_size: int | None = None
    ) -> Iterator[dict[str, Any] | Rejected]:
        """Yield one row per structure, in order, or Rejected for one that cannot be predicted.

        `structures` are those of `chem.read`, or anything that it reads: SMILES, files, ase.Atoms.
        They are read in windows of 1,024. A batch is limited by the memory of the device and by
        `batch_size`.

        Every row has these columns:

        name, smiles, source   the molecule; smiles for a SMILES input only
        embedded      True if the geometry comes from a conformer search
        geometry      "given", "embedded" or "hydrogens added"
        model         name of the model
        outside       why the molecule is outside the applicability domain, or None
        conformers    number of conformers, if there are several; the values are their means

        and these for each target:

        T                the value
        T_std            standard deviation over orientations; NaN for one copy
        T_ensemble_std   standard deviation over the members of an ensemble
        T_conformer_std  standard deviation over several conformers
        T_low, T_high    90 % prediction interval; None if not known for this kind of geometry
        T_mae            mean absolute error on test molecules with this kind of geometry, if known
        T_unit           the unit

        Vectors, tensors and values per atom have the columns of `fields.columns`. So do forces,
        the negative gradient of the averaged energy, if the model was trained on them.

        Raises InputError for several conformers of a molecule if a target rotates with it.
        """
        stream = _structures(structures, self.descriptors)
        while chunk := list(islice(stream, WINDOW)):
            checked = [self.usable(item) for item in chunk]
            good = [item for item in checked if isinstance(item, Structure)]
            rows = iter(self.rows(good, batch_size) if good else [])
            for item in checked:
                yield item if isinstance(item, Rejected) else next(rows)

    def usable(self, item: Structure | Rejected) -> Structure | Rejected:
        """The structure, or Rejected with the reason why the model does not accept it."""
        if isinstance(item, Rejected):
            return item
        if (other := self.of_kind(item.kind)) is not self:
            return other.usable(item)
        return self.accepted.usable(item)

    def kind(self, structure: Structure) -> str:
        """The kind of geometry that decides which intervals and errors apply to the structure."""
        return structure.kind

    def values(self, structures: Sequence[Structure], batch_size: int | None = None) -> Values:
        """Predict numbers for at least one usable structure; batches are sorted by size."""
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
        """Values (t, *e) or (t, n, *e) per structure, their deviations, and the signs.

        The last item holds the deviations over an ensemble's members; it is empty for a single
        model.
        """
        parts = by_size(structures, batch_size, budget(self.device))
        runs = [self._run([structures[i] for i in part]) for part in parts]
        order = np.argsort(np.concatenate(parts))
        values = [row for made, _, _, _ in runs for row in made]
        stds = [row for _, made, _, _ in runs for row in made]
        over = [row for _, _, _, made in runs for row in made]
        signs = Signs.joined([run[2] for run in runs]).take(order)
        if self.targets[0].by_atom:  # remove the padding
            sizes = [len(structures[i].z) for part in parts for i in part]
            values, stds, over = (
                [row[:, :n] for row, n in zip(x, sizes, strict=False)] for x in (values, stds, over)
            )
        values, stds, over = ([x[i] for i in order] if x else [] for x in (values, stds, over))
        return values, stds, signs, over

    def _ends(self, structures: Sequence[Structure], signs: Signs) -> Ends:
        """Ends of the 90 % intervals (b, t), each for the structure's kind of geometry."""
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
        """Why a molecule is outside the applicability domain, or None.

        A NaN distance is ignored.
        """
        if structure.kind == GIVEN and (why := wrong_scale(structure.z, structure.pos)):
            return why
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
        """Mean and deviation over orientations (b, t), in the targets' units, and the signs.

        The last item is the deviation over an ensemble's members (b, t), empty for a single model.
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
        """The columns of the forces, if the model was trained on forces; without deviations."""
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
        """The rows of `predict` for at least one usable structure; `forces=False` omits forces."""
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
            spread, ends = std, self._ends(structures, signs)  # unused: there is one conformer
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
    """Inputs that the shipped models take: xTB features, for given coordinates."""
    if by_geometry(GIVEN) != BY_XTB:
        return Descriptors()
    card = json.loads((first_member(locate(BY_XTB)) / "model.json").read_text(encoding="utf-8"))
    return Descriptors(xtb=True, xtb_kinds=(GIVEN,), xtb_elements=frozenset(card["elements"]))


def tested(result: dict[str, Any]) -> Sequence[str]:
    """The kinds of geometry of the test molecules of an evaluation."""
    return result.get("kinds") or [next(iter(result.get("intervals", {})), GIVEN)]


def _structures(given: Any, descriptors: Descriptors) -> Iterator[Structure | Rejected]:
    """Yield structures unchanged and in order; anything else is read by `chem.read`."""
    several = isinstance(given, Iterable) and not isinstance(given, str) and not is_object(given)
    for item in given if several else [given]:
        if isinstance(item, Structure | Rejected):
            yield item
        else:
            yield from read(item, descriptors=descriptors)
