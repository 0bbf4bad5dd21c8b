"""Training: a network and its distribution, jointly.

config.py    every setting, with its default
build.py     from names to a network with its distribution
data.py      the batches of a run
module.py    the loss, the schedule, the clipping
optim.py     Muon with AdamW
history.py   metrics.csv and the best model so far
run.py       a run from its settings to its folder
saved.py     model.safetensors and model.json

from molinv.training.config import TrainConfig
from molinv.training.run import train

train(TrainConfig(data="qm9", targets="homo", train_size=5000, out="runs/a"))
"""
