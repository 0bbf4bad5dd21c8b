"""Evaluations on the screen, where a measure is unknown or zero."""

from math import nan
from types import SimpleNamespace

import pytest
from rich.console import Console

from molinv.datasets.targets import Target
from molinv.prediction.evaluation_tables import table
from molinv.prediction.output import _on_errors


@pytest.mark.parametrize("stored", [nan, 0.0])
def test_an_unknown_or_zero_roc_auc_is_shown_without_nan(stored):
    row = {"unit": "ROC-AUC", "stored": stored, "rotated": stored, "averaged": stored}
    console = Console(record=True, width=100)
    console.print(table({"targets": {"y": row}, "molecules": 3, "split": "abc"}))
    text = console.export_text()
    assert "nan" not in text
    assert " - " in text
    assert ("does not occur among the test molecules" in text) == (stored != 0.0)


@pytest.mark.parametrize(
    ("roc_auc", "said"), [(nan, []), (0.75, ["y: ROC-AUC 0.750 on 1 test molecules."])]
)
def test_a_prediction_quotes_no_unknown_roc_auc(roc_auc, said):
    found = {
        "molecules": 1,
        "targets": {"y": {"unit": "ROC-AUC", "averaged": roc_auc, "rotated": 0.5}},
    }
    target = Target("y", "", kind="class", classes=("a", "b"))
    predictor = SimpleNamespace(evaluation=found, targets=[target], units=["y"])
    assert list(_on_errors([], predictor)) == said  # pyright: ignore
