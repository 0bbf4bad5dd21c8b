"""Training: a network and its distribution, jointly, on molecules or pictures.

config.py          settings of a run on molecules, and settings that every run has
picture_config.py  settings of a run on pictures
presets.py         settings that suit small tables of molecules
source.py          load the molecules of a run and split them
copies.py          several geometries of each molecule
extra_inputs.py    descriptors and xTB results of the molecules
auxiliary.py       numbers of atoms that are learned beside the targets
data.py            interface of the data of a run; molecule_data.py, picture_data.py implement it
choosing.py        which validation molecules choose the epoch, and which calibrate intervals
build.py           make a network and its distribution from their names
recipe.py          the optimizer of a network and its distribution
module.py          the joint loss of a task
fit.py             train any torch module with a distribution: `molinv.fit`
settling.py        exact probabilities of the rotations of Peaks, during and after training
noise.py           the random numbers of an epoch, one row for each example
schedule.py        learning rates, the reward's weight, and the end of a run
allowance.py       adapt the reward's weight to a given increase of the error
optim.py           Muon with AdamW
averaging.py       an exponential average of the weights
history.py         metrics.csv and the screen, one row per epoch; saves the best model
epoch_lines.py     the lines that a run prints
curves.py          figures of a run: its errors and extents over time
orbit_share.py     how much the network's outputs still depend on orientation
run.py             train, resume and lock a run folder
checkpoint.py      checkpoints, written atomically and read without pickle
fine_tuning.py     runs that start from a trained model
ensemble.py        train ensembles; members.py reads them
saved.py           model.safetensors and model.json
shipped.py         find a model by its name or folder

from molinv.training.config import TrainConfig
from molinv.training.run import train

train(TrainConfig(data="qm9", targets="homo", train_size=5000, out="runs/a"))
"""
