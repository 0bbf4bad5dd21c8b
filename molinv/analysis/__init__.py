"""What a model depends on: `molinv analyse`.

produce.py    from what a user names to the folder with its report
analyse.py    all parts, one after the other; verdict.py sums them up in five lines
subject.py    what is analysed: a function of coordinates, and its molecules; runs.py and
              callables.py make one of a run, of any function or module, of an ASE calculator
device.py     where its network runs

The parts, each with a function section(orbits, settings):

orbits/       the one pass over orientations; standard deviations, power by degree, maps
loss_share.py what broken symmetry costs
learned/      the learned distribution, and the angles that the network tolerates; several runs
lie/          Lie derivatives, layer by layer
audit/        the stored orientations of the data
pictures/     the same for models of pictures

settings.py, section.py, bootstrap.py, wording.py   what the parts share
report/       sections as one page, JSON and PNGs
curves.py     losses and extents of a run over time
"""
