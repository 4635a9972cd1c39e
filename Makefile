# One runner for hand, hook and CI. `make` alone prints what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# Each of these can be set on the command line: make serve SERVE_ARGS="--port 8080"
PYTHON ?= python3
UV ?= $(or $(shell command -v uv 2>/dev/null),.tools/uv/bin/uv)
OPENMP ?= libgomp.so.1
CODE ?= features serving training monitoring pipelines tests $(patsubst %/,%,$(dir $(wildcard benchmarks/__init__.py)))
PYTEST_ARGS ?=
DEMO_ARGS ?=
SERVE_ARGS ?= --project bellwether-demo
LOCK_ARGS ?=

RUN = $(UV) run --no-sync
INSTALLED := .venv/.installed

# -- First steps ---------------------------------------------------------------------------------

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: install
install: $(INSTALLED) ## Install everything into .venv, exactly as uv.lock says (fetches uv if missing)

.PHONY: demo
demo: $(INSTALLED) ## Train, judge and serve the three models on real shop data
	$(RUN) bellwether demo $(DEMO_ARGS)

.PHONY: serve
serve: $(INSTALLED) ## Start the scoring API of the demo (your own: make serve SERVE_ARGS="--project DIR")
	$(RUN) bellwether serve $(SERVE_ARGS)

# -- Checks --------------------------------------------------------------------------------------

.PHONY: test
test: $(INSTALLED) ## Run all tests (some only: make test PYTEST_ARGS="tests/serving -x")
	$(RUN) pytest $(PYTEST_ARGS)

# The whole test run holds the tests of the documents, so `check` does not ask for docs-check again.
.PHONY: check
check: lint types layers test ## Everything CI checks: format, lint, types, floors, documents, tests

.PHONY: format
format: $(INSTALLED) ## Format the code and mend what ruff can mend
	$(RUN) ruff check --fix-only --quiet .
	$(RUN) ruff format .

.PHONY: lint
lint: $(INSTALLED) ## Check format and style, change nothing
	$(RUN) ruff format --check .
	$(RUN) ruff check .

.PHONY: types
types: $(INSTALLED) ## Check the types, strictly
	$(RUN) mypy $(CODE)

.PHONY: layers
layers: $(INSTALLED) ## Check that imports go down the floors only
	$(RUN) lint-imports --no-cache

.PHONY: docs-check
docs-check: $(INSTALLED) ## Check that the documents tell the truth: links, targets, decisions
	$(RUN) pytest --quiet tests/docs

.PHONY: docs
docs: $(INSTALLED) ## Write the reference pages anew from the code
	$(RUN) python -m pipelines.reference docs/reference

# -- Housekeeping --------------------------------------------------------------------------------

.PHONY: lock
lock: $(filter .tools/%,$(UV)) ## Bring uv.lock in line with pyproject.toml (newest of all: make lock LOCK_ARGS=--upgrade)
	$(UV) lock $(LOCK_ARGS)

.PHONY: clean
clean: ## Remove caches and what the demo made; .venv stays
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage dist bellwether-demo
	find . -name __pycache__ -not -path './.venv/*' -not -path './.tools/*' -prune -exec rm -rf {} +

# -- How the installation works ------------------------------------------------------------------

# The stamp keeps every target quick: uv runs again only when the project or the lock has changed.
$(INSTALLED): pyproject.toml uv.lock | $(filter .tools/%,$(UV))
	$(UV) sync --locked --all-extras
	@if $(RUN) python -c 'import ctypes, sys; sys.platform != "linux" or ctypes.CDLL("$(OPENMP)")' 2>/dev/null; then \
		:; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "LightGBM needs the system library $(OPENMP): installing libgomp1"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libgomp1; \
	else \
		echo "LightGBM needs the system library $(OPENMP). Run: sudo apt-get install -y libgomp1" >&2; \
		exit 1; \
	fi
	@touch $@

# Debian's Python is externally managed and may lack venv: a folder of our own asks for neither, nor for root.
.tools/uv/bin/uv:
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { \
		echo "uv is missing, and so is pip to fetch it. Run: sudo apt-get install -y python3-pip" >&2; exit 1; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target .tools/uv "uv>=0.9"
