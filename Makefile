# The first target that needs them makes the virtual environment and GraphiQL: nothing is to be installed by hand.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run test check bench differential contracts explorer schema rules lock clean

run: $(READY) explorer  ## Serve demo data at http://127.0.0.1:8000 (PORT=8123 for another port).
	$(BIN)/kundeport serve --demo --host $(HOST) --port $(PORT)

test: $(READY) explorer check  ## Every check and every test, on SQLite and on PostgreSQL.
	$(BIN)/python -m pytest -q -n auto --dist loadgroup

check: $(READY)  ## Formatting, lint, types and layers.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy explorer/build.py
	$(BIN)/lint-imports

bench: $(READY)  ## Times the documents of benchmarks/ on both databases, in both executions, beside a floor.
	$(BIN)/python -m benchmarks.http
	$(BIN)/python -m benchmarks.mutations
	$(BIN)/python -m benchmarks.calculation
	$(BIN)/python -m benchmarks.contracts
	$(BIN)/python -m benchmarks.admission

differential: $(READY)  ## Compares both executions on 20,000 documents.
	KUNDEPORT_DIFFERENTIAL=20000 $(BIN)/python -m pytest -q -s tests/execution/test_differential.py

contracts: $(READY)  ## Compares contracts with a plain model, in 10,000 operations on each database.
	KUNDEPORT_CONTRACTS=10000 $(BIN)/python -m pytest -q -s tests/loyalty/test_whatever.py

explorer: $(READY)  ## Build GraphiQL, if its sources changed.
	$(BIN)/python explorer/build.py

schema: $(READY)  ## Renew the snapshots schema/schema.graphql and schema/permissions.tsv.
	$(BIN)/kundeport schema > schema/schema.graphql
	$(BIN)/kundeport schema --permissions > schema/permissions.tsv

rules: $(READY)  ## Renew docs/customer-rules.md and docs/employee-rules.md from the markers of the tests.
	$(BIN)/python -m tests.rule_table

lock: $(READY)  ## Renew the pinned versions in constraints.txt and constraints-dev.txt.
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml -o constraints.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra dev -c constraints.txt pyproject.toml -o constraints-dev.txt

$(READY): pyproject.toml constraints-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kundeport needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv: this takes a minute the first time."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r constraints-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:  ## Remove what the other targets made, demo data included.
	rm -rf .venv gateway/static explorer/node_modules kundeport-demo.db*
