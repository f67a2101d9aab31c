.DEFAULT_GOAL := help
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
CANDIDATES := python3.11 python3.12 python3.13 python3.14 python3
# The first Python that is new enough; set PYTHON to choose another.
PYTHON ?= $(shell for name in $(CANDIDATES); do "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo "$$name" && break; done)
ARGS ?=
# Processes for tests: one more than there are cores, since some of them wait for daemons and time-outs.
WORKERS ?= $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )))
# Tests write thousands of files and wait until each is safe: they do it in memory where there is room.
IN_MEMORY := $(shell test "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 8000000 2>/dev/null && \
	echo TMPDIR=/dev/shm)

# Hundreds of processes start in the tests and a dozen in the demo: without compiled modules, each compiles them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup test coverage lint format lock docs demo dev bench bench-latency bench-objects \
	bench-backfill bench-queue bench-rules bench-observability bench-sources fuzz pictures clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the virtual environment by the lock (the other targets do it when needed)

# The stamp comes last: a set-up that was interrupted is done again.
$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none found (tried: $(CANDIDATES))" >&2; exit 1; }
	@mkdir -p $(VENV) && date +%s > $(VENV)/.started
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "$$(grep -m 1 '^uv==' requirements.lock)"
	UV_COMPILE_BYTECODE=1 $(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@echo "set up in $$(( $$(date +%s) - $$(cat $(VENV)/.started) )) s, downloads included"
	@touch $@

test: $(STAMP) ## Run all tests, in parallel (ARGS="-k name" for some)
	$(IN_MEMORY) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

coverage: $(STAMP) ## Run all tests and show which lines they miss
	$(IN_MEMORY) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term $(ARGS)

lint: $(STAMP) ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP) ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format

lock: $(STAMP) ## Write requirements.lock again from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --extra postgres --universal --python-version 3.11 \
		--no-emit-index-url --no-header --output-file requirements.lock

docs: $(STAMP) ## Write the generated pages of docs/ again
	$(BIN)/python -m iota_dagster.settings > docs/settings.md
	$(BIN)/python -m iota_dagster.core.observability.metrics > docs/metrics.md
	$(BIN)/python scripts/rules_readme.py
	$(BIN)/python scripts/log_sources_page.py

demo: $(STAMP) ## Try everything on an AWS of its own, until Ctrl-C
	$(BIN)/iota demo $(ARGS)

dev: $(STAMP) ## Start Dagster (UI, daemon) on the home folder of the settings
	DAGSTER_HOME="$$($(BIN)/python -m iota_dagster.home)" $(BIN)/dagster dev -w workspace.yaml $(ARGS)

bench: $(STAMP) ## Measure the road from object to lake and alerts
	$(BIN)/python -m benchmarks.road $(ARGS)

bench-latency: $(STAMP) ## Measure the way from a queue message to its alert, for five minutes
	$(BIN)/python -m benchmarks.latency $(ARGS)

bench-objects: $(STAMP) ## Measure the reading of thousands of tiny objects
	$(BIN)/python -m benchmarks.objects $(ARGS)

bench-backfill: $(STAMP) ## Measure a backfill of a week
	$(BIN)/python -m benchmarks.backfill $(ARGS)

bench-queue: $(STAMP) ## Measure the spooling of events that come in the queue itself
	$(BIN)/python -m benchmarks.queue_events $(ARGS)

bench-rules: $(STAMP) ## Measure rules: judging events, getting ready, their tests
	$(BIN)/python -m benchmarks.rules $(ARGS)

bench-observability: $(STAMP) ## Measure what figures and checks cost ingest and start-up
	$(BIN)/python -m benchmarks.observability $(ARGS)

bench-sources: $(STAMP) ## Measure how fast each log type is read
	$(BIN)/python -m benchmarks.sources $(ARGS)

fuzz: $(STAMP) ## Look for bytes that break the reading of logs, for a minute (Linux)
	$(BIN)/python scripts/fuzz.py $(ARGS)

pictures: $(STAMP) ## Take the pictures of the UI again (needs chromium and pngquant)
	$(BIN)/python scripts/screenshots.py

clean: ## Remove the environment and all caches; keeps .iota
	rm -rf $(VENV) build dist htmlcov .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
