# Lexiscope: `make demo` shows what it does, `make test` shows that it works.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
VENV := .venv
BIN := $(VENV)/bin
# For another build of torch, or another index: make env PIP_ARGS="--index-url ..."
PIP_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help env demo test test-tensorflow lint format schema lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(VENV)/installed  ## make the environment in .venv (every package pinned)

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Lexiscope needs Python 3.11 or later; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) --no-deps --no-build-isolation -e .
	@touch $@

demo: env  ## run the default study and show what it found
	PATH=$(CURDIR)/$(BIN):$$PATH snakemake --cores $(CORES) --quiet rules
	@$(BIN)/python -m lexiscope.report.headline reports/miniature

test: env  ## run the test suite
	$(BIN)/python -m pytest -n $(CORES) -m "not (mirror or slurm or conda or gpu or network or browser or tensorflow)"

test-%: env  ## special tests: test-mirror, -browser, -slurm, -conda, -network, -gpu, -tensorflow
	$(BIN)/python -m pytest -m $*

test-tensorflow:  ## tests of the lm_1b import, in an environment of its own with TensorFlow (envs/jlm.yaml)
	$(PYTHON) -m venv $(VENV)-tensorflow
	$(VENV)-tensorflow/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) \
	  pytest $$(sed -n 's/^      - \([a-z_0-9-]*\) ==\(.*\)/\1==\2/p' envs/jlm.yaml)
	PYTHONPATH=workflow_scripts $(VENV)-tensorflow/bin/python -m pytest -m tensorflow --noconftest tests/unit/language_models/test_lm_1b.py

lint: env  ## ruff, mypy, snakefmt, snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	PATH=$(CURDIR)/$(BIN):$$PATH snakemake --lint

format: env  ## format all code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

schema: env  ## write the JSON schema of study files
	$(BIN)/python -m lexiscope.config.schema docs/study.schema.json

lock:  ## pin the newest versions that pyproject.toml admits
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet $(PIP_ARGS) ".[workflow,dev]"
	{ head -1 requirements.lock; $(VENV)-lock/bin/python -m pip freeze --exclude lexiscope | sed 's/^torch==\([0-9.]*\).*/torch==\1/'; } > requirements.new
	mv requirements.new requirements.lock && rm -rf $(VENV)-lock

clean:  ## remove what studies made (not the environment)
	rm -rf results reports/*/ resources/miniature-* logs
