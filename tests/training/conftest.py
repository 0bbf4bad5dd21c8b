from pathlib import Path

import pytest

from molinv.cli import main

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SMALL = ["--data", str(SAMPLE), "--train_size", "200", "--valid_size", "64", "--accelerator", "cpu"]
SMALL += ["--model_args", '{"width": 32, "layers": 2, "heads": 4}']


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished run of two epochs, two targets."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    code = main(["train", *SMALL, "--targets", "homo,U0", "--epochs", "2", "--out", str(folder)])
    assert code == 0
    return folder
