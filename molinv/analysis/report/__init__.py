"""The report: one page that works offline, and its numbers as JSON.

page.py       writes a report, or a comparison of several
content.py    sections as JSON, numbers as text
traces.py     charts as traces of plotly.js; globe.py: spheres and molecules
chemiscope.py structures with their results, for chemiscope
palette.py    colours, light and dark
page.html.j2, page.css, page.js   the page
"""

from __future__ import annotations

from .page import Part, write, write_comparison

__all__ = ["Part", "write", "write_comparison"]
