"""Training: a network and its distribution, jointly.

config.py    every setting, with its default
build.py     from names to a network with its distribution
data.py      the batches of a run
task.py      what a run predicts: numbers, what turns, values of atoms, an energy with forces
module.py    the loss, the schedule, the clipping
masked.py    errors where values are missing, and of what turns
forces.py    forces as the gradient of the averaged energy
optim.py     Muon with AdamW
rows.py      metrics.csv and the screen: a row an epoch
history.py   what is measured, and the best model so far
run.py       a run from its settings to its folder
saved.py     model.safetensors and model.json
source.py    the molecules of a run and their parts
orbit_values.py   a saved model's values, averaged over orientations
calibrate.py makes conformal.json: 90 % intervals, and where the training data ends
conformal.py reads it
domain.py    whether a molecule is of the training molecules' kind

from molinv.training.config import TrainConfig
from molinv.training.run import train

train(TrainConfig(data="qm9", targets="homo", train_size=5000, out="runs/a"))
"""
