"""Fixtures of the data sets' tests: the shipped sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from molinv.datasets import Molecules

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    return SAMPLE


@pytest.fixture(scope="session")
def sample() -> Molecules:
    return Molecules.open(SAMPLE)
