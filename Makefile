# What one types in this project; `make` alone lists it. The set-up is part of every target that needs it.
# Works with GNU make 3.81, which macOS has.

PYTHON ?= python3
ARGS ?=

# The environment is made by uv from requirements.lock: the one on PATH, else one of our own.
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
OWN_UV := $(filter .uv/bin/uv,$(UV))

BIN := .venv/bin
READY := .venv/.synced

CHECK_PYTHON = @$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
    echo 'Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is not.' \
        'If you have it under another name: make PYTHON=python3.12' >&2; exit 1; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run worker test chaos check bench format lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo '  ARGS="..." is passed on, for example: make test ARGS="tests/dunning -x"'

# exec: Ctrl-C reaches the program itself, with no shell between, and it stops in its own order.
run: $(READY) ## a demo: a local Kafka, a worker and 90 days of a synthetic biller in about a minute
	@exec $(BIN)/dunning demo $(ARGS)

worker: $(READY) ## run one worker with the settings of DUNNING_*
	@exec $(BIN)/dunning worker $(ARGS)

test: $(READY) ## all tests, with a Kafka of their own on a free port
	@exec $(BIN)/pytest $(ARGS)

chaos: $(READY) ## kill -9, zombies, broken brokers, full disks and a soak, on a Kafka of its own
	@exec $(BIN)/python -m tests.chaos $(ARGS)

check: $(READY) ## lint, formatting, types, the rooms' one-way imports, schemas and generated docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m streams.messages.compatibility
	$(BIN)/python -m streams.cli.docs --check

bench: $(READY) $(OWN_UV) ## measure the engine against its peers on a Kafka of its own (about an hour)
	@exec $(BIN)/python -m bench $(ARGS)

format: $(READY) ## format the code and put right what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# pyproject.toml says what is wanted, requirements.lock what that is today. ARGS=--upgrade takes newer ones.
# The image has of it what a worker needs.
lock: $(OWN_UV) ## write the lock files anew from pyproject.toml
	$(UV) pip compile --universal --generate-hashes --python-version 3.11 --group dev \
	    --all-extras pyproject.toml -o requirements.lock --quiet $(ARGS)
	$(UV) pip compile --universal --generate-hashes --python-version 3.11 --constraints requirements.lock \
	    --extra registry --extra tracing --no-annotate pyproject.toml -o deploy/requirements.lock --quiet

clean: ## remove the environment, downloads and caches (data of a local Kafka stays)
	rm -rf .venv .uv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find streams tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The stamp is younger than the lock as long as nothing has to be synchronised.
$(READY): requirements.lock pyproject.toml $(OWN_UV)
	$(CHECK_PYTHON)
	@test -x $(BIN)/python || $(UV) venv --quiet --no-python-downloads --python $(PYTHON) .venv
	@echo 'Installing what requirements.lock names into .venv ...' >&2
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

.uv/bin/uv:
	$(CHECK_PYTHON)
	@$(PYTHON) -m venv .uv || { rm -rf .uv; \
	    echo 'No environment could be made. Debian and Ubuntu: sudo apt-get install python3-venv' >&2; exit 1; }
	@.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@# Its age says nothing, and must not outdate the stamp.
	@touch -t 200001010000 $@
