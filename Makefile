# Every target makes or reuses its own environment; nothing but Python 3.11+ is needed before.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready
DOCS    = $(VENV)/.docs

.PHONY: demo test slow lint docs clean

demo: $(READY)
	$(BIN)/molinv bench demo

test: $(READY) lint
	$(BIN)/python -m pytest

slow: $(READY)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(DOCS)
	rm -rf notebooks/reference
	$(BIN)/python -m sphinx -q -W --keep-going -E -d build/doctrees notebooks build/docs
	@echo "built build/docs/index.html"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[qm9,tensorboard,pictures,bench,dev]'
	touch $@

$(DOCS): $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build notebooks/reference
