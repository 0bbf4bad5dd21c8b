"""A stand-in for chemprop 2.3's `train`: predicts the mean of the training values.

It takes the same arguments and writes the same files.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

WORDS = ("train", "val", "test")  # chemprop accepts only these words too


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["train"])
    for name in ("data-path", "splits-column", "smiles-columns", "output-dir", "accelerator"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--target-columns", nargs="+", required=True)
    for name in ("ensemble-size", "pytorch-seed", "data-seed", "epochs"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--remove-checkpoints", action="store_true")
    args = parser.parse_args()
    if args.epochs <= 2:
        parser.error("The number of epochs should be higher than the number during warmup")
    with open(args.data_path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parts = {w: [i for i, r in enumerate(rows) if r[args.splits_column] == w] for w in WORDS}
    out = Path(args.output_dir)
    if (out / "fail").exists():
        sys.exit("CUDA is on fire")
    (out / "splits.json").write_text(json.dumps([parts]), encoding="utf-8")
    for k in range(args.ensemble_size):
        folder = out / f"model_{k}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "test_predictions.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([args.smiles_columns, *args.target_columns])
            means = [
                sum(float(rows[i][t]) for i in parts["train"]) / len(parts["train"])
                for t in args.target_columns
            ]
            for i in parts["test"]:
                writer.writerow([rows[i][args.smiles_columns], *(m + k for m in means)])


if __name__ == "__main__":
    main()
