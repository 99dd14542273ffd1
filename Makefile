# Every target does its own set-up in .venv: with uv where it is installed, else with venv and pip.
# Needed beforehand: make, and a Python of 3.11 to 3.14 (another one: make test PYTHON=/path/to/python3).

PYTHON ?= python3
PY := .venv/bin/python
SUPPORTED := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))'
NOTEBOOKS := notebooks
QUICKSTART := $(NOTEBOOKS)/01_quickstart.ipynb
QUIET := KALSHI_RESEARCH_PROGRESS=0

.DEFAULT_GOAL := help
.PHONY: help run test pytest browser lint types contracts format lab docs notebooks constraints clean

help:
	@echo 'make run         execute the quickstart notebook on the simulated exchange, write reports/01_quickstart.html'
	@echo 'make test        everything that must hold: lint, types, contracts, tests, doctests, notebooks, panels'
	@echo 'make browser     only the tests that click through the panels in a browser'
	@echo 'make lab         JupyterLab on notebooks/'
	@echo 'make docs        API reference in site/, readable without a network'
	@echo 'make format      let ruff put the code in order'
	@echo 'make notebooks   execute the notebooks and store the outputs that make test compares with'
	@echo 'make constraints resolve the dependencies anew (needs uv)'
	@echo 'make clean       remove what the other targets made'

run: .venv/.installed-report
	$(QUIET) $(PY) -m kalshi_research report $(QUICKSTART) --to html -o reports/01_quickstart.html

test: lint types contracts pytest browser

pytest: .venv/.installed-dev
	$(QUIET) $(PY) -m pytest tests kalshi_research $(NOTEBOOKS) \
	  --ignore=tests/judges --ignore=tests/benchmarks --ignore=tests/browser --doctest-modules \
	  --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

browser: .venv/.installed-dev
	$(QUIET) $(PY) -m pytest tests/browser --durations=10

lint: .venv/.installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: .venv/.installed-dev
	$(PY) -m mypy

contracts: .venv/.installed-dev
	.venv/bin/lint-imports --no-logo

format: .venv/.installed-dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lab: .venv/.installed-dev
	$(PY) -m kalshi_research lab $(NOTEBOOKS)

docs: .venv/.installed-dev
	$(PY) .ci/reference.py site

notebooks: .venv/.installed-dev
	$(QUIET) $(PY) -m jupyter nbconvert --to notebook --execute --inplace \
	  --ExecutePreprocessor.store_widget_state=False $(NOTEBOOKS)/*.ipynb

constraints:
	uv pip compile --quiet --universal --upgrade --fork-strategy fewest --python-version 3.11 --extra dev \
	  --no-annotate --no-header pyproject.toml | sed 's/ *;.*//' > constraints.new
	mv constraints.new constraints.txt

clean:
	rm -rf .venv site reports build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# An environment that no longer starts (its Python was removed) is made anew.
.venv/bin/python:
	@rm -rf .venv; \
	for python in "$(PYTHON)" python3.13 python3.12 python3.11 python3.14; do \
	  if "$$python" $(SUPPORTED) 2>/dev/null; then \
	    found=$$("$$python" -c 'import sys; print(sys.executable)'); break; \
	  fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo 'No Python of 3.11 to 3.14 was found; nothing was installed. Say: make PYTHON=/path/to/python3' >&2; exit 1; \
	fi; \
	echo "Setting up .venv with $$("$$found" --version)"; \
	if command -v uv >/dev/null; then uv venv --quiet --python "$$found" .venv; \
	else "$$found" -m venv .venv; fi

# The stamp says: pyproject.toml and constraints.txt as they are now are what is installed.
.venv/.installed-%: pyproject.toml constraints.txt .venv/bin/python
	@echo "Installing kalshi-research[$*] into .venv (a minute or two without uv, the first time)"
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python $(PY) -c constraints.txt -e '.[$*]'; \
	else \
	  $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip; \
	  $(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'; \
	fi
	@touch $@
	@if [ '$*' = dev ]; then touch .venv/.installed-report; fi
