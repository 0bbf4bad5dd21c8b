"""The learned distribution, and whether the network agrees with it.

distribution.py  report section: its extents over training, its distance from Haar (measures.py)
tolerance.py     report section: error against the angle of rotation (turning.py), beside the
                 learned extent (agreement.py)
several.py       several runs in one figure: seeds, and a sweep of lambda
"""
