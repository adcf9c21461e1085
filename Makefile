# Scanmesh's commands. Set-up (venv, descriptors) is part of each, done once and again when what it is made from changes.

PYTHON := .venv/bin/python
VENV := .venv/.ready
DESCRIPTORS := gateway/scanmesh.binpb
PROTOS := $(shell find protos/scanmesh -name '*.proto')

.DEFAULT_GOAL := help
.PHONY: help run up down verify test check chaos bench bench-scale backlog soak protos lock clean
.DELETE_ON_ERROR:

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: $(VENV) $(DESCRIPTORS) ## boot the mesh with a demo company, send it scans, stay until Ctrl-C
	@$(PYTHON) -m deploy.local run

up: $(VENV) $(DESCRIPTORS) ## boot the same mesh in the background
	@$(PYTHON) -m deploy.local up

down: $(VENV) ## stop the mesh
	@$(PYTHON) -m deploy.local down

verify: $(VENV) ## compare the books of the running mesh: accepted, stored, counted, enriched, metered, invoiced
	@$(PYTHON) -m benchmarks.books

chaos: $(VENV) $(DESCRIPTORS) ## kill, freeze and restart parts under load, then compare the books: SECONDS= SEED= FAULTS=power,disk MUTANT=
	@$(PYTHON) -m benchmarks.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(MUTANT),--mutant $(MUTANT)) $(if $(TARGETS),--targets $(TARGETS)) $(if $(ACTS),--acts $(ACTS)) $(if $(FAULTS),--faults $(FAULTS))

bench: $(VENV) $(DESCRIPTORS) ## measure every budget of the design: QUICK=1 ROWS=
	@$(PYTHON) -m benchmarks.bench $(if $(filter-out 0,$(QUICK)),--quick) $(if $(ROWS),--rows $(ROWS))

bench-scale: $(VENV) $(DESCRIPTORS) ## cost per scan with more companies, scanners, scans on record, replicas: QUICK=1 EVENTS=
	@$(PYTHON) -m benchmarks.scale $(if $(filter-out 0,$(QUICK)),--quick) $(if $(EVENTS),--events $(EVENTS))

backlog: $(VENV) $(DESCRIPTORS) ## the recorder down for three minutes at half load, then catching up: SECONDS=
	@$(PYTHON) -m benchmarks.endurance.backlog $(if $(SECONDS),--seconds $(SECONDS))

soak: $(VENV) $(DESCRIPTORS) ## twenty minutes at 60 % load, in which nothing may grow: SECONDS=
	@$(PYTHON) -m benchmarks.endurance.soak $(if $(SECONDS),--seconds $(SECONDS))

test: $(VENV) $(DESCRIPTORS) ## run every test, unit to end-to-end against the real servers
	@$(PYTHON) -m pytest -n 2 --dist loadfile --ignore tests/system/test_chaos.py
	@$(PYTHON) -m pytest tests/system/test_chaos.py

check: $(VENV) ## format, lint, types, import rules, proto lint, generated code up to date
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) protos/lint.py
	$(PYTHON) protos/generate.py
	@changed=$$(git status --porcelain -- protos/gen) && test -z "$$changed" || { echo "not up to date or not committed: $$changed"; exit 1; }

protos: $(VENV) ## generate code and descriptors from the .proto files
	$(PYTHON) protos/generate.py

lock: $(VENV) ## resolve requirements.txt from pyproject.toml
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-package scanmesh-protos --no-annotate --no-header --extra local --extra dev pyproject.toml -o requirements.txt

clean: ## stop the mesh and remove it, its data included, and all that was built
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deploy.local down; fi
	rm -rf .venv .scanmesh build dist protos/build protos/dist $(DESCRIPTORS) .mypy_cache .pytest_cache .ruff_cache

# A venv knows where it lies: it is made anew when the checkout was moved.
ifneq ($(shell cat $(VENV) 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)
endif

$(VENV): requirements.txt pyproject.toml protos/pyproject.toml
	@deploy/setup venv

$(DESCRIPTORS): $(PROTOS) | $(VENV)
	@deploy/setup descriptors
