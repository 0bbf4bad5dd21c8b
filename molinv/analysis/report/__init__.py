"""The report: one page that works offline, and its numbers as JSON.

page.py       write a report, or a comparison of several: the files and their content
content.py    sections as JSON, with NaN as null; scales that figures share
traces.py     charts as traces of plotly.js, coloured by the page; globe.py spheres and molecules
chemiscope.py structures with what was found of each
palette.py    the colours, light and dark
page.html.j2, page.css, page.js   the page itself
"""

from __future__ import annotations

from .page import Part, write, write_comparison

__all__ = ["Part", "write", "write_comparison"]
