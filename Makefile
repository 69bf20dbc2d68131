# todo-fcgi: build, run, test. `make help` lists the targets.
MODE ?= release
# make predefines CC as cc.
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD := build/$(MODE)
.DEFAULT_GOAL := build

# ---- flags ----

comma := ,
probe = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')
link_probe = $(shell echo 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c - -o /dev/null 2>/dev/null && echo '$(1)')

WARNINGS := -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings -Wswitch-enum \
	-Wimplicit-fallthrough -Wdouble-promotion
# Criterion's macros do not stand the whole list.
TEST_WARNINGS := -Wall -Wextra -Wshadow -Wvla -Wno-missing-field-initializers
WERROR ?=

# The OpenSSF's list of hardening flags, as far as this compiler has them.
HARDENING := $(call probe,-fstack-protector-strong) $(call probe,-fstack-clash-protection) \
	$(call probe,-fcf-protection=full) $(call probe,-ftrivial-auto-var-init=zero) \
	$(call probe,-fno-delete-null-pointer-checks) $(call probe,-fno-strict-overflow) \
	$(call probe,-fno-strict-aliasing) $(call probe,-fstrict-flex-arrays=3)
HARDENING_LINK := $(call link_probe,-Wl$(comma)-z$(comma)relro) $(call link_probe,-Wl$(comma)-z$(comma)now) \
	$(call link_probe,-Wl$(comma)-z$(comma)noexecstack) $(call link_probe,-Wl$(comma)-z$(comma)nodlopen)

OPTIMIZE_release := -O2 -D_FORTIFY_SOURCE=$(if $(call probe,-O2 -D_FORTIFY_SOURCE=3),3,2)
OPTIMIZE_debug := -Og
OPTIMIZE_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPTIMIZE_coverage := -O0 --coverage
# For clang; `make fuzz` sets it.
OPTIMIZE_fuzz := $(OPTIMIZE_asan) -fsanitize=fuzzer-no-link
LINK_asan := -fsanitize=address,undefined
LINK_coverage := --coverage
LINK_fuzz := $(LINK_asan)
ifeq ($(OPTIMIZE_$(MODE)),)
$(error MODE is one of release, debug, asan, coverage, fuzz)
endif

CPPFLAGS += -D_GNU_SOURCE -Ilib $(addprefix -isystem ,$(shell pkg-config --variable=includedir libpq 2>/dev/null))
CPPFLAGS += -include base/banned.h
CFLAGS_ALL := -std=c17 -g -fPIE $(OPTIMIZE_$(MODE)) $(HARDENING) $(WERROR) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,--as-needed $(HARDENING_LINK) $(LINK_$(MODE)) $(LDFLAGS)
LDLIBS := -lpq -lcjson -lcurl -lsodium -lcrypto -lm
TEST_LDLIBS := $(LDLIBS) -lcriterion -lfcgi -ljwt -lssl
FUZZ_LDLIBS := $(LDLIBS) -ljwt -ljansson

# ---- what is built ----

LIB_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*/*.c))
PROGRAMS := $(patsubst cgi-bin/%.c,$(BUILD)/cgi-bin/%.fcgi,$(wildcard cgi-bin/*.c))
TOOLS := $(patsubst bin/%.c,$(BUILD)/bin/%,$(wildcard bin/*.c))
TOOL_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bin/ctl/*.c))
SUPPORT_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
tests_of = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/$(1)/*.c))
UNIT_TESTS := $(call tests_of,unit)
API_TESTS := $(call tests_of,api)
E2E_TESTS := $(call tests_of,e2e)
BENCHES := $(call tests_of,bench)
FUZZ_TARGETS := $(filter $(BUILD)/tests/fuzz/fuzz_%,$(call tests_of,fuzz))
# Without libFuzzer, replay.c has the main.
FUZZ_SHARED := $(filter-out tests/fuzz/fuzz_% $(if $(filter fuzz,$(MODE)),tests/fuzz/replay.c),$(wildcard tests/fuzz/*.c)) \
	$(addprefix tests/support/,auth_config.c buffers.c issuer.c)
FUZZ_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(FUZZ_SHARED))

.PHONY: build tests man help
build: $(PROGRAMS) $(TOOLS) ## build the responders and todoctl (MODE=release|debug|asan|coverage)

tests: $(UNIT_TESTS) $(API_TESTS) $(E2E_TESTS) $(FUZZ_TARGETS) ## build all test programs

man: $(TOOLS) ## write the man pages to build/man
	@bin/make-man $(BUILD)/bin/todoctl

$(BUILD)/libtodo.a: $(LIB_OBJECTS)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(if $(filter bin/%,$<),-Ibin) $(if $(filter tests/%,$<),-Itests $(TEST_WARNINGS),$(WARNINGS)) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(BUILD)/cgi-bin/%.fcgi: $(BUILD)/cgi-bin/%.o $(BUILD)/libtodo.a
	$(CC) $(LDFLAGS_ALL) $^ $(LDLIBS) -o $@

$(BUILD)/bin/%: $(BUILD)/bin/%.o $(TOOL_OBJECTS) $(BUILD)/libtodo.a
	$(CC) $(LDFLAGS_ALL) $^ $(LDLIBS) -ljwt -o $@

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUZZ_OBJECTS) $(BUILD)/libtodo.a
	$(CC) $(LDFLAGS_ALL) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer) $^ $(FUZZ_LDLIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT_OBJECTS) $(BUILD)/libtodo.a
	$(CC) $(LDFLAGS_ALL) $^ $(TEST_LDLIBS) -o $@

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- run ----

.PHONY: deps run up down
deps: ## install what is missing to build and run
	@bin/stack deps run

run: deps ## bring everything up in the foreground (SERVER=lighttpd|apache, PORT=n); Ctrl-C stops it
	@$(MAKE) --no-print-directory build
	@bin/stack run

up: deps ## the same in the background, for scripts; see build/run/stack.env
	@$(MAKE) --no-print-directory build
	@bin/stack up

down: ## stop what `make up` started
	@bin/stack down

# ---- test ----

.PHONY: test test-browser test-unit test-fuzz test-api test-e2e test-plans test-asan fuzz fuzz-merge mutation torture load test-cluster
test: ## all tests; installs what they need
	@bin/stack deps run test
	@$(MAKE) --no-print-directory build tests WERROR=-Werror
	@bin/run-tests $(BUILD) unit fuzz api e2e

test-unit: $(UNIT_TESTS) ## the library, file by file
	@bin/run-tests $(BUILD) unit

test-api: build $(API_TESTS) ## responders over their socket, real PostgreSQL
	@bin/run-tests $(BUILD) api

test-e2e: build $(E2E_TESTS) ## through both web servers, with real Better Auth
	@bin/run-tests $(BUILD) e2e

test-browser: ## the page in a real browser, on each web server (SERVER=name)
	@bin/stack deps run browser
	@$(MAKE) --no-print-directory build
	@for server in $(or $(SERVER),lighttpd apache); do \
		for test in page docs; do SERVER=$$server timeout 600 tests/support/npm-run browser $$test.test.mjs || exit 1; done; done

test-fuzz: $(FUZZ_TARGETS) ## the corpora of the fuzz targets, replayed
	@bin/run-tests $(BUILD) fuzz

test-plans: $(BUILD)/tests/api/test_plans ## the plans of the list's statements at full size: 10,000 users, and one with 100,000 tasks
	@TEST_PLANS_USERS=10000 TEST_PLANS_TASKS=100000 $<

test-asan: ## the unit, fuzz and api rings under the address and undefined-behaviour sanitizers
	@bin/stack deps run test
	@$(MAKE) --no-print-directory MODE=asan WERROR=-Werror build $(patsubst build/$(MODE)/%,build/asan/%,$(UNIT_TESTS) $(API_TESTS) $(FUZZ_TARGETS))
	@bin/run-tests build/asan unit fuzz api

fuzz: ## each fuzz target live with clang's libFuzzer (SECS=n each, JOBS=n at once, TARGETS="token json"); finds are in build/fuzz
	@bin/stack deps run test fuzz
	@$(MAKE) --no-print-directory MODE=release WERROR=-Werror $(patsubst build/$(MODE)/%,build/release/%,$(FUZZ_TARGETS))
	@$(MAKE) --no-print-directory MODE=fuzz CC=clang WERROR=-Werror $(patsubst build/$(MODE)/%,build/fuzz/%,$(FUZZ_TARGETS))
	@bin/run-fuzz $(or $(SECS),60) $(TARGETS)

fuzz-merge: ## take what `make fuzz` found into tests/fuzz/corpus, as far as it reaches what is not reached yet
	@bin/run-fuzz merge $(TARGETS)

mutation: ## small faults put into FILES="lib/db/value.c", one at a time, and which of them no test sees (OPTIONS of tests/mutation/mutate.mjs); as root
	@bin/stack deps run test
	@node tests/mutation/mutate.mjs $(OPTIONS) $(FILES)

torture: ## 200 clients while everything is killed at random, and a model that remembers every answer (SECS=n, SEED=n, SERVER=name)
	@bin/stack deps run test
	@$(MAKE) --no-print-directory build
	@for server in $(or $(SERVER),lighttpd apache apache-proxy); do \
		node tests/torture/torture.mjs --server $$server --seconds $(or $(SECS),60) $(if $(SEED),--seed $(SEED)) || exit 1; done

load: ## 1,000 connections of 1,000 users on 10,000 users' tasks, and no error (SECS=n, SERVER=name)
	@bin/stack deps run test load
	@$(MAKE) --no-print-directory build
	@for server in $(or $(SERVER),lighttpd apache apache-proxy); do \
		node tests/load/load.mjs --server $$server --seconds $(or $(SECS),60) || exit 1; done

test-cluster: ## a site of eight machines, on one: balancer, web servers, responders, a Patroni cluster; one after the other is killed under load (SEED=n)
	@bin/stack deps run test cluster
	@$(MAKE) --no-print-directory build
	@node tests/cluster/cluster.mjs $(if $(SEED),--seed $(SEED))

# ---- to take along ----

PREFIX ?= /usr/local

.PHONY: install deb test-deb
install: build man ## onto this system (PREFIX=/usr/local, DESTDIR=); settings are yours, see docs/operations.md
	@bin/make-install $(BUILD) '$(DESTDIR)' '$(PREFIX)'

deb: ## a Debian package, in build/
	@bin/stack deps run deb
	@$(MAKE) --no-print-directory build man
	@bin/make-deb $(BUILD)

test-deb: ## that package installed, upgraded under load, removed and purged in a bare Debian; as root
	@bin/stack deps run deb
	@tests/deb/test-deb

.PHONY: test-container
test-container: ## the images of bin/container built, run by podman-compose, stopped under load; as root
	@bin/stack deps container
	@tests/container/test-container

# Libraries find one another by the path of the program that loads them, which a RUNPATH would not let them.
DIST_LINK := -s -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib'
DIST_PROGRAMS := $(patsubst cgi-bin/%.c,build/dist/programs/cgi-bin/%.fcgi,$(wildcard cgi-bin/*.c)) \
	$(patsubst bin/%.c,build/dist/programs/bin/%,$(wildcard bin/*.c))

.PHONY: dist test-dist
dist: ## a tarball for a home directory on shared hosting, with its libraries
	@bin/stack deps run
	@$(MAKE) --no-print-directory $(DIST_PROGRAMS)
	@bin/make-dist

build/dist/programs/cgi-bin/%.fcgi: $(BUILD)/cgi-bin/%.o $(BUILD)/libtodo.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(DIST_LINK) $^ $(LDLIBS) -o $@

build/dist/programs/bin/%: $(BUILD)/bin/%.o $(TOOL_OBJECTS) $(BUILD)/libtodo.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_ALL) $(DIST_LINK) $^ $(LDLIBS) -ljwt -o $@

test-dist: ## that tarball in a bare Debian with nothing but Apache, by an ordinary user's .htaccess; as root
	@bin/stack deps run dist
	@tests/dist/test-dist

# ---- measure ----

.PHONY: bench bench-growth bench-flame check-cost
bench: ## this product, what one could pick instead, and the limits; about 25 minutes (ONLY, WHO, CONNECTIONS, ROUNDS, SECS: a part)
	@bin/stack deps run bench
	@$(MAKE) --no-print-directory build $(BENCHES)
	@tests/bench/bench

bench-growth: ## what a list costs among up to a million users (SIZES), and in lists of up to 2,000 tasks
	@bin/stack deps run bench
	@$(MAKE) --no-print-directory build $(BENCHES)
	@tests/bench/growth

bench-flame: ## where the processor time of a list goes, by perf, as a flame graph; as root
	@bin/stack deps run bench flame
	@$(MAKE) --no-print-directory build $(BENCHES)
	@tests/bench/flame

check-cost: ## instructions of a request against those in tests/bench/cost.txt; RECORD=1 writes them anew
	@bin/stack deps run cost
	@$(MAKE) --no-print-directory build $(BENCHES)
	@tests/bench/cost

# ---- check ----

C_FILES = $(wildcard lib/*/*.c cgi-bin/*.c bin/*.c bin/ctl/*.c tests/*/*.c)
H_FILES = $(wildcard lib/*/*.h bin/ctl/*.h tests/*/*.h)
SCRIPTS = $(shell grep -lE '^\#!.*(ba)?sh' bin/* bin/stack.d/* bin/container/* .ci/run tests/*/* 2>/dev/null)

.PHONY: check check-layers check-security check-docs check-man check-headers lint format clean
check: ## the house's rules: layers, headers that stand alone, no warnings with gcc and clang
	@bin/stack deps run test lint
	@$(MAKE) --no-print-directory check-layers check-security check-docs check-headers
	@$(MAKE) --no-print-directory build tests check-man WERROR=-Werror
	@for file in $(C_FILES); do \
		case $$file in tests/*) warnings="-Itests $(TEST_WARNINGS)";; bin/*) warnings="-Ibin $(WARNINGS)";; *) warnings="$(WARNINGS)";; esac; \
		clang $(CPPFLAGS) $$warnings -std=c17 -Werror -fsyntax-only $$file || exit 1; done
	@echo "check: clean"

check-layers:
	@bin/check-layers

check-security: ## docs/security.md names no test that is gone, and no requirement without one or a reason
	@bin/check-security

check-docs: ## docs/operations.md has every error code, reason, metric and line of the log; no document points at a file that is gone
	@bin/check-docs

check-man: man ## the man pages are clean to mandoc
	@mandoc -T lint -W warning build/man/*

check-headers:
	@for file in $(H_FILES); do \
		$(CC) $(CPPFLAGS) -Itests $(if $(filter tests/%,$$file),$(TEST_WARNINGS),-Wall -Wextra) -std=c17 -Werror -fsyntax-only -x c $$file || exit 1; done

lint: ## formatting, static analysis, shell scripts
	@bin/stack deps lint
	@clang-format --dry-run -Werror $(C_FILES) $(H_FILES)
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem -D_GNU_SOURCE -Ilib -Ibin lib cgi-bin bin
	@shellcheck $(SCRIPTS)
	@echo "lint: clean"

format: ## lay out the C code
	@clang-format -i $(C_FILES) $(H_FILES)

clean: ## remove what was built; a running stack's data stays
	rm -rf build/release build/debug build/asan build/coverage build/fuzz build/dist build/mutation

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile
