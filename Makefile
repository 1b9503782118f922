# Two commands matter: `make demo` and `make test`. The rest is what they are made of.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LAB    := $(BIN)/python -m lab
RUN    := $(BIN)/python -m pytest
# Those that need no lab share nothing: one process a core.
UNIT   := $(RUN) tests --ignore=tests/e2e --numprocesses=auto --dist=worksteal
.DEFAULT_GOAL := help
export PYTHONUNBUFFERED = 1

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@echo "== Python packages into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Canary needs Python 3.11 or later; this is %s: set PYTHON=..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## Python packages into .venv

.PHONY: binaries
binaries: setup ## the lab's programs: found, or built once (about 9 minutes from nothing)
	$(LAB) build

# What tests without the lab run: seconds to have, where the control plane takes minutes.
.PHONY: programs
programs: setup ## the few programs that tests without the lab run
	$(LAB) build --only kustomize prometheus

.PHONY: demo
demo: ## a good commit is promoted, a bad one is caught, loses its traffic and is reverted in Git (KEEP=1 leaves it running)
	@export CANARY_DEMO_STARTED=$$(date +%s.%N); $(MAKE) --no-print-directory setup && $(LAB) demo $(if $(KEEP),--keep)

.PHONY: lab
lab: binaries ## the whole lab, left running, with how to reach it
	$(LAB) up

.PHONY: lint
lint: setup ## ruff, strict types, import contracts, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m canary.api.crd --check crds
	$(BIN)/python -m canary.cli.reference --check
	$(BIN)/python -m canary.api.reference --check docs/rollout-reference.md

.PHONY: unit
unit: programs ## tests that need no lab
	$(UNIT)

.PHONY: e2e
e2e: binaries ## tests on the lab
	$(BIN)/python -m tests.e2e

# The lab's programs are built while the tests that need none run.
.PHONY: test
test: programs ## all set-up and all tests, the lab's included
	@mkdir -p build
	@echo "== building the lab's programs in the background: build/lab-build.log"
	@$(LAB) build > build/lab-build.log 2>&1 & build=$$!; \
	$(UNIT); unit=$$?; \
	echo "== waiting for the lab's programs"; wait $$build || { tail -n 40 build/lab-build.log; exit 1; }; \
	tail -n 3 build/lab-build.log; \
	test $$unit -eq 0 && $(BIN)/python -m tests.e2e

.PHONY: bench
bench: binaries ## benchmarks, each a table and build/bench/NAME.json (NAME=x for one)
	$(BIN)/python -m benchmarks $(NAME)

# All of it is drawn from one seed, which is printed first: the same seed draws the same again.
.PHONY: chaos
chaos: binaries ## faults at drawn moments for long, and the deep searches (SEED=n, MINUTES=10)
	$(eval SEED := $(or $(SEED),$(shell od -An -N2 -tu2 /dev/urandom | tr -d ' ')))
	@echo "== make chaos SEED=$(SEED) MINUTES=$(or $(MINUTES),10)"
	$(LAB) exec -- $(BIN)/python -m benchmarks.faults --seed $(SEED) --minutes $(or $(MINUTES),10)
	$(RUN) tests/property --hypothesis-profile=deep --hypothesis-seed=$(SEED)
	$(if $(wildcard tests/model/__main__.py),$(BIN)/python -m tests.model --deep)

.PHONY: generate
generate: setup ## CRDs and the command line's reference from the code
	$(BIN)/python -m canary.api.crd crds
	$(BIN)/python -m canary.cli.reference
	$(BIN)/python -m canary.api.reference docs/rollout-reference.md

PIN := uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 $(if $(UPGRADE),--upgrade)
.PHONY: pins
pins: ## requirements/*.txt from pyproject.toml, by uv; UPGRADE=1 takes the newest versions that fit
	$(PIN) pyproject.toml --extra plots --group dev --group lab --output-file requirements/dev.txt
	$(PIN) pyproject.toml --constraint requirements/dev.txt --output-file requirements/run.txt
	echo hatchling | $(PIN) - --constraint requirements/dev.txt --output-file requirements/build.txt

.PHONY: format
format: setup ## ruff's formatter and safe mends
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## everything that these targets made in this folder
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
