# The short way in; CMakeLists.txt does the work. `make help` lists the targets.
BUILD ?= build
JOBS = $(if $(ELBOW_JOBS),-j $(ELBOW_JOBS))
# The labels and targets of tests/ are told in tools/cmake/Tests.cmake.
CONFIGURE = cmake -G Ninja -S . $(ELBOW_CMAKE)
COMPILE = cmake --build $(1) $(JOBS)
FUZZ_SECONDS ?= 60

.PHONY: all configure test asan tsan reference fuzz bench bench-peers golden lint fmt docs install help

all: configure ## the command build/elbow and both libraries
	$(call COMPILE,$(BUILD))

configure:
	@test -f $(BUILD)/build.ninja -a -z '$(ELBOW_CMAKE)' || $(CONFIGURE) -B $(BUILD)

test: configure ## every test
	$(call COMPILE,$(BUILD)) --target all tests
	ctest --no-tests=error --test-dir $(BUILD) --output-on-failure $(JOBS)

asan: ## quick tests under the address and undefined-behaviour sanitizers
	$(CONFIGURE) -B $(BUILD)-asan -DELBOW_SANITIZE=address,undefined
	$(call COMPILE,$(BUILD)-asan) --target tests_quick
	ctest --no-tests=error --test-dir $(BUILD)-asan --output-on-failure $(JOBS) -L quick

tsan: ## threaded tests under the thread sanitizer
	$(CONFIGURE) -B $(BUILD)-tsan -DELBOW_SANITIZE=thread
	$(call COMPILE,$(BUILD)-tsan) --target tests_threads
	ctest --no-tests=error --test-dir $(BUILD)-tsan --output-on-failure $(JOBS) -L threads

reference: ## the library without oneDNN, SLEEF and OpenMP, and its quick tests
	$(CONFIGURE) -B $(BUILD)-reference -DELBOW_KERNELS=reference
	$(call COMPILE,$(BUILD)-reference) --target tests_quick
	ctest --no-tests=error --test-dir $(BUILD)-reference --output-on-failure $(JOBS) -L quick

fuzz: ## every fuzzer for FUZZ_SECONDS (60) each, from the kept corpora
	$(CONFIGURE) -B $(BUILD)-fuzz -DELBOW_FUZZ=ON -DCMAKE_C_COMPILER=clang
	$(call COMPILE,$(BUILD)-fuzz)
	tools/fuzz $(BUILD)-fuzz $(FUZZ_SECONDS)

bench: configure ## the benches against the reference kernels
	$(call COMPILE,$(BUILD)) --target benches
	@for b in $(BUILD)/bench/bench_*; do echo "== $$b"; $$b || exit 1; done

bench-peers: all ## alternating runs against PyTorch and JAX
	bench/bench-peers

golden: ## the golden values anew, from their independent implementation
	tests/golden/run.sh

paper-%: all ## one published table again: papers/NAME/run.sh
	papers/$*/run.sh

lint: all ## format, static analysis, include directions, symbols
	BUILD=$(BUILD) tools/lint

fmt: ## clang-format on every source
	tools/lint --fix

docs: configure ## the manual page
	$(call COMPILE,$(BUILD)) --target man

install: all ## everything under CMAKE_INSTALL_PREFIX; DESTDIR is honoured
	cmake --install $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z%-]*\):[^#]*## /\1\t/p' Makefile | sort | awk -F '\t' '{ printf "make %-12s %s\n", $$1, $$2 }'
