# Targets: demo serve test test-all check messages bench verify lock clean.
# Each makes .venv by itself with $(PYTHON), which must be 3.11 or newer: `make test PYTHON=python3.12`.

PYTHON ?= python3
UV_VERSION ?= 0.13.9

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LOCK_VENV := build/lock-venv

.DEFAULT_GOAL := test
.PHONY: demo serve test test-all check messages bench verify lock clean

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Kinward needs Python 3.11 or newer; '$(PYTHON)' is missing or older: run make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: install its venv package (Debian and Ubuntu: python3-venv) or run make PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP)
	$(BIN)/kinward demo --out build/demo

serve: $(STAMP)
	$(BIN)/python tools/catalogues.py compile
	$(BIN)/kinward serve --demo --home build/web-demo

# Run it after strings changed; then translate the empty msgstr in src/kinward_web/locale.
messages: $(STAMP)
	$(BIN)/python tools/catalogues.py update

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src/kinward
	$(BIN)/lint-imports

# What a database can tell apart runs twice: on PostgreSQL beside, on SQLite with all
# the others.
test: check
	@mkdir -p build
	@KINWARD_TEST_DATABASE=postgres $(BIN)/python -m pytest -q -m "not slow" -p no:cacheprovider \
	  tests/web > build/postgres.log 2>&1 & postgres=$$!; status=0; \
	$(BIN)/python -m pytest -m "not slow" || status=$$?; \
	wait $$postgres || { cat build/postgres.log; status=1; }; \
	exit $$status

test-all: check
	KINWARD_TEST_DATABASE=postgres $(BIN)/python -m pytest -q tests/web
	$(BIN)/python -m pytest

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

verify: $(STAMP)
	$(BIN)/kinward verify tests/reference/kinship_cases.json

# The lock carries hashes but no addresses, so that it works with any mirror of the package index.
lock:
	$(PYTHON) -m venv --clear $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(LOCK_VENV)/bin/uv pip compile pyproject.toml --quiet --universal --generate-hashes \
	  --python-version 3.11 --extra dev --extra web --extra postgres --no-emit-index-url --no-emit-find-links --no-annotate \
	  --no-header --upgrade --output-file build/requirements.lock
	{ echo "# Every version that Kinward runs, is tested and is built with; all platforms, Python 3.11 and newer."; \
	  echo "# Regenerate with: make lock"; cat build/requirements.lock; } > requirements.lock
	rm -rf $(LOCK_VENV) build/requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -exec rm -rf {} +
