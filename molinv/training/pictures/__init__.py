"""Training on pictures: the same joint loss, distributions and run folder as for molecules.

config.py    every setting, with its default
build.py     from names to a network with its distribution
tasks.py     what is learned: classes, label maps, circles or numbers: losses and metrics
data.py      the batches of a run
module.py    the joint loss
schedule.py  the extents wait for the network, the reward's weight falls
history.py   what is measured, and the model
run.py       a run from its settings to its folder
saved.py     the model of a run folder
evaluate.py  errors on test pictures: stored, turned, averaged
predict.py   picture files to classes, numbers, masks and overlays

from molinv.training.pictures.config import PictureConfig
from molinv.training.pictures.run import train

train(PictureConfig(data="mnist", group="Affine2", epochs=5, out="runs/d"))
"""
