"""python -m molinv: the command line."""

from .cli import run

run()
