"""Predictor, under the name that scripts import it by; it lives in `prediction`."""

from .prediction.predictor import Predictor, Values

__all__ = ["Predictor", "Values"]
