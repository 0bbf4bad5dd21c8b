"""A tiny model and a small library, for the tests of libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "chem"))  # where the tiny model is made

from small_library import SMILES
from tiny_model import tiny_model


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def library(tmp_path) -> Path:
    """A file of 22 molecules; 3 of them cannot be predicted."""
    path = tmp_path / "library.smi"
    path.write_text("".join(f"{smiles} m{i}\n" for i, smiles in enumerate(SMILES)))
    return path
