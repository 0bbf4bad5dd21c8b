"""Report section: are the stored orientations of the molecules uniform?

section.py     the section
uniformity.py  statistical tests of directions
learners.py    a classifier and a regressor that see orientations only
"""
