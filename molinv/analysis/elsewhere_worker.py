"""Runs in another environment: makes a calculator and answers requests. See elsewhere.py.

Does not import molinv, which that environment lacks.
"""

import importlib
import json
import os
import sys

from making import made

sys.path[0] = os.getcwd()  # in place of this file's folder, whose names may hide packages


def main(given):
    """Answer each line of standard input with a line of JSON on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries' printing goes to standard error

    def answer(content):
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    from ase import Atoms

    try:
        module, name = given["spec"].split(":")
        found = made(getattr(importlib.import_module(module), name), given["arguments"])
        title = getattr(found, "title", type(found).__name__)
        answer({"title": title, "properties": list(found.implemented_properties)})
    except Exception as error:  # a calculator's package may raise anything
        with_these = f"with the arguments {given['arguments']}: {_words(error)}"
        answer({"error": f"cannot make {given['spec']} {with_these}; see --calculator_args."})
        return
    for line in sys.stdin:
        asked = json.loads(line)
        properties = asked.pop("properties")
        try:
            atoms = Atoms(**asked)
            found.calculate(atoms, properties, ["positions", "numbers", "cell", "pbc"])
            results = {p: found.results[p] for p in properties}
            answer(
                {"results": {p: getattr(v, "tolist", lambda v=v: v)() for p, v in results.items()}}
            )
        except Exception as error:
            answer({"error": _words(error)})


def _words(error):
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
