"""Settings of a run that takes seconds, on the shipped sample."""

from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SMALL = ["--data", str(SAMPLE), "--train_size", "200", "--valid_size", "64", "--accelerator", "cpu"]
SMALL += ["--model_args", '{"width": 32, "layers": 2, "heads": 4}']
