"""Are the stored orientations of the molecules uniform?

section.py     the report section
uniformity.py  the tests behind it
"""
