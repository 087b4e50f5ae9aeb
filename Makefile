# Everything that is built lands in build/. `make help` lists the targets.

BUILD ?= build
CC ?= cc
CXX ?= c++
PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?= -O2 -g
CXXFLAGS ?= $(CFLAGS)

COMMON_WARNINGS = -Wall -Wextra -Werror -Wshadow
WARNINGS = $(COMMON_WARNINGS) -Wstrict-prototypes -Wmissing-prototypes
BASE_CFLAGS = -std=gnu11 $(WARNINGS) -MMD -MP -I. -I$(BUILD)/gen

# The agent: only the hooked names are visible, frame pointers let a hook find
# its caller's frame, and thread-locals never allocate.
AGENT_CFLAGS = $(BASE_CFLAGS) -fPIC -fvisibility=hidden -fno-omit-frame-pointer \
	-fno-optimize-sibling-calls -ftls-model=initial-exec -fno-builtin-malloc \
	-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
# Its libraries are linked in and hidden, so that it never calls the host's
# copies and the host never calls ours.
AGENT_LDFLAGS = -shared -Wl,-z,now -Wl,-z,relro \
	-Wl,--exclude-libs,ALL -Wl,--version-script=agent/exports.map \
	-Wl,-soname,libleakagent.so
AGENT_LIBS = -l:libprotobuf-c.a -l:libinih.a -l:libz.a

DIFF_LIBS = -ldw -lelf -l:libiberty.a -lprotobuf-c -lz -llzma -lm

# Test programs are built the way a host would be, not the way we are.
PROGRAM_FLAGS = -g -O1 -pthread $(COMMON_WARNINGS) -MMD -MP -I.

AGENT_SOURCES := $(wildcard agent/*.c)
DIFF_SOURCES := $(wildcard diff/*.c)
UNIT_SOURCES := $(wildcard tests/unit/*_test.c)
FUZZ_SOURCES := $(wildcard tests/fuzz/*.c)
PROGRAM_SOURCES := $(wildcard tests/programs/*.c tests/programs/*.cc)

GENERATED = $(BUILD)/gen/agent/format/profile.pb-c

AGENT_OBJECTS := $(AGENT_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/agent/format/profile.pb-c.o
# What unit tests may use: linking a hook would interpose the test's own malloc.
AGENT_UNIT_OBJECTS := $(filter-out $(BUILD)/obj/agent/hooks_%.o,$(AGENT_OBJECTS))
DIFF_OBJECTS := $(DIFF_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/diff/profile.pb-c.o
DIFF_LIB_OBJECTS := $(filter-out $(BUILD)/obj/diff/main.o,$(DIFF_OBJECTS))

# tests/programs/lib*.c are plugins and become shared objects.
PROGRAMS := $(basename $(PROGRAM_SOURCES:%=$(BUILD)/%))
PROGRAMS := $(foreach p,$(PROGRAMS),$(p)$(if $(filter lib%,$(notdir $(p))),.so))
UNIT_TESTS := $(UNIT_SOURCES:%.c=$(BUILD)/%)
CONTROL_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard scripts/control/*.c))
FUZZERS := $(FUZZ_SOURCES:%.c=$(BUILD)/%)

.PHONY: all
all: $(BUILD)/libleakagent.so $(BUILD)/leakdiff $(BUILD)/leakagent-control ## the agent, leakdiff and leakagent's helper (the default)

$(BUILD)/libleakagent.so: $(AGENT_OBJECTS) agent/exports.map
	$(CC) $(CFLAGS) $(LDFLAGS) $(AGENT_LDFLAGS) -o $@ $(AGENT_OBJECTS) $(AGENT_LIBS)

$(BUILD)/leakdiff: $(DIFF_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(DIFF_OBJECTS) $(DIFF_LIBS)

$(BUILD)/leakagent-control: $(CONTROL_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(CONTROL_OBJECTS)

$(GENERATED).c $(GENERATED).h &: agent/format/profile.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --c_out=$(BUILD)/gen $<

$(BUILD)/obj/agent/format/profile.pb-c.o: $(GENERATED).c
	@mkdir -p $(@D)
	$(CC) $(AGENT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/diff/profile.pb-c.o: $(GENERATED).c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CFLAGS) -c -o $@ $<

# See there.
$(BUILD)/obj/agent/hooks_quick.o: AGENT_CFLAGS += -foptimize-sibling-calls

$(BUILD)/obj/agent/%.o: agent/%.c $(GENERATED).h
	@mkdir -p $(@D)
	$(CC) $(AGENT_CFLAGS) $(CFLAGS) -c -o $@ $<

# It includes the list as it is.
$(BUILD)/obj/diff/wrappers.o: conf/leakdiff-wrappers.conf

$(BUILD)/obj/%.o: %.c $(GENERATED).h
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CFLAGS) -c -o $@ $<

# ---- what to type ----

PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: demo
demo: ## installs what is missing, builds, and shows the main job
	@scripts/install-deps build
	@echo building
	@$(MAKE) -s $(PARALLEL) all $(BUILD)/tests/programs/demo_server
	@BUILD=$(BUILD) scripts/demo

.PHONY: check
check: ## installs what is missing, builds, and runs every test
	@scripts/install-deps check
	@$(MAKE) -s $(PARALLEL) all programs unit-tests fuzzers
	@BUILD=$(BUILD) SECONDS_EACH=10 tests/run

.PHONY: check-hosts
check-hosts: ## installs more programs, and runs each without and with the agent
	@scripts/install-deps hosts
	@$(MAKE) -s $(PARALLEL) all programs
	@BUILD=$(BUILD) tests/run hosts

.PHONY: verify
verify: all programs ## the system tests, each stack compared with libunwind's
	BUILD=$(BUILD) VERIFY=on tests/run system

# How long, in seconds, soak runs and each fuzzer does.
SECONDS_EACH ?= 600

.PHONY: soak
soak: all programs ## the agent under random load for SECONDS_EACH (600)
	BUILD=$(BUILD) SECONDS_EACH=$(SECONDS_EACH) tests/run soak

.PHONY: fuzz
fuzz: all fuzzers ## each fuzzer for SECONDS_EACH (600)
	BUILD=$(BUILD) SECONDS_EACH=$(SECONDS_EACH) tests/run fuzz

.PHONY: figures
figures: ## what the tests tried, how often, and what of it broke
	@BUILD=$(BUILD) python3 -m tests.support.figures

# GROUP=micro (or several) measures only that; BENCH_QUICK=1 takes two minutes.
.PHONY: bench
bench: ## measures what it costs, in ten minutes, into BUILD/bench/report.md
	@scripts/install-deps bench
	@$(MAKE) -s $(PARALLEL) all bench-programs
	@BUILD=$(BUILD) python3 -m scripts.bench $(GROUP)

LINTED = $(AGENT_SOURCES) $(DIFF_SOURCES) $(wildcard scripts/control/*.c)
LINT_FLAGS = $(filter-out -MMD -MP,$(BASE_CFLAGS)) -ftls-model=initial-exec

.PHONY: lint
lint: $(GENERATED).h ## clang-tidy: no findings
	printf '%s\n' $(LINTED) | xargs -n 1 -P $$(nproc) sh -c \
		'clang-tidy --quiet "$$0" -- $(LINT_FLAGS) 2>/dev/null'

.PHONY: deps
deps: ## installs the packages that building and testing need
	scripts/install-deps check

.PHONY: clean
clean: ## removes what was built
	rm -rf $(BUILD)

# ---- install ----

# Paths as words for the shell, whatever characters they have.
quote = '$(subst ','\'',$(DESTDIR)$(PREFIX)$1)'
BINDIR = $(call quote,/bin)
LIBDIR = $(call quote,/lib)
LIBEXECDIR = $(call quote,/libexec/leakagent)
DATADIR = $(call quote,/share/leakagent)
DOCDIR = $(call quote,/share/doc/leakagent)
# What is staged for a package is not where the loader looks.
REFRESH = $(if $(DESTDIR),:,scripts/refresh-loader $(LIBDIR))

.PHONY: install
install: all ## into PREFIX (/usr/local), below DESTDIR
	install -d $(BINDIR) $(LIBDIR) $(LIBEXECDIR) $(DATADIR) $(DOCDIR)
	install -m 644 $(BUILD)/libleakagent.so $(LIBDIR)
	install $(BUILD)/leakdiff scripts/leakagent $(BINDIR)
	install $(BUILD)/leakagent-control $(LIBEXECDIR)
	install -m 644 conf/leakdiff-wrappers.conf $(DATADIR)
	install -m 644 conf/leakagent.ini $(DOCDIR)
	@$(REFRESH)

.PHONY: uninstall
uninstall: ## removes what install put there
	rm -f $(LIBDIR)/libleakagent.so $(BINDIR)/leakdiff $(BINDIR)/leakagent \
		$(LIBEXECDIR)/leakagent-control $(DATADIR)/leakdiff-wrappers.conf \
		$(DOCDIR)/leakagent.ini
	-rmdir --ignore-fail-on-non-empty $(LIBEXECDIR) $(DATADIR) $(DOCDIR)
	@$(REFRESH)

# ---- tests ----

.PHONY: programs bench-programs unit-tests
programs: $(PROGRAMS)
bench-programs: $(foreach p,$(PROGRAMS),$(if $(findstring bench_,$(notdir $p)),$p))
unit-tests: $(UNIT_TESTS)

# Compiled and linked in one step, which needs the dependency file named.
DEPENDENCIES = -MF $@.d -MT $@
# A program that needs more says so in a line of its own: /* build: -O2 -ldl */
EXTRA_FLAGS = $$(sed -n 's|^/\* build: \(.*\) \*/$$|\1|p' $<)

$(BUILD)/tests/programs/%.so: tests/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) $(DEPENDENCIES) -fPIC -shared -o $@ $< $(EXTRA_FLAGS)

$(BUILD)/tests/programs/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(PROGRAM_FLAGS) $(DEPENDENCIES) -o $@ $< $(EXTRA_FLAGS)

$(BUILD)/tests/programs/%: tests/programs/%.cc
	@mkdir -p $(@D)
	$(CXX) $(PROGRAM_FLAGS) $(DEPENDENCIES) -o $@ $< $(EXTRA_FLAGS)

# It is linked with this.
$(BUILD)/tests/programs/resolvers: private EXTRA_FLAGS += \
	$(BUILD)/tests/programs/libresolvers.so -Wl,-rpath,'$$ORIGIN'
$(BUILD)/tests/programs/resolvers: $(BUILD)/tests/programs/libresolvers.so

# Archives, so that a test links just what it uses.
$(BUILD)/agent-unit.a: $(AGENT_UNIT_OBJECTS)
$(BUILD)/diff-unit.a: $(DIFF_LIB_OBJECTS)
$(BUILD)/control-unit.a: $(filter-out %/main.o,$(CONTROL_OBJECTS))
$(BUILD)/%-unit.a:
	rm -f $@
	$(AR) rcs $@ $^

TEST_CC = $(CC) $(BASE_CFLAGS) $(DEPENDENCIES) -pthread $(CFLAGS) $(LDFLAGS)

$(BUILD)/tests/unit/agent_%_test: tests/unit/agent_%_test.c $(BUILD)/agent-unit.a
	@mkdir -p $(@D)
	$(TEST_CC) -o $@ $< $(BUILD)/agent-unit.a $(AGENT_LIBS) -lcmocka $(EXTRA_FLAGS)

# They load these.
$(BUILD)/tests/unit/agent_stack_test $(BUILD)/tests/unit/agent_verify_test: \
	| $(BUILD)/tests/programs/libcallers.so
$(BUILD)/tests/unit/agent_trail_test: | $(BUILD)/tests/programs/libwalkers.so
$(BUILD)/tests/unit/agent_frames_test: | $(addprefix $(BUILD)/tests/programs/, \
	libplugin_one.so libplugin_two.so)

$(BUILD)/tests/unit/diff_%_test: tests/unit/diff_%_test.c $(BUILD)/diff-unit.a
	@mkdir -p $(@D)
	$(TEST_CC) -o $@ $< $(BUILD)/diff-unit.a $(DIFF_LIBS) -lcmocka

# Fuzzers take diff/ and leakagent's helper with them, compiled for coverage and
# with the sanitizers.
SANITIZERS = address,undefined -fno-sanitize-recover=all
FUZZ_BUILD = BUILD=$(BUILD)/fuzz CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,$(SANITIZERS)'

.PHONY: fuzzers
fuzzers:
	$(if $(FUZZERS),$(MAKE) $(FUZZ_BUILD) $(FUZZERS:$(BUILD)/%=$(BUILD)/fuzz/%))

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/diff-unit.a $(BUILD)/control-unit.a
	@mkdir -p $(@D)
	$(TEST_CC) -fsanitize=fuzzer -o $@ $< $(BUILD)/diff-unit.a \
		$(BUILD)/control-unit.a $(DIFF_LIBS)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
