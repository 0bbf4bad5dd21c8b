"""The report: one page that works offline, its numbers as JSON, its figures as PNGs.

page         write a report, or a comparison of several: the files and what goes into them
content      sections as JSON: everything a figure or a table shows, NaN as null
interactive  charts as traces of plotly.js, with the page's colours left open; interactive_map, maps
pictures     the same figures by matplotlib, maps and molecules in pictures_space
mollweide    the equal-area projection of the sphere that both draw on
molecule     molecules as balls and sticks, as SVG and for matplotlib
palette      the colours, light and dark
page.html.j2, page.css, page.js   the page itself
"""

from __future__ import annotations

from .page import Part, write, write_comparison

__all__ = ["Part", "write", "write_comparison"]
