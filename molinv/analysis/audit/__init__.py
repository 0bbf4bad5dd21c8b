"""Report section: are the stored orientations of the molecules uniform?

section.py       the section
orientations.py  tests of uniformity; a classifier and a regressor that see orientations only
"""
