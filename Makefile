# One command for everything: on a fresh machine with Python >= 3.11, < 3.14 and make, each target
# first sets up what it needs. `make help` lists them.
#
#   PYTHON=…  the interpreter to build the environment with (found by itself else)
#   ARGS=…    further arguments of the command: make test ARGS="-k swap", make demo ARGS="--help"
#   QUICK=1   the short form of bench
#   WORKERS=… how many processes run tests side by side, each with a broker of its own

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
UV := $(BIN)/uv
BENCH_PYTHON := .venv-bench/bin/python
WORKERS := 2
# A stamp stands for an environment that holds exactly what its lock names.
INSTALLED := .venv/.installed
BENCH_INSTALLED := .venv-bench/.installed
SHORT := $(if $(QUICK),--quick)

# Whoever told pip where packages and certificates are has told uv.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(INSTALLED) ## install edml and everything that its contributors need into .venv

.PHONY: demo
demo: $(INSTALLED) ## run the whole loop: log, data, train, publish, serve, score, swap
	$(BIN)/edml demo $(ARGS)

.PHONY: test
test: $(INSTALLED) ## run every test, on a real Kafka and a real registry
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: faults
faults: $(INSTALLED) ## break what can break, at length: build/faults.md tells what was lost
	FAULTS=long $(BIN)/python -m pytest tests/faults tests/end_to_end -p no:randomly -s -q $(ARGS)

.PHONY: lint
lint: $(INSTALLED) ## check style, types, import layers, and that no package host is named
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	sh requirements/check_hosts.sh

.PHONY: format
format: $(INSTALLED) ## format the code, and mend what the linter can mend
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: docs
docs: $(INSTALLED) ## build the documentation into build/docs; a broken link fails
	$(BIN)/zensical build --clean --strict

.PHONY: bench
bench: $(INSTALLED) $(BENCH_INSTALLED) ## measure edml beside its peers
	$(BIN)/python -m bench $(SHORT) $(ARGS)

.PHONY: study
study: $(INSTALLED) $(if $(findstring --docs,$(ARGS)),$(BENCH_INSTALLED)) ## replay years of trips: the loop beside static, calendar and oracle
	$(BIN)/python -m bench.study $(ARGS)

.PHONY: clean
clean: ## remove what was built, and with ALL=1 the environments, too
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache
	find src tests $(wildcard bench) -name __pycache__ -type d -prune -exec rm -rf {} +
	$(if $(ALL),rm -rf .venv .venv-bench)

# Locks are made for every platform and Python that edml supports, with one release for all of them.
# They name releases and hashes, never a host: where packages come from is the reader's setting.
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--fork-strategy fewest --no-emit-index-url --no-annotate --no-header $(UPGRADE)
EXACT := $(UV) pip sync --quiet --require-hashes

.PHONY: locks
locks: $(INSTALLED) ## renew requirements/*.txt; UPGRADE=--upgrade takes the newest releases
	$(COMPILE) requirements/setup.in -o requirements/setup.txt
	$(COMPILE) pyproject.toml --all-extras --group lint --group test requirements/dev.in \
		-c requirements/setup.txt -o requirements/dev.txt
	sh requirements/shared_releases.sh | $(COMPILE) requirements/bench.in -c - \
		-o requirements/bench.txt

.venv/.created: requirements/setup.txt
	@echo "Making .venv."
	@sh requirements/create_venv.sh .venv "$(PYTHON)"
	@touch $@

.venv/.synced: .venv/.created requirements/dev.txt
	@echo "Installing what requirements/dev.txt names: some 3 GB at the first time."
	@$(EXACT) --python $(BIN)/python requirements/dev.txt
	@touch $@

# The version and the commands that edml installs stand in these two files.
$(INSTALLED): .venv/.synced pyproject.toml src/edml/__init__.py
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH_INSTALLED): $(INSTALLED) requirements/bench.txt
	@echo "Installing what requirements/bench.txt names into .venv-bench."
	@test -x $(BENCH_PYTHON) || $(UV) venv --quiet --python $(BIN)/python .venv-bench
	@$(EXACT) --python $(BENCH_PYTHON) requirements/bench.txt
	@touch $@
