"""Settings of a run on the shipped sample that takes seconds."""

from pathlib import Path
from typing import Any

from molinv.training.config import TrainConfig

SAMPLE = Path(__file__).parents[1] / "data" / "qm9_sample"
SMALL = ["--data", str(SAMPLE), "--train_size", "200", "--valid_size", "64", "--accelerator", "cpu"]
SMALL += ["--model_args", '{"width": 32, "layers": 2}']


def small(folder, **changes):
    """The config of an even smaller run."""
    settings: dict[str, Any] = dict(
        data=str(SAMPLE),
        train_size=128,
        valid_size=32,
        epochs=4,
        accelerator="cpu",
        model_args={"width": 32, "layers": 2},
        out=str(folder),
    )
    return TrainConfig(**(settings | changes))
