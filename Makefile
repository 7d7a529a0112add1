PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif

.PHONY: help install demo test coverage lint docs soak cron-test bench clean

help:
	@echo "make demo   install into .venv and import sample_data into the embedded sandbox"
	@echo "make test   install into .venv and pass the tests"
	@echo "make coverage  the same tests, and how much of the importer they reach"
	@echo "make lint   ruff, mypy, import-linter"
	@echo "make docs   writes the generated parts of docs/"
	@echo "make soak   the long tests: kills, a million rows"
	@echo "make cron-test  a real cron runs an installed job (Debian, root)"
	@echo "make bench  the benchmarks; writes docs/performance.md"

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
# As pip does with what it installs for good: where Python may not write, each start would compile all of it.
	$(BIN)/python -m compileall -q importer
	@touch $@

install: .venv/installed

demo: install
	@$(BIN)/python -m importer run sample_data/customers.xlsx sample_data/customers.csv --sandbox --yes; \
	code=$$?; test $$code -eq 1 && echo "(exit code 1, as it should be: four rows of customers.xlsx are spoilt on purpose)"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: install
	$(BIN)/python -m pytest

coverage: install
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage report

docs: install
	$(BIN)/python -m tests.support.docs

soak: install
	$(BIN)/python -m pytest -m soak

cron-test: install
	$(BIN)/python -m pytest -m soak -s tests/end_to_end/jobs/test_cron.py

bench: install
	$(BIN)/python -m tests.bench

clean:
	rm -rf .venv .coverage build dist .pytest_cache .mypy_cache .ruff_cache
