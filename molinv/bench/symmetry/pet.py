"""A small PET, trained by metatrain: an unconstrained network, which only learns to be invariant.

Source: PET (Pozdnyakov and Ceriotti, NeurIPS 2023, arXiv 2305.19302), in metatrain. Its training
rotates every structure at random. It learns GFN2-xTB's energies and forces of QM9's molecules.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write

from ...datasets import load
from ...datasets.xtb import Settings, label
from ...errors import InputError
from ..environments import Environment, reason

FRAMES = 600
SIZES = {"d_pet": 64, "d_head": 64, "d_node": 128, "d_feedforward": 128, "num_heads": 4}
RATE = 5e-4


def trained(environment: Environment, folder: Path, epochs: int) -> str:
    """The path of the exported model, trained unless it exists.

    Raises InputError with the last line of metatrain's messages if it fails, and without tblite.
    """
    folder = folder.resolve()
    model = folder / f"pet-{epochs}.pt"
    if model.is_file():
        return str(model)
    frames = _frames(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", frames[: -FRAMES // 10]), ("valid", frames[-FRAMES // 10 :])):
        write(folder / f"{name}.xyz", part, format="extxyz")
    (folder / "options.yaml").write_text(yaml.safe_dump(_options(epochs)), encoding="utf-8")
    command = [environment.see(environment.path("scripts") / "mtt"), "train", "options.yaml"]
    command = [*map(str, command), "-o", model.name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode or not model.is_file():
        why = reason(done.returncode, done.stderr or done.stdout)
        raise InputError(f"metatrain cannot train PET: {why}")
    return str(model)


def _options(epochs: int) -> dict:
    energy = {"key": "energy", "unit": "eV", "forces": {"key": "forces"}}

    def part(name: str) -> dict:
        systems = {"read_from": f"{name}.xyz", "length_unit": "angstrom"}
        return {"systems": systems, "targets": {"energy": energy}}

    training = {"num_epochs": epochs, "batch_size": 8, "learning_rate": RATE}
    return {
        "seed": 0,
        "device": "cpu",
        "architecture": {"name": "pet", "model": SIZES, "training": training},
        "training_set": part("train"),
        "validation_set": part("valid"),
        "test_set": 0.0,
    }


def _frames(folder: Path) -> list[Atoms]:
    path, *_ = label(load("qm9"), Settings(FRAMES // 2, 2), folder / "xtb")
    made = []
    for atoms in read(path, ":"):
        assert isinstance(atoms, Atoms)
        assert atoms.calc is not None
        results = {p: atoms.calc.results[p] for p in ("energy", "forces")}
        made.append(Atoms(atoms.numbers, atoms.positions))
        made[-1].calc = SinglePointCalculator(made[-1], **results)
    return made
