# Everything that people and CI do with Coffer. `make` alone lists the targets.
#
# One profile (dev, with optimised dependencies) serves the programs, the tests and the demo, and one target
# directory serves every clone of this machine, so that RocksDB is compiled once.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

export CARGO_TARGET_DIR ?= $(HOME)/.cache/coffer/target
export CARGO_TERM_COLOR ?= auto

# The Python that runs the KMS emulator of the keyring's tests.
EMULATOR_REQUIREMENTS := keyring/tests/emulator/requirements.txt
export COFFER_EMULATOR_PYTHON ?= $(CURDIR)/.venv/bin/python

# Where the process tests look for cofferd and coffer.
export COFFER_BIN_DIR ?= $(CURDIR)/bin

CARGO ?= cargo
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help build demo demo-stop test verify fix clean needs-build idle

help: ## List the targets
	@echo "Coffer: a replicated document database, sealed at rest."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

needs-build:
	@scripts/need.sh rust cxx libclang

build: needs-build ## Build cofferd and coffer into ./bin
	$(CARGO) build --locked --workspace --bins
	@scripts/install-programs.sh "$(CARGO_TARGET_DIR)/debug" bin
	@echo "built bin/cofferd and bin/coffer"

demo: build ## Three members under a development key, killed, locked out and brought back (KEEP=1 leaves them running)
	@scripts/need.sh iso-codes
	@KEEP="$(KEEP)" scripts/demo.sh

demo-stop: ## Stop the members that `make demo KEEP=1` left running
	@scripts/demo.sh stop

# The programs are built together with the tests here: what only tests ask of a dependency would else build it twice.
test: needs-build ## Run every test
	@scripts/need.sh python
	@scripts/emulator-venv.sh "$(EMULATOR_REQUIREMENTS)" "$(COFFER_EMULATOR_PYTHON)"
	$(CARGO) build --locked --workspace --bins --tests
	@scripts/install-programs.sh "$(CARGO_TARGET_DIR)/debug" bin
ifneq ($(NEXTEST),)
	$(CARGO) nextest run --locked --workspace --no-fail-fast
else
	$(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast
endif
	$(CARGO) test --locked --workspace --doc --no-fail-fast

verify: needs-build ## Check format, lints, documentation and licences; changes nothing
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --keep-going -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --keep-going
	scripts/licences.sh

fix: needs-build ## Format, and apply what clippy can fix by itself
	$(CARGO) clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	$(CARGO) fmt --all

idle: build ## Measure an idle member with ten databases: memory, and time until it serves
	@scripts/idle.sh

clean: ## Remove ./bin, ./.demo and ./.venv, and what cargo built of this workspace (RocksDB stays)
	@scripts/demo.sh stop >/dev/null 2>&1 || true
	rm -rf bin .demo .venv
	@$(CARGO) clean --locked -p coffer-proto -p coffer-keyring -p coffer-document -p coffer-storage -p coffer-node -p coffer-client -p coffer-cluster-tests
	@echo "kept the compiled dependencies in $(CARGO_TARGET_DIR); remove that folder for a cold build"
