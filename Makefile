# make notebook   the MNIST notebook, executed on a fresh machine
# make test       everything that must pass
# make campaigns  the campaigns of docs/campaigns.md, quickly
# The rest: asan, tsan, fuzz, guided, oom, leaks, analyze, coverage, kill (a campaign each); test-all,
# test-free-threaded, test-neon, bench, bench-kernels, bench-docs, bench-guard, format, clean.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(shell find csrc -name '*.[ch]')
EXECUTED := notebooks/executed

# Developers keep MNIST beside the checkout, for machines without a network.
ifneq ($(wildcard ../shared/scikit_learn_data),)
export SCIKIT_LEARN_DATA ?= $(abspath ../shared/scikit_learn_data)
endif

CAMPAIGNS := analyze fuzz guided oom leaks asan tsan coverage

.PHONY: notebook test lint $(CAMPAIGNS) kill campaigns test-all test-free-threaded test-neon \
    bench bench-kernels bench-docs bench-guard format clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# $(VENV)/<extra>: the package, editable, with that extra's requirements.
$(VENV)/%: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

notebook: $(VENV)/notebook
	mkdir -p $(EXECUTED)
	MLP_C_FIGURES=$(abspath $(EXECUTED)) $(BIN)/jupyter nbconvert --to notebook --execute \
	    --ExecutePreprocessor.timeout=-1 --output-dir $(EXECUTED) notebooks/mnist.ipynb
	@echo "The executed notebook and its pictures: $(EXECUTED)/"

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/test build/compiled
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

build/compiled: $(VENV)/test tests/compile_everywhere.py
	$(BIN)/python tests/compile_everywhere.py
	mkdir -p build
	touch $@

# CALLS, SECONDS, SEED: their bounds. FIRST: the call of make fuzz to begin with.
run_campaign = cd tests && $(abspath $(BIN))/python -m campaigns.$1
$(CAMPAIGNS): $(VENV)/campaigns
	$(call run_campaign,$@) $(if $(CALLS),--calls=$(CALLS)) $(if $(SECONDS),--seconds=$(SECONDS)) \
	    $(if $(SEED),--seed=$(SEED)) $(if $(FIRST),--first=$(FIRST))

campaigns: $(VENV)/campaigns
	set -e; for campaign in $(CAMPAIGNS); do ($(call run_campaign,$$campaign) --quick); done

# Processes killed as they save, and as they train.
kill: $(VENV)/test
	$(BIN)/python tests/kill.py 50

test-all:
	$(PYTHON) tests/run_on_all_pythons.py

# PYTHON_FT: the interpreter.
test-free-threaded:
	$(PYTHON) tests/run_free_threaded.py

test-neon: $(BIN)/python
	$(BIN)/python tests/run_on_neon.py

# BENCH: their arguments.
bench: $(VENV)/bench
	$(BIN)/python -m benchmarks $(BENCH)

bench-kernels bench-docs bench-guard: bench-%: $(VENV)/bench
	$(BIN)/python -m benchmarks.$* $(BENCH)

format: $(VENV)/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	clang-format -i $(filter csrc/%,$(SOURCES))

clean:
	rm -rf $(VENV) .venvs build dist *.egg-info $(EXECUTED) mlp_c/*.so
