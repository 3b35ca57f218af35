# Every job of the project in one place; `make` alone lists them. Each begins by making .venv, which takes milliseconds
# when it is there already, so any target works on a fresh clone. CI calls the same words: .ci/run is `make test`.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Tools that scripts/install-test-tools fetched come first, then the environment's own, then the machine's.
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/.venv/bin:$(PATH)

ARGS ?=
SEEDS ?= 1000
SEED ?=
SLOW ?=

.PHONY: help dev demo serve check test conformance simulate lint types docs bench examples screenshots

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

dev: ## make .venv with everything that developing needs (nothing to do: milliseconds)
	@scripts/bootstrap

demo: dev ## show a small shop at work, then the server under fire with workers in two languages
	@python examples/shop/run.py
	@python examples/demo/run.py $(ARGS)

serve: dev ## run the server in the foreground (ARGS="--help" lists its options)
	@shopfloor serve $(ARGS)

check: ## lint, types, and documentation that is up to date; seconds
	@verdict=0; for judge in lint types; do $(MAKE) $$judge || verdict=1; done; \
	python scripts/docs.py --check || verdict=1; exit $$verdict

test: dev ## what CI runs: check, then every test but the slow ones (ARGS="-k word" picks)
	@scripts/install-test-tools
	@scripts/test $(ARGS)

conformance: dev ## one suite for every store, and the transcripts
	@scripts/install-test-tools redis-server postgres
	@pytest src/shopfloor/store/conformance tests/transcripts $(ARGS)

simulate: dev ## random lives of a server (SEEDS=1000, or one: SEED=7); SLOW=1 adds the soaks
	@SIMULATION_SEEDS=$(if $(SEED),1,$(SEEDS)) SIMULATION_SEED=$(SEED) pytest tests/simulation --timeout 1800 $(ARGS)
	@if [ -n "$(SLOW)" ]; then scripts/install-test-tools && pytest -m slow --timeout 3600 $(ARGS); fi

lint: dev ## ruff, the import contract, the shell scripts' syntax (FIX=1 repairs what ruff can)
	@scripts/lint $(if $(FIX),--fix)

types: dev ## mypy --strict on src and tests, pyright on the public face
	@verdict=0; mypy || verdict=1; pyright --warnings || verdict=1; exit $$verdict

docs: dev ## write the generated pages again and check that every link leads somewhere
	@python scripts/docs.py

bench: dev ## measure (ARGS as benchmarks/README.md says)
	@python -m benchmarks $(ARGS)

examples: dev ## run every example and compare with the output that it promises
	@pytest tests/examples $(ARGS)

screenshots: dev ## write pictures of every page of the web side into .screenshots
	@scripts/install-test-tools chromium
	@PYTHONPATH=. python -m tests.web.screenshots .screenshots
