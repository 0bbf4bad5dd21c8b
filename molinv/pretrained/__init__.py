"""Models that are shipped, so that the first prediction needs no training.

qm9/     one folder a model: model.safetensors, model.json, config.yaml, metrics.csv,
         evaluation.json, conformal.json, domain.safetensors and difficulty.safetensors,
         together under 12 MB; a run folder without its checkpoints
choose   which model the arguments of `molinv predict` mean
card     what a shipped model is, how well it does and how to use it
ship     a finished run -> one of these folders: python -m molinv.pretrained RUN [NAME]
"""

from ..training.shipped import DEFAULT, FILES, ROOT, available, find, locate, shipped_name

__all__ = ["DEFAULT", "FILES", "ROOT", "available", "find", "locate", "shipped_name"]
