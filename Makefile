# Interline: `make run` starts the hub, `make test` and `make check` are what every change must pass.
# Needs Python 3.11, make and git; Node.js only for the contract tests against Salesforce's OpenAPI.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
NODE_TESTS := tests/contract/node
TEST_PROCESSES ?= 2
PYTEST_ARGS ?=

.PHONY: setup run test check format schemas clean

# Stamps make a second setup cost nothing: a folder is built again when its list of packages changed.
setup: .venv/.installed .venv-aws/.installed $(NODE_TESTS)/node_modules/.installed

.venv/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "Python 3.11 is needed: set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $@

.venv-aws/.installed: local/requirements.txt
	test -x .venv-aws/bin/python || $(PYTHON) -m venv .venv-aws
	.venv-aws/bin/python -m pip install --quiet --disable-pip-version-check --requirement local/requirements.txt
	touch $@

$(NODE_TESTS)/node_modules/.installed: $(NODE_TESTS)/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "npm ci ($(NODE_TESTS))"; (cd $(NODE_TESTS) && npm ci --silent --no-audit --no-fund) && touch $@; \
	else \
	  echo "npm is not installed: the contract tests that need it will say so."; \
	fi

run: .venv/.installed .venv-aws/.installed
	@./hub up

test: setup
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadgroup $(PYTEST_ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -p no:cacheprovider tests/unit/house/test_length.py

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What editors know of rule files: written anew after a change of the language, of layouts or of manifests.
schemas: setup
	$(BIN)/python -m cli.schemas

clean:
	rm -rf .venv .venv-aws $(NODE_TESTS)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
