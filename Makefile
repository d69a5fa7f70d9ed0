# perilune: `make help` lists what can be asked for.

MAKEFLAGS += -rR
ifeq ($(filter command environment,$(origin CC)),)
CC := cc
endif
BUILD := build
CFLAGS ?= -O2 -g
CPPFLAGS += -Icore -D_GNU_SOURCE $(shell pkg-config --cflags lua5.4)
WARNINGS := -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Werror
ALL_CFLAGS = $(CFLAGS) $(WARNINGS) -fPIC -fvisibility=hidden -pthread -MMD -MP
FONT_DIR ?= /usr/share/fonts/truetype/dejavu
LIBS := -lopenblas -lmd -lm -pthread
ISAS := baseline $(if $(filter x86_64,$(shell uname -m)),avx2 avx512)
ISA_avx2 := -mavx2 -mfma
ISA_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512

SOURCES := $(filter-out core/main.c core/kernels/kernels.c,$(wildcard core/*.c core/*/*.c))
ASSEMBLY := $(wildcard core/*/*.S)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(ASSEMBLY:%.S=$(BUILD)/%.o) \
  $(ISAS:%=$(BUILD)/core/kernels/kernels_%.o)
MODULE := $(BUILD)/lib/perilune/core.so

LUA_PATH := lua/?.lua;lua/?/init.lua;;
LUA_CPATH := $(BUILD)/lib/?.so;;
export LUA_PATH LUA_CPATH

.PHONY: all test clean
all: $(MODULE)

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-z,nodelete $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/core/kernels/kernels_%.o: core/kernels/kernels.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -O3 $(ISA_$*) -DISA=$* -c -o $@ $<

$(BUILD)/core/image/font.o: CPPFLAGS += -DPL_FONT_DIR='"$(FONT_DIR)"'

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

T ?= tests
test: all
	lua5.4 /usr/bin/busted $(T)

clean:
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d)
