"""Tables of evaluations with unknown or zero measures."""

from math import nan
from types import SimpleNamespace

import pytest
from rich.console import Console

from molinv.datasets.targets import Target
from molinv.prediction.evaluation_tables import metrics_table, table
from molinv.prediction.notes import on_classes


@pytest.mark.parametrize("stored", [nan, 0.0])
def test_an_unknown_or_zero_roc_auc_is_shown_without_nan(stored):
    row = {"unit": "ROC-AUC", "stored": stored, "rotated": stored, "averaged": stored}
    console = Console(record=True, width=100)
    console.print(table({"targets": {"y": row}, "molecules": 3, "split": "abc"}))
    text = console.export_text()
    assert "nan" not in text
    assert " - " in text
    assert ("does not occur among the test molecules" in text) == (stored != 0.0)


def test_brackets_in_a_name_are_not_taken_as_markup():
    row = {"unit": "", "stored": 1.0, "rotated": 1.0, "averaged": 1.0}
    row["metrics"] = {"stored": {"rmse": 1.0, "r2": None, "spearman": None}}  # pyright: ignore
    result = {"targets": {"IC50 [nM]": row}, "molecules": 3, "split": "abc"}
    console = Console(record=True, width=100)
    console.print(table(result), metrics_table(result))
    assert console.export_text().count("IC50 [nM]") == 2


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
    assert list(on_classes(predictor)) == said  # pyright: ignore
