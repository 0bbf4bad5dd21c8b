"""The public import path of Predictor, which is defined in `molinv.prediction`."""

from .prediction.predictor import Predictor, Values

__all__ = ["Predictor", "Values"]
