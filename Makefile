# On a fresh machine with Python 3.11+ and make:  make demo,  make test.
# PYTHON=/path/to/python3 names the interpreter; otherwise the first that is new enough is taken.

VENV := .venv
LATEST := .venv-latest
BIN := $(VENV)/bin
JOBS ?= 2
PYTEST_ARGS ?=

.PHONY: help demo test test-all test-latest lint bench figures clean

help:
	@echo "make demo         install into $(VENV) and run 'elimax demo'"
	@echo "make test         lint, types, import rules and the fast tests"
	@echo "make test-all     the same with the slow tests, for which it installs Ray too"
	@echo "make test-latest  the fast tests on the newest JAX (Python 3.12+), in $(LATEST)"
	@echo "make bench        the benchmarks"
	@echo "make figures      measure the figures of the documents anew"
	@echo "make clean        remove environments and caches"

demo: $(VENV)/.installed
	$(BIN)/elimax demo

# Most tests spend their time in XLA, whose older emitters compile small programs faster. Tests of what becomes of an
# emitted program, and `make test-all`, run with the emitters that users have.
EMITTED := tests/emit tests/api/test_fuse.py
OLDER_EMITTERS := XLA_FLAGS="$(XLA_FLAGS) --xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters"

PYTEST := $(BIN)/python -m pytest -n $(JOBS) --durations=15

ifdef TESTS
test: lint
	$(PYTEST) -m "not slow" $(TESTS) $(PYTEST_ARGS)
else
test: lint
	$(OLDER_EMITTERS) $(PYTEST) -m "not slow" $(addprefix --ignore=,$(EMITTED)) $(PYTEST_ARGS)
	$(PYTEST) -m "not slow" $(EMITTED) $(PYTEST_ARGS)
endif

test-all: lint $(VENV)/.installed-all
	$(PYTEST) $(TESTS) $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache

test-latest: $(LATEST)/.installed-dev
	$(LATEST)/bin/python -c "import sys, jax; print('Python', sys.version.split()[0], 'JAX', jax.__version__)"
	$(LATEST)/bin/python -m pytest -n $(JOBS) -m "not slow" --durations=15 $(TESTS) $(PYTEST_ARGS)

bench: $(VENV)/.installed-dev
	$(BIN)/elimax bench planning
	$(BIN)/elimax bench zoo_counts
	$(BIN)/elimax bench jacobians

# The stamps make repeated runs quick; a changed pyproject.toml installs again.
$(VENV)/bin/python:
	python=$${PYTHON:-$$(sh .ci/find-python 3.11 python3 python3.13 python3.12 python3.11 python3.14 python)} && \
	sh .ci/make-venv "$$python" $(VENV)

$(LATEST)/bin/python:
	python=$${PYTHON:-$$(sh .ci/find-python 3.12 python3.13 python3.12 python3.14 python3)} && \
	sh .ci/make-venv "$$python" $(LATEST)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e ".[dev,test]"
	@touch $@ $(VENV)/.installed

# Ray is large and has no wheels for every Python: only the slow tests want it.
$(VENV)/.installed-all: pyproject.toml $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet -e ".[dev,test,ray]" || echo "Ray cannot be installed here; its tests are skipped"
	@touch $@

$(LATEST)/.installed-dev: pyproject.toml | $(LATEST)/bin/python
	$(LATEST)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager -e ".[dev,test]"
	@touch $@

figures: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.figures

clean:
	rm -rf $(VENV) $(LATEST) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
