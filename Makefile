# Everything a person or a build machine types. Only programs that a bare Debian or Ubuntu has are used before .venv is there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/bash
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test soak test-fast lint lock clean

demo: $(VENV)/run.stamp
	./tools/system-packages emulator || true
	$(BIN)/harness run --devices devices.yaml --accept-invalid

test: $(VENV)/dev.stamp
	./tools/system-packages emulator estimate sshd shells browser
	$(MAKE) lint
	$(BIN)/python -m pytest -m "not soak and not alone" -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m "not soak and alone" $(PYTEST_ARGS)

soak: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m soak $(PYTEST_ARGS)

test-fast: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A plain virtual environment with the locked dependencies; every file is checked against its hash.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	./tools/system-packages python
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-compile --require-hashes -r requirements.lock
	$(PIP) --no-compile --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q -x '/tests?/' $(VENV)/lib || true
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(PIP) --require-hashes -r requirements-dev.lock
	touch $@

# Needs uv. The lock files hold hashes and no index address.
LOCK := uv pip compile pyproject.toml tools/build-requirements.txt --constraint tools/lock-constraints.txt --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock:
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra train --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis
