PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif

# Tests are independent of each other: every core takes some.
PARALLEL := -n auto --dist worksteal

.PHONY: help install demo web test coverage test-extras test-wheel lint audit docs pictures fuzz soak cron-test cluster-test bench ratios clean

help:
	@echo "make install      the package and the development tools, into .venv"
	@echo "make demo         imports sample_data into the embedded sandbox"
	@echo "make web          serves the page in the browser, with the embedded sandbox behind it"
	@echo "make test         the tests that need Python alone"
	@echo "make coverage     the same tests, and how much of the importer they reach"
	@echo "make test-extras  the tests with a browser, a spreadsheet program, databases, buckets, file servers and a cluster"
	@echo "make test-wheel   the end-to-end tests from the built wheel, on two Pythons"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make audit        known weaknesses of the packages in constraints.txt, from PyPI"
	@echo "make docs         writes the generated parts of docs/"
	@echo "make pictures     takes the pictures of docs/ anew: Chromium, LibreOffice with its windows, Xvfb"
	@echo "make soak         the long tests: kills, a million rows"
	@echo "make cron-test    a real cron runs an installed job (Debian, root)"
	@echo "make cluster-test a shared journal in PostgreSQL, and rounds on the workers of a Dask cluster"
	@echo "make bench        the benchmarks; writes docs/performance.md. ONLY='start delivery' measures only these"
	@echo "make ratios       a few small benchmarks, each against what is kept of it"
	@echo "make clean        removes .venv and all that was built"

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
# As pip does with what it installs for good: where Python may not write, each start would compile all of it.
	$(BIN)/python -m compileall -q importer
	@touch $@

# The extras that tests marked `extras` need besides programs: databases, buckets, file servers, a cluster.
.venv/extras: .venv/installed pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,test-extras]'
	@touch $@

install: .venv/installed

demo: install
	@$(BIN)/python -m importer run sample_data/customers.xlsx sample_data/customers.csv --sandbox --yes; \
	code=$$?; test $$code -eq 1 && echo "(exit code 1, as it should be: four rows of customers.xlsx are spoilt on purpose)"

web: install
	$(BIN)/python -m importer web --sandbox

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install
	$(BIN)/python -m pytest $(PARALLEL)

coverage: install
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

test-extras: install .venv/extras
	$(BIN)/python -m pytest -m "extras and not soak"

test-wheel: install
	bash .ci/test-wheel $(BIN)/python

# Asks PyPI, which a mirror of it may not answer: --strict fails where a package could not be looked up.
audit: install
	$(PYTHON) -m venv .venv/audit
	.venv/audit/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check pip-audit
	.venv/audit/$(notdir $(BIN))/pip-audit --strict --no-deps --disable-pip -r constraints.txt

docs: install
	$(BIN)/python -m tests.support.docs

# ONLY=web takes only these: terminal, report, web, rejects.
pictures: install
	$(BIN)/python -m tests.support.pictures $(ONLY)

fuzz: install
	$(BIN)/python -m tests.support.fuzz 600

soak: install
	$(BIN)/python -m pytest -m soak

cron-test: install
	$(BIN)/python -m pytest -m soak -s tests/end_to_end/jobs/test_cron.py

cluster-test: install .venv/extras
	$(BIN)/python -m pytest -m "extras or not extras" tests/end_to_end/cluster tests/unit/journal/test_postgres.py

bench: install
	$(BIN)/python -m tests.bench $(ONLY)

ratios: install
	$(BIN)/python -m tests.bench.ratios

clean:
	rm -rf .venv .coverage build dist .pytest_cache .mypy_cache .ruff_cache
