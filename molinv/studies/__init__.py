"""Several runs that answer one question.

crossvalidate.py  k folds, each a run: errors with their spread, a prediction for every molecule
out_of_fold.py    the predictions beside the columns of the input
compare.py        two cross-validations, fold by fold: is the difference more than chance?
tune.py           a search of settings by the validation error
space.py          the settings that are searched, and their ranges
"""
