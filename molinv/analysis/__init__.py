"""Analysis: what a model has learned, and how well it does.

accuracy     errors on the test molecules: as stored, rotated, averaged
curves       the losses and extents of a run over time

What `molinv analyse` does, from the top:

produce      from what a user names to the folder with its report
analyse      all parts, one after the other; `verdict` sums them up in five lines
subject      what is analysed: a function of coordinates, and its molecules
runs, callables          a run, any torch module or function, any ASE calculator as one
orbits       the one pass over molecules and orientations; `wigner`, the functions it projects on
settings, section, bootstrap, wording    what the parts share
report/      sections as one page, JSON and PNGs

The parts, each with a function `section`:

statistics   standard deviation over orientations
loss_share   what broken symmetry costs
spectrum     power by degree
tolerance    error against angle, beside what was learned (`turning`, `agreement`)
learned      the distribution that was learned, against Haar (`measures`); `sweep`, of many runs
lie_section  Lie derivatives (`lie`, `forward`, `differences`), layer by layer (`lie_layers`,
             `flow`, `stages`, `hidden`)
maps         the prediction from every side (`views`)
audit        the stored orientations of the data (`uniformity`)
"""
