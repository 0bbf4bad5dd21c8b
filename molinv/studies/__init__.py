"""Studies that need several runs.

crossvalidate.py  k-fold cross-validation: errors with their spread, a prediction per molecule
out_of_fold.py    write the held-out predictions beside the columns of the input
compare.py        compare two cross-validations with a paired test
tune.py           search settings by the validation error
space.py          the settings that are searched, and their ranges
"""
