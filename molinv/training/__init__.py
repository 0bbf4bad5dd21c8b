"""Training: a network and its distribution, jointly, on molecules or pictures.

auxiliary.py       numbers of atoms that are learned beside the targets
config.py          the settings of a run on molecules, and those that every run has
picture_config.py  the settings of a run on pictures
source.py          molecules by settings: their parts, and what had to be left out
extra_inputs.py    descriptors and what xTB says of the molecules of a source
data.py            what the trainer asks of data; molecule_data.py, picture_data.py: either kind
choosing.py        which validation molecules choose the epoch, and which calibrate
build.py           from names to a network with its distribution
recipe.py          the optimizer of a network and its distribution
module.py          the joint loss of a task
fit.py             the same for any torch module: `molinv.fit`
noise.py           the random numbers of an epoch, a row for each example
schedule.py        learning rates, the reward's weight, and when a run ends
allowance.py       the reward's weight steered by what moving costs
optim.py           Muon with AdamW
averaging.py       an exponential average of the weights
history.py         metrics.csv and the screen, a row an epoch; which model is kept
curves.py          figures of a run: its errors and extents over time
orbit_share.py     what the network still makes of orientation, in the log
run.py             a run from its settings to its folder
checkpoint.py      checkpoints, written whole and read without pickle
fine_tuning.py     runs that start from a trained model
saved.py           model.safetensors and model.json
shipped.py         where a model is, by its name or folder

from molinv.training.config import TrainConfig
from molinv.training.run import train

train(TrainConfig(data="qm9", targets="homo", train_size=5000, out="runs/a"))
"""
