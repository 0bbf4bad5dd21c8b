"""The learned distribution, and whether the network agrees with it.

distribution.py  report section: extents over training, distance from Haar (measures.py)
tolerance.py     report section: error against the angle of rotation (turning.py), compared with
                 the learned extent (agreement.py)
several.py       report section: several runs, over seeds and lambda
"""
