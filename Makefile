# Everything that is built lands in build/. `make help` lists the targets.

BUILD ?= build
CC ?= cc
CXX ?= c++
PREFIX ?= /usr/local
DESTDIR ?=

WARNINGS = -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
CFLAGS ?= -O2 -g
BASE_CFLAGS = -std=gnu11 $(WARNINGS) -MMD -MP -I. -I$(BUILD)/gen

# The agent: only the hooked names are visible, frame pointers let a hook find
# its caller's frame, and thread-locals never allocate.
AGENT_CFLAGS = $(BASE_CFLAGS) -fPIC -fvisibility=hidden -fno-omit-frame-pointer \
	-fno-optimize-sibling-calls -ftls-model=initial-exec -fno-builtin-malloc \
	-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free
# Its libraries are linked in and hidden, so that it never calls the host's
# copies and the host never calls ours. It is initialised before anything else.
AGENT_LDFLAGS = -shared -Wl,-z,initfirst -Wl,-z,now -Wl,-z,relro \
	-Wl,--exclude-libs,ALL -Wl,--version-script=agent/exports.map \
	-Wl,-soname,libleakagent.so
AGENT_LIBS = -l:libprotobuf-c.a -l:libinih.a -l:libz.a

DIFF_LIBS = -ldw -lelf -l:libiberty.a -lprotobuf-c -lz

AGENT_SOURCES := $(wildcard agent/*.c)
DIFF_SOURCES := $(wildcard diff/*.c)
UNIT_SOURCES := $(wildcard tests/unit/*_test.c)
PROGRAM_C_SOURCES := $(wildcard tests/programs/*.c)
PROGRAM_CXX_SOURCES := $(wildcard tests/programs/*.cc)

GENERATED = $(BUILD)/gen/agent/format/profile.pb-c

AGENT_OBJECTS := $(AGENT_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/agent/format/profile.pb-c.o
DIFF_OBJECTS := $(DIFF_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/diff/profile.pb-c.o
DIFF_LIB_OBJECTS := $(filter-out $(BUILD)/obj/diff/main.o,$(DIFF_OBJECTS))

.PHONY: all
all: $(BUILD)/libleakagent.so $(BUILD)/leakdiff

$(BUILD)/libleakagent.so: $(AGENT_OBJECTS) agent/exports.map
	$(CC) $(CFLAGS) $(LDFLAGS) $(AGENT_LDFLAGS) -o $@ $(AGENT_OBJECTS) $(AGENT_LIBS)

$(BUILD)/leakdiff: $(DIFF_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(DIFF_OBJECTS) $(DIFF_LIBS)

$(GENERATED).c $(GENERATED).h &: agent/format/profile.proto
	@mkdir -p $(BUILD)/gen
	protoc-c --c_out=$(BUILD)/gen $<

$(BUILD)/obj/agent/format/profile.pb-c.o: $(GENERATED).c
	@mkdir -p $(@D)
	$(CC) $(AGENT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/diff/profile.pb-c.o: $(GENERATED).c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/agent/%.o: agent/%.c $(GENERATED).h
	@mkdir -p $(@D)
	$(CC) $(AGENT_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/obj/diff/%.o: diff/%.c $(GENERATED).h
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(CFLAGS) -c -o $@ $<

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
