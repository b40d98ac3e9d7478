# Everything that people and CI do here is one of these targets. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CONFIG ?= environments/example.yaml
OUT ?= cdk.out
VENV := .venv
BIN := $(VENV)/bin

# jsii reads the major versions for which it prints no warning. Node.js 20 still works; `npm_ci` below says that it is too old.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1
export CDK_DISABLE_CLI_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 24

$(VENV)/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --require-hashes -r requirements-build.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

define npm_ci
@node -e 'if (parseInt(process.versions.node) < 22) console.warn("Node.js 22 or newer is needed; this is " + process.version)'
npm ci --silent --no-fund --no-audit --prefix $(dir $<)
@touch $@
endef

node_modules/.package-lock.json: package.json package-lock.json
	$(npm_ci)

tools/%/node_modules/.package-lock.json: tools/%/package.json tools/%/package-lock.json
	$(npm_ci)

TEST_TOOLS := $(VENV)/.installed-dev node_modules/.package-lock.json tools/iam/node_modules/.package-lock.json

.PHONY: engines
engines: ## build the engines of the tests (Kyverno, kube-apiserver, etcd) once, in ~/.cache
	tools/engines

.PHONY: synth
synth: $(VENV)/.installed node_modules/.package-lock.json ## write the templates of CONFIG (environments/example.yaml) and summarize them
	$(BIN)/ecr-pull-through synth --config $(CONFIG) --output $(OUT)
	@$(BIN)/ecr-pull-through describe --config $(CONFIG)

.PHONY: test
test: $(TEST_TOOLS) engines ## run every test; names the engines that could not be built
	$(BIN)/pytest -n auto --dist loadgroup

.PHONY: test-fast
test-fast: $(TEST_TOOLS) ## run the tests that take less than two minutes
	$(BIN)/pytest -n auto --dist loadgroup -m "not slow and not engine"

.PHONY: test-deploy
test-deploy: $(TEST_TOOLS) ## deploy, change and destroy the stacks in AWS emulators on localhost, one of which is built with Rust, once
	PYTHON=$(PYTHON) tools/engines fakecloud ministack registry crane
	ECR_PULL_THROUGH_DEPLOY=1 $(BIN)/pytest tests/deploy

.PHONY: bench
bench: $(VENV)/.installed-dev tools/bench/node_modules/.package-lock.json ## run every benchmark on an idle machine and write docs/benchmarks.md; about 15 minutes
	tools/engines registry etcd kube-apiserver kyverno-controller
	$(BIN)/python -m benchmarks

.PHONY: lint
lint: $(VENV)/.installed-dev ## run ruff, ruff format --check and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy constructs/ecr_pull_through_cache stacks app.py tools benchmarks

.PHONY: fuzz
SEED ?= 20261125
MINUTES ?= 0
fuzz: $(TEST_TOOLS) ## fuzz references, manifests, configurations and registries; SEED=N other inputs, MINUTES=N ends sooner
	$(BIN)/python -m tests.fuzz --seed $(SEED) --minutes $(MINUTES)

$(VENV)/.installed-audit: requirements-audit.txt | $(VENV)/pyvenv.cfg
	$(BIN)/python -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet --require-hashes -r requirements-audit.txt
	@touch $@

.PHONY: audit
audit: $(VENV)/.installed-audit ## look for known vulnerabilities in the locked dependencies; needs the advisories of PyPI and npm
	$(VENV)/audit/bin/python tools/audit.py

.PHONY: format
format: $(VENV)/.installed-dev ## format the sources and apply the linter's fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(VENV)/.installed ## resolve pyproject.toml into requirements*.txt and package-lock.json; UPGRADE=--upgrade renews every pin
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group build -c requirements.txt -o requirements-build.txt
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group docs -c requirements.txt pyproject.toml -o requirements-docs.txt
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group release -c requirements.txt -o requirements-release.txt
	$(BIN)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --group audit -o requirements-audit.txt
	npm install --package-lock-only --silent

$(VENV)/.installed-docs: requirements-docs.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements-docs.txt
	@touch $@

.PHONY: docs
docs: $(VENV)/.installed-docs ## write the reference from the code and build the documentation in site/
	$(BIN)/python -m tools.docs.pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

.PHONY: diagrams
diagrams: $(VENV)/.installed ## draw environments/example.yaml in docs/images and in pages with a place for it
	$(BIN)/ecr-pull-through diagram --config environments/example.yaml --format svg --output docs/images/example.svg
	{ grep -rlxF --include='*.md' '<!-- ecr-pull-through diagram -->' README.md docs || true; } | xargs -r -n 1 $(BIN)/ecr-pull-through diagram --config environments/example.yaml --into

$(VENV)/.installed-release: requirements-release.txt $(VENV)/.installed
	$(BIN)/python -m venv $(VENV)/release
	$(VENV)/release/bin/pip install --quiet --require-hashes -r requirements-release.txt
	@touch $@

.PHONY: release-check
release-check: $(VENV)/.installed-release ## build wheel and sdist, check them, install them on every Python found; TAG: for that tag
	tools/release-check $(VENV)/release/bin

.PHONY: clean
clean: ## remove everything that these targets created
	rm -rf $(VENV) node_modules tools/iam/node_modules tools/bench/node_modules cdk.out* dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
