"""Shipped models, so that the first prediction needs no training.

qm9/     one folder per model, which is a run folder without its checkpoints:
         model.safetensors, model.json, config.yaml, metrics.csv, evaluation.json,
         conformal.json, domain.safetensors and difficulty.safetensors, together under 12 MB
choose   find the model and the inputs in the arguments of `molinv predict`
card     describe a shipped model: its architecture, training, errors and use
ship     make such a folder from a finished run: python -m molinv.pretrained RUN [NAME]
"""

from ..training.shipped import DEFAULT, FILES, ROOT, available, find, locate, shipped_name

__all__ = ["DEFAULT", "FILES", "ROOT", "available", "find", "locate", "shipped_name"]
