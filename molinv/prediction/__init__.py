"""Prediction: from a saved model and molecules or pictures to values with units and errors.

predictor.py      structures to rows of values, intervals and units
acceptance.py     which structures a model can take
batches.py        structures as batches; values of conformers as those of their molecules
fields.py         columns of numbers, vectors, tensors and values of atoms
input_columns.py  the columns of inputs, beside the predictions
output.py         rows as a table, .csv or .json, with notes for its reader
sdf.py            rows as the data fields of an .sdf file
orbit_values.py   a model's values, averaged over orientations
averaged.py       a model averaged over fixed orientations: smooth in the positions
calculator.py     energies and forces for ASE
calibrate.py      makes conformal.json: 90 % intervals, and where the training data ends
calibration_sets.py  one kind of geometry's part of it, from residuals
conformal.py      reads it
difficulty.py     how wrong a model is likely to be on a molecule
coverage.py       how often intervals hold, overall and in groups of test molecules
applicability_domain.py   whether a molecule resembles the training molecules
residuals.py      errors molecule by molecule, of targets and of forces
evaluate.py       errors on test molecules: stored, rotated, averaged
evaluation_tables.py  an evaluation as tables for the screen
evaluation_files.py  further measures; test predictions, parts and a plot as files
pictures.py       picture files to classes, numbers, masks and overlays
library/          files of any length to one table

from molinv.predict import Predictor
"""
