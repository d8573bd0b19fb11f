# What there is to do here. `make` alone lists it. Needs Rust, Go, Python 3.10 and, for nothing else, the network.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# cargo uses all cores by itself.
.NOTPARALLEL:

# $(call timed,NAME,COMMAND): runs it and says how long it took, also where it failed.
timed = @began=$$SECONDS; code=0; ( $(2) ) || code=$$?; \
	echo "make: $(1): $$((SECONDS - began)) s"; exit $$code

.PHONY: help
help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Starts the local platform and the operator, and makes three tenants
	@deploy/demo.sh up

.PHONY: demo-node
demo-node: ## The same with a real node: OpenClaw itself runs in the tenants' pods (Linux, root)
	@deploy/demo.sh node

.PHONY: demo-down
demo-down: ## Ends what make demo and make demo-node started
	@deploy/demo.sh down

.PHONY: build
build: ## Builds the operator
	$(call timed,build,cargo build --locked)

# The same random histories each time: what fails has to do with the change. `make histories` looks for others.
test: export PROPTEST_RNG_SEED ?= 1
test: export PROPTEST_CASES ?= 100

# The last line counts what was examined after the tests: see tests/evidence.
.PHONY: test
test: ## Every test; the integration tests start a local platform of their own
	$(call timed,local platform,deploy/local/platform.sh build)
	$(call timed,compile the tests,cargo test --locked --no-run)
	$(call timed,the workspace's scripts,deploy/test-scripts.sh)
	$(call timed,IAM policies,tests/iam/run.sh)
	$(call timed,network policies,cargo test --locked --quiet --test network a_simulator -- --nocapture)
	$(call timed,policies of names,cargo test --locked --quiet --test network cilium -- --nocapture)
	$(call timed,OpenClaw itself,tests/openclaw/run.sh)
	$(call timed,the chart,tests/chart/run.sh)
	$(call timed,GitOps programs,tests/gitops/run.sh)
	$(call timed,the dashboard,tests/dashboard/run.sh)
	@tests/evidence/run.sh cargo test --locked

# Where there is no Linux or no root it says so and runs nothing.
.PHONY: e2e
e2e: ## Real pods with the real OpenClaw on a real node: logins, credentials, packets (Linux, root)
	$(call timed,end to end,tests/e2e/run.sh)

# Each run takes other histories than the one before; the least failing one is printed. Optimised, because that is sixteen times as
# fast as the build of the tests: a minute for each 3,500 histories, on one core.
.PHONY: histories
histories: export PROPTEST_CASES ?= 20000
histories: ## Random histories of tenants, many and new ones each time (PROPTEST_CASES says how many)
	$(call timed,histories,cargo test --locked --release --lib -- tenant::tests::adopting::histories tenant::tests::random)

.PHONY: test-kind
test-kind: ## The integration tests against a kind cluster (needs docker or podman, and kind)
	$(call timed,kind cluster,deploy/kind/up.sh)
	$(call timed,operator,OPENCLAW_DEMO_NAME=kind deploy/demo.sh operator)
	$(call timed,integration tests,eval "$$(deploy/local/platform.sh env --name kind)" && OPENCLAW_TEST_CLUSTER=yes-change-this-cluster cargo test --locked --test it)
	@echo "make: the cluster is left as it is; deploy/kind/down.sh ends it"

.PHONY: lint
lint: ## Format, clippy with warnings denied, generated files up to date
	$(call timed,format,cargo fmt --check)
	$(call timed,clippy,cargo clippy --locked --all-targets -- --deny warnings)
	$(call timed,generated files,cargo run --quiet --locked -- crds --check crds && cargo run --quiet --locked -- iam --check deploy/aws && charts/generate.py --check)

.PHONY: crds
crds: ## Generates crds/ and its JSON Schemas from the Rust types, and the chart's copy
	$(call timed,crds,cargo run --quiet --locked -- crds --output crds && charts/generate.py)

.PHONY: reference
reference: ## Generates docs/cli.md from the program's own --help, and docs/api.md from the Rust types
	$(call timed,reference,cargo build --quiet --locked && page="$$(cargo run --quiet --locked -- reference)" && printf '%s\n' "$$page" > docs/cli.md \
		&& page="$$(cargo run --quiet --locked -- reference --api)" && printf '%s\n' "$$page" > docs/api.md)

.PHONY: iam
iam: ## Generates deploy/aws/ from the functions that build the operator's documents
	$(call timed,iam,cargo run --quiet --locked -- iam --output deploy/aws)

.PHONY: chart
chart: ## Copies into the chart what it has from elsewhere, and writes its table of values
	$(call timed,chart,charts/generate.py)

.PHONY: supply
supply: ## What a release is made by and made of: image, workflows, versions, licences, SBOM
	$(call timed,supply,tests/supply/run.sh)

.PHONY: reproduce
reproduce: ## Builds the image's program twice, in two places, and compares the bytes (two release builds)
	$(call timed,reproduce,deploy/image/reproduce.sh)

# What is measured: the operator as released, but without the minutes that thin LTO takes; with frame pointers, for perf.
BENCH = RUSTFLAGS='-C force-frame-pointers=yes' cargo bench --locked --bench
FLEET = $(BENCH) fleet --

.PHONY: bench
bench: ## Measures the pure core and the fleet, and writes docs/performance anew (FLEET_FLAGS, as --help says: --tenants, --rest, --only, --large, --add)
	$(call timed,the pure core,rm -rf "$${CARGO_TARGET_DIR:-target}/criterion" && $(BENCH) core -- --noplot)
	$(call timed,bench,$(FLEET) --commit $(FLEET_FLAGS))

# Minutes, not the hour of the whole: the smallest fleet, a short rest.
.PHONY: bench-check
bench-check: ## Fails where a ratio of a short run is worse than the committed one by more than the tolerance
	$(call timed,bench-check,$(FLEET) --check --tenants 100 --rest 60 $(FLEET_FLAGS))

.PHONY: docs
docs: ## The crate's documentation, warnings denied
	$(call timed,docs,RUSTDOCFLAGS='--deny warnings' cargo doc --locked --no-deps --document-private-items)
