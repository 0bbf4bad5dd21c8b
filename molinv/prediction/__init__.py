"""Predictions with units and errors, from a saved model and molecules or pictures.

predictor.py      predict structures: rows with values, intervals and units
acceptance.py     check whether a model accepts a structure
batches.py        batches of structures; averages over the conformers of a molecule
fields.py         output columns for numbers, vectors, tensors and values per atom
input_columns.py  columns copied from the input files
screen_table.py   predictions as a table for the screen
details.py        all columns of a prediction, as one table per molecule
notes.py          notes printed below the table
output.py         rows as a .csv or .json file
sdf.py            rows as the data fields of an .sdf file
orbit_values.py   values of a model, averaged over random orientations
averaged.py       a model averaged over fixed orientations, smooth in the positions
calculator.py     energies and forces for ASE
calibrate.py      write conformal.json: 90 % intervals and the applicability domain
calibration_sets.py  calibrate one kind of geometry from its residuals
conformal.py      read conformal.json
difficulty.py     estimate the error of a model on a molecule
coverage.py       coverage of the intervals, overall and in groups of test molecules
applicability_domain.py  check whether a molecule resembles the training molecules
residuals.py      errors per molecule, for targets and forces
other_geometries.py  held-out molecules in RDKit's geometries
class_scores.py   scores of predicted class probabilities
evaluate.py       errors on test molecules: stored, rotated, averaged
evaluation_tables.py  an evaluation as tables for the screen
evaluation_files.py  an evaluation as files: predictions and a parity plot
pictures.py       predict picture files: classes, numbers, masks and overlays
picture_errors.py errors on test pictures
library/          predict files of any size

from molinv.predict import Predictor
"""
