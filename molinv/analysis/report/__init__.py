"""The report: one page that works offline, its numbers as JSON, its figures as PNGs.

page.py       write a report, or a comparison of several: the files and their content
content.py    sections as JSON, with NaN as null; scales that figures share
traces.py     charts as traces of plotly.js, coloured by the page; maps in traces_map.py
png.py        the same figures by matplotlib; maps and molecules in png_space.py
mollweide.py  the equal-area projection of the sphere that both use
molecule.py   molecules as balls and sticks, as SVG and for matplotlib
palette.py    the colours, light and dark
page.html.j2, page.css, page.js   the page itself
"""

from __future__ import annotations

from .page import Part, write, write_comparison

__all__ = ["Part", "write", "write_comparison"]
