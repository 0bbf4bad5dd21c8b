"""The molecules of a run: as stored for training, and also turned for validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from jaxtyping import Int64

from ..augment import Augmented
from ..chem.state import MENTIONED, words
from ..datasets.batches import Loader, OnDevice
from ..datasets.features import STATE, XTB, molecule_numbers
from ..datasets.molecules import Molecules
from ..datasets.ragged import pointers
from ..datasets.split import Split
from ..datasets.targets import Target
from ..errors import InputError
from ..models.known import Known
from ..tasks import of_molecules
from ..tasks.base import Task
from ..tasks.numbers import Numbers
from .auxiliary import auxiliary
from .build import check_sizes, make_network, of_task, readouts
from .choosing import choosing
from .config import TrainConfig
from .data import RunData
from .orbit_share import MOLECULES, orbit_share
from .source import Source, states, write_rejected, write_split

TOGETHER = 32  # size of a batch of molecules that are not sorted by size


class MoleculeData(RunData):
    """The molecules of a source, centred, shifted and turned as the settings say.

    Raises InputError for targets, settings and molecules that do not fit each other.
    """

    config: TrainConfig

    def __init__(self, source: Source, config: TrainConfig):
        super().__init__()
        molecules, parts = source.molecules, source.parts
        self.source, self.molecules, self.config = source, molecules, config
        settings = dict(config.task_args)
        if config.weights and "weights" in settings:
            raise InputError("the weights are in task_args too: leave out --weights.")
        if config.weights:
            settings["weights"] = config.weights
        names = config.target_names
        self.task = of_molecules(molecules, names, parts.train, config.task, settings)
        self.task.center = config.center
        self.auxiliary = auxiliary(config, self.task, molecules, parts.train)
        # the pairs (charge, unpaired electrons) of the training molecules, sorted
        self.states, counts = np.unique(states(molecules)[parts.train], axis=0, return_counts=True)
        told = {STATE, XTB} & {*config.taken}  # inputs that tell charge and spin
        mixed = () if told else mixed_states(self.states, counts)
        unseen = unseen_classes(molecules, parts, self.task.targets)
        self.notes = (*source.notes, *mixed, *unseen)
        self.examples, self.train = len(molecules), parts.train
        # the other validation molecules calibrate intervals
        self.valid, _ = choosing(parts.valid, len(parts.train), config.valid_size)
        sizes = {"train": len(parts.train), "valid": len(self.valid), "test": len(parts.test)}
        seen = molecules.sizes[parts.train]
        self.facts = {
            "data": config.data,
            "split": parts.hash,
            "seed": config.seed,
            "molecules": sizes,
            "elements": elements(molecules, parts.train),
            "atoms": [int(seen.min()), int(seen.max())],
            "geometries": list(source.kinds),
            "placement": {"center": config.center, "shift": config.shift},
            "states": self.states.tolist(),
            "notes": list(self.notes),
        }
        self.identity = {"split": parts.hash, "data_sha256": source.sha256, "molecules": sizes}
        if source.sha256 is not None:
            own = {"data_sha256": source.sha256, "rejected": len(source.rejected)}
            self.facts |= own | ({} if source.files is None else {"files_sha256": source.files})
        self.readout = readouts(config.readout, self.task, molecules, parts.train)

    def drawn(self, epoch: int) -> Int64[np.ndarray, " m"]:
        """One geometry of each training molecule."""
        copies = self.source.copies
        return self.train if copies is None else copies.drawn(self.train, self.config.seed, epoch)

    def network(self) -> Augmented:
        made = seeded(self.config, self.task, self.readout)
        assert self.config.model is not None
        self._fit_features(made.model.known)  # pyright: ignore
        if self.auxiliary is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.config.seed)
                made.model.set_auxiliary(self.auxiliary.shape[1])  # pyright: ignore
        check_sizes(self.config.model, made.model, self.molecules)
        return made

    def _fit_features(self, known: Known | None) -> None:
        """Fit the standardisation of the network's inputs, and the linear start from xTB's numbers.

        With xTB's numbers, the outputs start as a linear fit to them, and the scale of each target
        becomes the spread of the residuals.
        """
        values = molecule_numbers(self.molecules.extras, self.config.taken)
        if known is None or values is None:
            return
        known.fit(values[self.train])
        if (said := self.molecules.extras.electronic) is None:
            return
        sizes = self.molecules.sizes[self.train].astype(np.int64)
        ptr = pointers(sizes)
        rows = np.repeat(said.atom_start[self.train] - ptr[:-1], sizes) + np.arange(ptr[-1])
        known.fit_atoms(said.atoms[rows])
        if isinstance(self.task, Numbers) and known.said is not None:
            standardizer = self.task.standardizer
            y = standardizer.of(self.molecules, self.train)
            left = known.fit_said(values[self.train], y)
            standardizer.scale.mul_(torch.from_numpy(left))
            with torch.no_grad():  # convert to units of the new scale
                known.said.weight.div_(torch.from_numpy(left)[:, None])
                known.said.bias.div_(torch.from_numpy(left))

    def stores(self, device: torch.device | str) -> tuple[OnDevice, list[OnDevice]]:
        stored = place(self.molecules, self.task, self.config, device, auxiliary=self.auxiliary)
        return stored, [stored, place(self.molecules, self.task, self.config, device, rotate=True)]

    def extra(self, trainer: pl.Trainer, module: Any) -> dict[str, float]:
        """Orbit variances of the first validation molecules; each process computes all of them."""
        if not isinstance(self.task, Numbers):
            return {}
        convert = trainer.precision_plugin.convert_input
        with trainer.precision_plugin.forward_context():
            batches = Loader(self.stored, self.valid[:MOLECULES], TOGETHER, shuffle=False)
            return orbit_share(module.network, self.task, map(convert, batches), self.config.seed)

    def begin(self, folder: Path) -> None:
        write_rejected(folder / "rejected.csv", self.source.rejected)
        write_split(folder / "split.csv", self.molecules, self.source.parts)


def unseen_classes(molecules: Molecules, parts: Split, targets: Sequence[Target]) -> Iterator[str]:
    """A sentence on each class without training molecules, and if validation has a single class.

    With a single class, ROC-AUC is undefined for the target, and epochs are compared by log loss.
    """
    for target in targets:
        if target.kind != "class":
            continue
        y = molecules.values([target.name])[:, 0]
        seen, valid = (set(y[p][~np.isnan(y[p])].astype(int)) for p in (parts.train, parts.valid))
        for k, name in enumerate(target.classes):
            if k not in seen:
                yield f"No training molecule has the class {name!r} of {target.name!r}."
        if len(valid) < 2:
            yield f"The validation part has one class of {target.name!r}: its ROC-AUC is not known."


def mixed_states(found: np.ndarray, counts: np.ndarray) -> Iterator[str]:
    """A sentence on the charges and spins (s, 2) of the training molecules, if there are several.

    `counts` has the number of molecules with each.
    """
    if len(found) > 1:
        order = np.argsort(-counts, kind="stable")[:MENTIONED]
        listed = "; ".join(f"{counts[i]:,} with {words(*found[i].tolist())}" for i in order)
        rest = f"; {len(found) - MENTIONED} more states" if len(found) > MENTIONED else ""
        yield (
            f"The training molecules differ in charge or spin ({listed}{rest}): a model cannot "
            "tell these from atoms and coordinates only."
        )


def place(
    molecules: Molecules,
    task: Task,
    config: TrainConfig,
    device: torch.device | str,
    rotate: bool = False,
    auxiliary: Any = None,
) -> OnDevice:
    """Molecules with the task's values on a device; `rotate` turns each by a Haar rotation.

    `auxiliary` are numbers of the atoms (atoms, a) for the batches.
    """
    y, forces = task.labels(molecules)
    return OnDevice(
        molecules,
        y,
        device,
        center=config.center,
        shift=config.shift,
        seed=config.drawn_by,
        rotate=rotate or config.rotate,
        kind=task.kind,
        forces=forces,
        features=config.taken,
        auxiliary=auxiliary,
    )


def seeded(config: TrainConfig, task: Task, readout: list[Any] | None = None) -> Augmented:
    """The network; its initial weights depend only on the seed."""
    assert config.model is not None
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return make_network(
            task.outputs,
            model=config.model,
            model_args=config.model_args,
            group=config.group,
            distribution=config.distribution,
            distribution_args=config.distribution_args,
            regularizer=config.regularizer,
            copies=config.copies,
            readout=readout,
            features=config.taken,
            descriptors=config.described.to_json(),
            **of_task(task),
        )


def elements(molecules: Molecules, indices: np.ndarray) -> list[int]:
    """The atomic numbers that occur in these molecules."""
    inside = np.zeros(len(molecules), dtype=bool)
    inside[indices] = True
    return np.unique(molecules.z[np.repeat(inside, np.diff(molecules.ptr))]).tolist()
