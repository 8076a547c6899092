# The verbs of this house; `make` alone lists them. Each sets up all that it needs, in the clone.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export PYTHON ?= python3
WORK := .work
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH):/usr/sbin:/sbin:$(CURDIR)/$(WORK)/debian/usr/sbin:$(CURDIR)/$(WORK)/debian/usr/bin:$(CURDIR)/$(WORK)/go/bin
# The libraries of programs that were unpacked there.
export LD_LIBRARY_PATH := $(CURDIR)/$(WORK)/debian/usr/lib/$(shell uname -m)-linux-gnu$(if $(LD_LIBRARY_PATH),:$(LD_LIBRARY_PATH))
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export CARGO_TERM_COLOR ?= auto

RUST := Cargo.toml Cargo.lock $(shell find rust -name '*.rs')
CARGO_FLAGS := --locked
# Seconds that each fuzz target runs.
FUZZ_SECONDS ?= 10
# The share of the full counts of an issue's table that `make test` runs.
MESHCORE_SCALE ?= 0.01
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: help dev fmt lint test bench prove demo wheel docs fuzz clean
.PHONY: lint-rust lint-python lint-shell test-rust test-python bench-smoke callgrind

help: ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 8

dev: $(WORK)/engine-dev ## build the extension into .venv, for daily work
	@echo "ready: $(BIN)/meshcore --help"

fmt: $(WORK)/venv ## format Rust and Python
	cargo fmt
	if [ -e fuzz/Cargo.toml ]; then cargo fmt --manifest-path fuzz/Cargo.toml; fi
	ruff format .
	ruff check --fix .

lint: lint-rust lint-python lint-shell ## formatting, clippy, ruff, mypy, stubtest, cargo-deny

lint-rust: $(WORK)/venv
	cargo fmt --check
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings
	cargo clippy $(CARGO_FLAGS) --lib --features python -- -D warnings
	if [ -e fuzz/Cargo.toml ]; then cargo fmt --manifest-path fuzz/Cargo.toml --check; fi
	cargo-deny --locked check --hide-inclusion-graph bans licenses sources

lint-python: $(WORK)/engine-dev
	ruff format --check .
	ruff check .
	mypy
	stubtest meshcore._engine

lint-shell: $(WORK)/venv
	shellcheck .ci/prerequisites .ci/programs .ci/fuzz .ci/run

test: test-rust test-python ## all tests, Rust's and Python's; MESHCORE_SCALE=1 runs full counts

test-rust: $(WORK)/prerequisites
	cargo test $(CARGO_FLAGS)

test-python: $(WORK)/engine-dev $(WORK)/programs $(WORK)/backend
	cargo build $(CARGO_FLAGS) --example loadgen
	# Most tests wait more than they work: two beside each other. What measures comes after, by itself;
	# 5 is pytest's word for no test of that kind among PYTEST_ARGS.
	MESHCORE_SCALE=$(MESHCORE_SCALE) python -m pytest -n 2 --dist worksteal -m "not alone" $(PYTEST_ARGS) || test $$? -eq 5
	MESHCORE_SCALE=$(MESHCORE_SCALE) python -m pytest -m alone $(PYTEST_ARGS) || test $$? -eq 5

bench: $(WORK)/engine-release ## compare with Envoy, HAProxy and nginx on this machine; BENCH_ARGS=--quick
	cargo build $(CARGO_FLAGS) --release --examples
	$(PYTHON) benches/e2e/run.py --meshcore $(BIN)/meshcore $(BENCH_ARGS)
	python benches/e2e/hooks.py
	python -m pytest benches/border

prove: wheel $(WORK)/engine-release $(WORK)/programs $(WORK)/backend ## an issue's table at full counts, into docs/proof: make prove ISSUE=2
	@test -n "$${ISSUE:-}" || { echo "which issue? make prove ISSUE=2" >&2; exit 64; }
	cargo build $(CARGO_FLAGS) --release --example loadgen
	MESHCORE_SCALE=1 MESHCORE_LOADGEN=$(CURDIR)/target/release/examples/loadgen \
	  python -m tests.prove --issue "$$ISSUE" --write "docs/proof/issue-$$ISSUE.md"

demo: $(WORK)/engine-quick-release $(WORK)/programs ## three real servers, a proxy before them, load, changes under load
	cargo build $(CARGO_FLAGS) --profile quick-release --example loadgen
	python samples/demo/demo.py --load-generator target/quick-release/examples/loadgen

wheel: $(WORK)/venv ## the release wheel, in dist/
	maturin build --release --strip --out dist
	@ls -l dist

docs: $(WORK)/engine-dev ## write the pages that are generated from the code
	python -m meshcore.config.reference
	python -m meshcore.config.sources.istio.reference

fuzz: $(WORK)/prerequisites ## run each fuzz target for FUZZ_SECONDS
	.ci/fuzz $(FUZZ_SECONDS)

bench-smoke: $(WORK)/engine-dev
	cargo build $(CARGO_FLAGS) --profile quick-release --examples
	# Whether each scenario runs; against whom it is measured is for `make bench`.
	$(PYTHON) benches/e2e/run.py --quick --peers meshcore --profile quick-release --meshcore $(BIN)/meshcore
	python benches/e2e/hooks.py --rounds 1 --seconds 0.2 --profile quick-release
	python -m pytest benches/border --benchmark-disable

callgrind: $(WORK)/prerequisites
	.ci/programs valgrind
	cargo build $(CARGO_FLAGS) --profile quick-release --examples
	$(PYTHON) benches/e2e/callgrind.py --check --profile quick-release -- target/quick-release/examples/engine_http 127.0.0.1:{listen} 127.0.0.1:{backend} 1 {protocol}

clean: ## remove everything that was built
	rm -rf $(WORK) .venv dist target fuzz/target .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find python -name '*.so' -delete

# What the verbs stand on. A stamp is as new as the files that it was made from.

$(WORK)/prerequisites: .ci/prerequisites
	.ci/prerequisites
	mkdir -p $(WORK)
	touch $@

$(WORK)/venv: $(WORK)/prerequisites Makefile .ci/requirements.txt .ci/constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	# Dependency groups came with pip 25.1; a new environment has the pip of its Python.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r .ci/requirements.txt -c .ci/constraints.txt
	touch $@

# One profile's extension at a time stands in python/meshcore.
$(WORK)/engine-%: $(WORK)/venv $(RUST)
	PIP_CONSTRAINT=$(CURDIR)/.ci/constraints.txt maturin develop --quiet --locked --profile $*
	rm -f $(WORK)/engine-*
	touch $@

$(WORK)/programs: .ci/programs $(WORK)/prerequisites
	.ci/programs nginx curl openssl nghttp nghttpd h2load h2spec redis-server
	touch $@

$(WORK)/backend: benches/e2e/backend.c $(WORK)/prerequisites
	$(CC) -O2 -Wall -Wextra -o $@ $<
