# What one types. `make help` lists it. ARGS are passed on: make call ARGS="--seconds 60 --link delay=50,loss=10"
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.SILENT:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ARGS ?=
SWIFT ?= swift
# Where release builds go; .build unless told otherwise
BUILD ?= .build
FILTER ?=
QUICK ?=

## call: set up what is missing, build, and run a call between two processes over a bad network
.PHONY: call
call: program
	exec $(BUILD)/release/petrel call $(ARGS)

# The server's HTTP framework is fetched and built for those who ask for it only (docs/design/0008).
serve build test page: export PETREL_SERVER = 1

## serve: set up what is missing, build, and serve the page on which a browser calls (ARGS="--host 0.0.0.0 --link delay=20")
.PHONY: serve
serve:
	Scripts/setup.sh tools
	Scripts/setup.sh media & media=$$!
	trap 'kill $$media 2>/dev/null || true' EXIT
	Scripts/build.sh release petrel-server "$(BUILD)"
	wait $$media
	trap - EXIT
	exec $(BUILD)/release/petrel-server $(ARGS)

# Clip, speech and Python tools are fetched while the compiler works. What is to be built the package
# manager knows best, so this is no file.
.PHONY: program
program:
	Scripts/setup.sh tools
	began=$$SECONDS
	Scripts/setup.sh media & media=$$!
	trap 'kill $$media 2>/dev/null || true' EXIT
	Scripts/build.sh release petrel "$(BUILD)"
	wait $$media
	trap - EXIT
	if (( SECONDS - began > 2 )); then echo "ready in $$((SECONDS - began)) s" >&2; fi

## build: build everything in release mode
.PHONY: build
build:
	Scripts/setup.sh tools
	$(SWIFT) build -c release --scratch-path "$(BUILD)"

## test: set up what is missing, build and run all tests (FILTER=Name for some of them)
.PHONY: test
test:
	Scripts/setup.sh test
	began=$$SECONDS
	$(SWIFT) build --build-tests --scratch-path "$(BUILD)"
	echo "tests built in $$((SECONDS - began)) s" >&2
	began=$$SECONDS
	$(SWIFT) test --skip-build --disable-xctest --scratch-path "$(BUILD)" $(if $(FILTER),--filter "$(FILTER)")
	echo "tests run in $$((SECONDS - began)) s" >&2
	$(if $(FILTER),,BUILD="$(BUILD)" Scripts/alloc-test.sh)
	$(if $(FILTER),,$(MAKE) page ARGS=)
	$(if $(FILTER),,$(MAKE) interop ARGS="--quick")

## page: the server's page in headless Chromium, used as a person uses it (ARGS="--least-fps 10", "--pictures docs/images")
.PHONY: page
page:
	Scripts/setup.sh test
	Scripts/build.sh release petrel-server "$(BUILD)"
	python3 Tests/Scripts/page.py "$(BUILD)/release/petrel-server" $(ARGS)

## interop: calls with Chromium, Firefox, aiortc and GStreamer (ARGS="--quick", "--write", "chromium --case restart")
.PHONY: interop
interop:
	Scripts/setup.sh test
	Scripts/build.sh release petrel "$(BUILD)"
	.venv/bin/python Tests/Interop/run.py --program "$(BUILD)/release/petrel" $(ARGS)

## bench-browser: Chromium with Petrel, beside Chromium with Chromium, in turn (ARGS="--runs 5 --seconds 60")
.PHONY: bench-browser
bench-browser:
	Scripts/setup.sh test
	Scripts/build.sh release petrel "$(BUILD)"
	.venv/bin/python Tests/Interop/control.py --program "$(BUILD)/release/petrel" $(ARGS)

## fuzz: what takes in bytes of a stranger, with libFuzzer (Linux; ARGS="60 stun ice_agent", seconds a target and targets)
.PHONY: fuzz
fuzz:
	BUILD="$(BUILD)/fuzz" Scripts/fuzz.sh $(ARGS)

## alloc-test: count heap allocations of the packet path (release build; Linux)
.PHONY: alloc-test
alloc-test:
	BUILD="$(BUILD)" Scripts/alloc-test.sh

## bench-packets: time and heap allocations per packet, then of the driver
.PHONY: bench-packets
bench-packets:
	Scripts/setup.sh tools
	BUILD="$(BUILD)" Scripts/bench.sh packets $(ARGS)
	BUILD="$(BUILD)" Scripts/bench.sh driver

## bench-clean: latency on clean links, in virtual time (ARGS=seconds)
.PHONY: bench-clean
bench-clean:
	Scripts/setup.sh tools
	BUILD="$(BUILD)" Scripts/bench.sh clean $(ARGS)

## bench-setup: time to the first picture, in virtual time (ARGS=runs)
.PHONY: bench-setup
bench-setup:
	Scripts/setup.sh tools
	BUILD="$(BUILD)" Scripts/bench.sh setup $(ARGS)

## bench-loss: calls over links that lose, in virtual time, beside the limits (QUICK=1; ARGS="--loss 30 --rtt 100"); resumable
.PHONY: bench-loss
bench-loss:
	Scripts/setup.sh call
	BUILD="$(BUILD)" QUICK="$(QUICK)" Scripts/bench-loss.sh $(ARGS)

## bench-long: what everything but the codecs takes in a long virtual call (ARGS=minutes)
.PHONY: bench-long
bench-long:
	Scripts/setup.sh tools
	BUILD="$(BUILD)" Scripts/bench.sh long $(ARGS)

## format: bring all Swift files into the project's form
.PHONY: format
format:
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests $(wildcard Examples Benchmarks)

## lint: check the form of all Swift files and of the scripts
.PHONY: lint
lint:
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests $(wildcard Examples Benchmarks)
	for script in Scripts/*.sh Tests/Scripts/*.sh .ci/run; do bash -n "$$script"; done
	if [ -x .venv/bin/python ]; then .venv/bin/python -m py_compile Scripts/*.py Tests/Interop/*.py Benchmarks/Limits/*.py; fi

## docs: build the documentation of Petrel and PetrelLab into .build/docs, without warnings
.PHONY: docs
docs:
	Scripts/docs.sh

## examples: build and run the examples, and check what they did
.PHONY: examples
examples:
	Scripts/examples.sh

## clean: remove what was built; what was fetched (.assets, .venv) stays
.PHONY: clean
clean:
	rm -rf .build .build-*

## distclean: remove what was built and what was fetched
.PHONY: distclean
distclean: clean
	rm -rf .assets .venv

## help: this list
.PHONY: help
help:
	sed -n 's/^## //p' Makefile | awk -F': ' '{ printf "make %-14s %s\n", $$1, $$2 }'
