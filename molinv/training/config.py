"""The settings of a training run, with their defaults: for all runs, and for molecules."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import yaml

from ..chem.descriptors import RDKIT, Descriptors, rdkit_functions
from ..datasets.features import DESCRIPTORS, parse
from ..errors import InputError, unknown

C = TypeVar("C", bound="RunConfig")
_TARGET = re.compile(
    r"""\s*(?:(?:(?P<quote>['"])(?P<quoted>.+?)(?P=quote)|(?P<name>[^\s\[\],'"][^\[\],]*?))"""
    r"""\s*(?:\[(?P<unit>[^\[\]]*)\]\s*)?)?(?:,|$)"""
)

_FOLD = re.compile(r"fold:(\d+)/(\d+)(?::(.+))?")


def fold_of(split: str) -> tuple[int, int, str] | None:
    """(number, count, how folds are made) of a split such as fold:2/5; None for other splits."""
    found = _FOLD.fullmatch(split)
    return None if found is None else (int(found[1]), int(found[2]), found[3] or "random")


def named(text: str) -> list[tuple[str, str | None]]:
    """Names and units in text such as "a,b [unit],'c, d'"; [] if it cannot be parsed.

    The unit is None for a name without one.
    """
    pairs, at = [], 0
    while at < len(text):
        found = _TARGET.match(text, at)
        if found is None:
            return []
        at, name, unit = found.end(), found["quoted"] or found["name"], found["unit"]
        if name:
            pairs.append((name, None if unit is None else unit.strip()))
    return pairs


@dataclass
class RunConfig:
    """The settings that every training run has.

    Args:
        data: the name of a data set.
        out: run folder. An interrupted run in it is resumed.
        task: what to learn (see `molinv tasks`), or package.module:Name; decided by the data if not
            given.
        task_args: settings of the task, e.g. {"loss": "huber"} or {"class_weights": "balanced"}.
        model: an architecture (see `molinv models`) or package.module:Name.
        model_args: settings of the architecture, e.g. {"geometry": "displacement"}.
        group: a group (see `molinv groups`), e.g. E3 or "Compose(SO3, Scaling(3))", or
            package.module:Name.
        distribution: UniformBox, HaarBall, Gaussian, Conditional (per molecule), Categorical (on
            finite groups), Peaks (to find finite groups of rotations) or Composed (on groups of
            two parts such as O3 and E3), which are learned; Identity or Haar, which are fixed.
        distribution_args: settings of the distribution, e.g. {"init": 0.05}.
        regularizer: reward for a wide distribution: entropy, share (fraction of each cap), width
            (the paper's norm) or none.
        lam: weight of the reward for a wide distribution, relative to the loss.
        lam_start: weight of the reward until `settle`, after which it decays to lam; lam if not
            given.
        settle: fraction of training after which the weight starts to decay. It reaches lam
            halfway through the rest.
        copies: group elements per example and step.
        train_size: number of examples to train on; the whole training part if not given.
        valid_size: number of examples to validate on.
        epochs: passes over the training examples.
        minutes: minutes of training after which the run stops, also within an epoch. Learning rates
            are then scheduled by time. Time before an interruption is counted, time of validation
            is not. If epochs are given too, the run ends at whichever comes first.
        batch_size: examples per step, over all devices together.
        optimizer: muon (for matrices, with AdamW for the rest) or adamw.
        lr: AdamW's learning rate.
        muon_lr: Muon's learning rate.
        group_lr: the distribution's learning rate.
        wait: fraction of training before the distribution starts to learn; its learning rate then
            rises over a tenth of the run. Without it, a distribution may become wide before the
            network depends on what the motion destroys, and the network then never learns it. 0.3
            finds partial symmetries.
        weight_decay: weight decay of the network's matrices with muon, and of all its parameters
            with adamw.
        warmup: steps until the learning rate is reached, at most a tenth of the run.
        clip: largest gradient norm of each parameter group; 0 for no clipping.
        ema: decay of the exponential moving average of the weights, which is validated and saved; 0
            for no average.
        patience: epochs without improvement after which the run stops; never if not given.
        seed: random seed of the split, the order of examples, the initial weights and the group
            elements.
        accelerator: Lightning's accelerator: auto, cpu, gpu, mps.
        devices: number of devices, or auto.
        strategy: Lightning's strategy: auto, ddp.
        num_nodes: number of machines.
        precision: Lightning's precision: 32-true, bf16-mixed.
        compile: compile the network with torch.compile.
    """

    data: str = ""
    out: str = "runs/latest"
    task: str | None = None
    task_args: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    model_args: dict[str, Any] = field(default_factory=dict)
    group: str = "SO3"
    distribution: str = "UniformBox"
    distribution_args: dict[str, Any] = field(default_factory=dict)
    regularizer: str = "entropy"
    lam: float | None = None
    lam_start: float | None = None
    settle: float = 0.6
    copies: int = 1
    train_size: int | None = None
    valid_size: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    optimizer: str = "muon"
    lr: float = 1e-3
    muon_lr: float = 5e-3
    group_lr: float = 3e-2
    wait: float = 0.0
    weight_decay: float = 0.01
    warmup: int = 200
    clip: float = 1.0
    ema: float = 0.0
    patience: int | None = None
    seed: int = 0
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = "auto"
    num_nodes: int = 1
    precision: str = "32-true"
    compile: bool = False

    def __post_init__(self):
        if self.epochs is None and self.minutes is None:
            self.epochs = self.passes
        for name in ("epochs", "batch_size", "copies", "train_size", "valid_size"):
            self._see(name, (self._of(name, 1)) >= 1, "at least 1")
        self._see("minutes", 0 < self._of("minutes", 1) < inf, "a number above 0")
        for name in ("lr", "muon_lr", "group_lr"):
            self._see(name, 0 < self._of(name, 1) < inf, "a number above 0")
        for name in ("lam", "lam_start", "clip", "weight_decay", "warmup", "seed"):
            self._see(name, self._of(name, 0) >= 0, "at least 0")
        for name in ("wait", "settle"):
            what = "a fraction of the run from 0 up to, not including, 1"
            self._see(name, 0 <= self._of(name, 0) < 1, what)
        self._see("ema", 0 <= self.ema < 1, "a decay from 0 up to, not including, 1")
        if self.optimizer not in ("muon", "adamw"):
            raise unknown("optimizer", self.optimizer, ("muon", "adamw"))

    passes = 25  # epochs if neither epochs nor minutes are given
    group_end = 0.01  # final fraction of the distribution's learning rate
    held = False  # True keeps that rate at its peak until the weight is lam; else a cosine
    cost = None  # increase of the error by motion to which the reward's weight is adapted

    def start_weight(self, k: int) -> float:
        """The reward's initial weight, for a group with k generators."""
        assert self.lam is not None
        return self.lam if self.lam_start is None else self.lam_start

    def _of(self, name: str, usual: float) -> Any:
        return usual if getattr(self, name) is None else getattr(self, name)

    def _see(self, name: str, good: bool, what: str) -> None:
        if not good:
            raise InputError(f"{name}: expected {what}, got {getattr(self, name)}.")


@dataclass
class TrainConfig(RunConfig):
    """A training run on molecules.

    Args:
        data: name of a data set (qm9), folder of a data set, or your own file with values: .csv
            .tsv .sdf .xyz .extxyz .db .traj, or one of these with .gz.
        targets: names of what to predict, separated by commas; names with commas in quotes. Units
            of your own file's targets are given in brackets, as in "logS [log mol/L],'pKa, exp'".
            All targets are of one kind (numbers, classes, vectors such as dipole, or values per
            atom such as charges). "energy,forces" trains an energy whose gradient gives the forces.
        weights: weights of targets in the loss, each relative to its standard deviation, e.g.
            {"forces": 10}; 1 if not given.
        auxiliary: numbers per atom to learn in addition to the targets, separated by commas:
            charges or others from the data, or xtb for GFN2-xTB's features. They improve the
            embedding of the atoms; predictions do not need them.
        auxiliary_weight: weight of the auxiliary error in the loss, relative to that of the
            targets.
        readout: how outputs of atoms are combined into those of a molecule: sum, mean, a number to
            divide the sum by, or auto (sum for targets that grow with the number of atoms, else
            mean). One for all targets, or per target, e.g. {"homo": "mean", "mu": "sum"}.
        cost: error that moving the input may cost, in units of the targets' standard deviation. The
            weight of the reward then starts at lam and is adjusted so that the extents become as
            wide as this error allows. 0.02 finds partial symmetries up to their edges.
        group_end: fraction of the distribution's learning rate at the end of the run.
        init: fine-tune from this shipped model or run folder (an ensemble's first member). Its
            architecture and weights are used, except those of the last layer if the targets differ.
        preset: settings that suit the data and replace the defaults of settings that are not given:
            small (a small network with distances and bonds), large (the default network with
            bonds), none, or auto, which for a .csv or .tsv file is small up to 5,000 rows and large
            beyond.
        features: inputs of the model in addition to positions and elements, separated by commas:
            bonds (the bond graph), state (charge and unpaired electrons), geometry (whether
            coordinates were given or embedded), xtb (GFN2-xTB's features).
        descriptors: numbers per molecule that the model takes as inputs, separated by commas:
            rdkit2d (RDKit's 2-D descriptors) and columns of your own file; names with commas in
            quotes, as in "rdkit2d,temperature,'pH, measured'". Rows without a value are left out.
            Predictions need the same columns.
        geometries: geometries to train on: given, embedded (by RDKit from SMILES) or hydrogens
            (given, with RDKit's hydrogens added); the data's own if not given. Several have
            fractions, as in "embedded=0.8,given=0.2": every epoch draws one geometry per molecule.
            Validation and test use the first.
        conformers: number of embedded conformers per molecule to draw from.
        small: number of heavy atoms up to which all molecules of a named data set are used for
            training, `repeat` times per epoch; 0 treats them like all others.
        repeat: how often the molecules chosen by `small` are drawn per epoch.
        valid: your own file to validate on, with the columns of `data`; a tenth of `data` if not
            given.
        test: your own file to test on, with the columns of `data`; all of `data` is then used for
            training and validation.
        split: how to split a file into training, validation and test parts: random (80 / 10 / 10 %,
            with repeated molecules in one part), scaffold (molecules that share a ring system in
            one part, the commonest ring systems in training), time:COLUMN (the newest in the test
            part) or column:NAME (a column with the values train, valid, test). fold:2/5 tests on
            the second of five random folds; fold:2/5:scaffold and fold:2/5:column:NAME keep
            molecules with the same ring system or column value in one fold, see `molinv
            crossvalidate`.
        strict_split: keep rows of the same molecule in one part of a random split, leave molecules
            of the `test` file out of training and validation, and leave out held-out molecules with
            an element that no training molecule has. false gives the parts of molinv 0.1.0.
        data_seed: random seed of the split and of `shift` and `rotate`; `seed` if not given. With
            it, runs with different seeds have the same test molecules.
        smiles_column: column of a .csv file with SMILES; found by its name if not given.
        atomwise: targets that are total energies, from which fitted atom energies are subtracted;
            energy of .extxyz and .db files always is one.
        valid_size: number of molecules to validate on; if not given, a tenth of the training
            molecules and at least 1000.
        center: move each molecule's centroid to the origin.
        shift: standard deviation (angstrom) of one fixed random displacement per molecule.
        rotate: give each molecule one fixed random orientation.
        epochs: passes over the training molecules; 25 if neither epochs nor minutes are given.
    """

    data: str = "qm9"
    targets: str = "homo"
    model: str = "point"
    lam: float = 0.02
    weights: dict[str, float] = field(default_factory=dict)
    auxiliary: str = ""
    auxiliary_weight: float = 0.5
    readout: str | dict[str, Any] = "sum"
    cost: float | None = None
    group_end: float = 0.01
    init: str | None = None
    preset: str = "auto"
    features: str = ""
    descriptors: str = ""
    geometries: str = ""
    conformers: int = 1
    small: int = 0
    repeat: int = 1
    valid: str | None = None
    test: str | None = None
    split: str = "random"
    strict_split: bool = True
    data_seed: int | None = None
    smiles_column: str | None = None
    atomwise: str | None = None
    center: bool = True
    shift: float = 0.0
    rotate: bool = False

    def __post_init__(self):
        super().__post_init__()
        self._see("shift", self.shift >= 0, "at least 0")
        self._see("data_seed", self._of("data_seed", 0) >= 0, "at least 0")
        self._see("group_end", 0 <= self.group_end <= 1, "a fraction from 0 to 1")
        for name in ("conformers", "repeat"):
            self._see(name, getattr(self, name) >= 1, "at least 1")
        self._see("small", self.small >= 0, "at least 0")
        self._see("auxiliary_weight", 0 <= self.auxiliary_weight < inf, "at least 0")
        self._see("cost", 0 < self._of("cost", 1) < inf, "an error above 0")
        if self.cost is not None and self.lam_start is not None:
            raise InputError("cost steers the weight that lam_start would set: give one of them.")
        if self.valid is not None and self.test is None:
            raise InputError("valid: a file to test on is needed too: give --test.")
        if self.test is not None and self.split != "random":
            raise InputError(f"the files are the split: leave out --split {self.split}.")
        for name, weight in self.weights.items():
            if not 0 <= weight < inf:
                raise InputError(f"the weight of {name}: expected at least 0, got {weight}.")

    @property
    def parts_by(self) -> str:
        """How the molecules are split: random, scaffold, time:COLUMN, column:NAME or file."""
        found = fold_of(self.split)
        return "file" if self.test is not None else self.split if found is None else found[2]

    @property
    def files(self) -> dict[str, str]:
        """`data`, and `valid` and `test` if they are given, by these names."""
        given = {"data": self.data, "valid": self.valid, "test": self.test}
        return {part: name for part, name in given.items() if name is not None}

    @property
    def drawn_by(self) -> int:
        """The seed of the split, and of the rotation and shift of each molecule."""
        return self.seed if self.data_seed is None else self.data_seed

    @property
    def target_names(self) -> list[str]:
        """The targets as a list, without their units."""
        return list(self.units)

    @property
    def auxiliary_names(self) -> list[str]:
        """The names of `auxiliary`; raises InputError for a repeated name and for a target."""
        names = [name for name, _ in named(self.auxiliary)]
        if bool(names) != bool(self.auxiliary.strip()) or len({*names}) < len(names):
            raise InputError(
                f"auxiliary: expected different names such as charges, got {self.auxiliary!r}."
            )
        for name in names:
            if name in self.target_names:
                raise InputError(f"{name!r} is a target: leave it out of auxiliary.")
        return names

    @property
    def units(self) -> dict[str, str | None]:
        """Each target's unit, None if it was not given.

        Raises InputError if there is no target, and for a repeated target.
        """
        pairs = named(self.targets)
        if not pairs or len(dict(pairs)) < len(pairs):
            raise InputError(
                "targets: expected different names such as 'logS' or 'logS [log mol/L]', or in "
                f"quotes as in \"'pKa, exp' [1]\", got {self.targets!r}."
            )
        return dict(pairs)

    @property
    def described(self) -> Descriptors:
        """The descriptors that the model takes.

        Raises InputError for a repeated name, and for a target.
        """
        pairs = named(self.descriptors)
        names = [n if unit is None else f"{n} [{unit}]" for n, unit in pairs]
        if bool(names) != bool(self.descriptors.strip()) or len({*names}) < len(names):
            raise InputError(
                "descriptors: expected different names such as 'rdkit2d,temperature', or in quotes "
                f"as in \"rdkit2d,'pH, measured'\", got {self.descriptors!r}."
            )
        for name in names:
            if name in self.target_names:
                raise InputError(f"{name!r} is a target: leave it out of the descriptors.")
        rdkit = tuple(rdkit_functions()) if RDKIT in names else ()
        return Descriptors(rdkit, tuple(n for n in names if n != RDKIT))

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of the features that the model takes (see `datasets.features`)."""
        return (*parse(self.features), *[DESCRIPTORS] * bool(self.descriptors.strip()))

    @property
    def atomwise_names(self) -> list[str]:
        """The targets that are total energies; raises InputError for an unknown target."""
        names = [n.strip() for n in (self.atomwise or "").split(",") if n.strip()]
        for name in names:
            if name not in self.units:
                raise unknown("atomwise target", name, self.units)
        return names


# the values of newer settings in runs that began before these settings existed
BEFORE: dict[str, Any] = {"strict_split": False, "preset": "none"}


def read_config(path: Path) -> TrainConfig:
    """The settings of a run on molecules, from its config.yaml; raises like `read_settings`."""
    return read_settings(path, TrainConfig)


def read_settings(path: Path, kind: type[C]) -> C:
    """The settings in a config.yaml, as an instance of `kind`.

    Raises InputError for a missing or damaged file, and for an unknown key.
    """
    if not path.is_file():
        raise InputError(f"no settings at {path}: expected the config.yaml of a run folder.")
    try:
        settings = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged: expected the settings of a run.") from error
    known = asdict(kind())
    foreign = [name for name in settings if name not in known]
    if foreign:
        raise InputError(f"{path} has the unknown key {foreign[0]!r}; remove it or update molinv.")
    given: dict[str, Any] = {k: v for k, v in BEFORE.items() if k in known} | settings
    return kind(**given)
