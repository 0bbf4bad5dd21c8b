"""How `make docs` builds the pages: these notebooks, and a reference from the docstrings."""

import re
from importlib import metadata

project = "molinv"
release = metadata.version("molinv")
copyright = author = "the authors of molinv"
extensions = ["myst_nb", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["**.ipynb_checkpoints", "reference/modules.rst"]
# annotations name classes without their modules, so a name can have several targets
suppress_warnings = ["mystnb.unknown_mime_type", "ref.python"]

nb_execution_mode = "off"  # the tests run them; their outputs are stored
apidoc_modules = [
    {
        "path": "../molinv",
        "destination": "reference",
        "exclude_patterns": ["**/__main__.py"],
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
html_title = f"molinv {release}"

ARGUMENT = re.compile(r"^( {4}[\w*, ]+: )(.*)$")


def plain(app, what, name, obj, options, lines):
    """Make reStructuredText of a docstring, which is plain text.

    `x` is code; an indented paragraph, and one with columns, is shown as it is written; Args: is
    left to napoleon.
    """
    found, paragraph = [], []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
            continue
        found += [*_paragraph(paragraph), ""]
        paragraph = []
    lines[:] = found


def _paragraph(lines):
    text = "\n".join(lines)
    if lines and lines[0] == "Args:":
        rows = [ARGUMENT.match(line) for line in lines]
        kept = [line if row is None else row[1] for line, row in zip(lines, rows, strict=True)]
        rest = ["" if row is None else row[2] for row in rows]
        return [a + _escaped(b) if b else _escaped(a) for a, b in zip(kept, rest, strict=True)]
    listed = all(line.startswith(("- ", "  ")) for line in lines) and text.startswith("- ")
    as_it_is = re.search(r"^ |\S {2,}\S", text, re.MULTILINE) and not listed
    if as_it_is:
        return ["::", "", *("    " + line for line in lines)]
    return _escaped(text).split("\n")


def _escaped(text):
    """Text without markup, but for `code`."""
    parts = text.split("`")
    for i, part in enumerate(parts):
        if i % 2 and i + 1 < len(parts):
            parts[i] = rf"\ ``{part}``\ " if part.strip() == part and part else part
        else:
            parts[i] = re.sub(r"([\\*_|])", r"\\\1", part)
    return "".join(parts)


def skip(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, which have no docstrings of their own."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("autodoc-process-docstring", plain, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", skip)
