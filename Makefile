# Every task of the project. The machine needs git, Node 20 or newer, npm and make; what else a task needs, it installs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test build verify test-unit test-integration test-faults test-histories test-model test-e2e soak bench image format generate sbom krew cluster-up cluster-down clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## Show the main job, narrated, on a real cluster that comes and goes with it
	@npm run -s demo

test: verify test-unit test-integration test-e2e ## Run everything: checks, unit tests, scenarios on a real cluster, the image in real pods

build: node_modules/.package-lock.json ## Bundle the executables into dist/
	@npm run -s build

verify: node_modules/.package-lock.json ## Check types, lint, format, and that generated files are up to date
	@npm run -s typecheck
	@npm run -s lint
	@npm run -s generate -- --check

test-unit: node_modules/.package-lock.json ## Run the fast tests
	@npm run -s unit

test-integration: node_modules/.package-lock.json ## Run the scenarios and the faults on real API servers (ARGS='-t undo' selects)
	@npm run -s integration -- $(ARGS)

test-faults: node_modules/.package-lock.json ## Run the faults alone: broken connections, crashes, random histories, bad input
	@npm run -s integration -- test/faults $(ARGS)

test-histories: node_modules/.package-lock.json ## Run random histories on a real API server, all disturbed (HISTORIES=10000: four hours; SEED=… repeats)
	@HISTORIES=$(or $(HISTORIES),10000) npm run -s integration -- test/faults/histories $(ARGS)

test-model: node_modules/.package-lock.json ## Run random histories over a model of the cluster (RUNS=12500 of each of eight sorts: 100,000)
	@RUNS=$(or $(RUNS),1000) npm run -s unit -- test/unit/app-promises

soak: build ## Run the controller for an hour under changes and faults; is it flat? (ARGS='--minutes 5' is shorter)
	@npm run -s soak -- $(ARGS)

bench: build ## Measure the controller beside the bare requests (ARGS='--quick', ARGS=--help)
	@npm run -s bench -- $(ARGS)

test-e2e: node_modules/.package-lock.json ## Install the image from the manifests, as a user would, and see real pods roll out and back
	@npm run -s e2e -- $(ARGS)

image: build ## Write the controller's image into dist/, without a Docker engine or a registry
	@npm run -s image -- $(ARGS)

format: node_modules/.package-lock.json ## Format the sources, and mend what lint can mend
	@npm run -s format

generate: node_modules/.package-lock.json ## Write the generated files: install.yaml, the Helm chart's templates, types of the CRD
	@npm run -s generate

sbom: node_modules/.package-lock.json ## List the npm packages in the bundles, as CycloneDX: dist/sbom.cdx.json
	@npm exec -- node --no-warnings hack/release.ts sbom

krew: build ## Pack the kubectl plugin for krew into dist/krew/ (BASE_URL=https://… says where it will be)
	@npm exec -- node --no-warnings hack/release.ts krew

cluster-up: ## Start a real cluster to play with (see hack/cluster --help)
	@hack/cluster up

cluster-down: ## Stop that cluster, and leave nothing behind
	@hack/cluster down

clean: ## Remove what was built
	rm -rf dist node_modules

node_modules/.package-lock.json: package-lock.json
	@echo "Installing the npm packages (Node 24 and kubectl among them): about a minute the first time"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@
