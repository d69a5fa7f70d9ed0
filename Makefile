# perilune: `make help` lists what can be asked for.

MAKEFLAGS += -rR
ifeq ($(filter command environment,$(origin CC)),)
CC := cc
endif
BUILD := build
PREFIX := /usr/local
DESTDIR :=
T := tests
CFLAGS ?= -O2 -g
# The commands and the pkg-config name of Lua 5.4 differ between systems.
LUA = $(or $(shell command -v lua5.4),lua)
LUA_PC = $(or $(shell for p in lua5.4 lua-5.4 lua54 lua; do \
  pkg-config --exists $$p 2>/dev/null && echo $$p && break; done),lua5.4)
EDIT = $(shell pkg-config --exists libedit 2>/dev/null && echo yes)
CPPFLAGS += -Icore -D_GNU_SOURCE $(shell pkg-config --cflags $(LUA_PC) 2>/dev/null)
WARNINGS := -std=gnu11 -Wall -Wextra -Wshadow -Wconversion -Werror
ALL_CFLAGS = $(CFLAGS) $(WARNINGS) -fno-math-errno -fno-trapping-math -fPIC -fvisibility=hidden -pthread -MMD -MP
FONT_DIR ?= $(patsubst %/DejaVuSans.ttf,%,$(firstword $(wildcard $(addsuffix /DejaVuSans.ttf, \
  $(addprefix /usr/share/fonts/,truetype/dejavu dejavu-sans-fonts TTF))) \
  /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf))
LIBS := -lopenblas -lmd -lm -pthread
HOST_LIBS = $(shell pkg-config --libs $(LUA_PC)) $(if $(EDIT),$(shell pkg-config --libs libedit)) $(LIBS)
ISAS := baseline $(if $(filter x86_64,$(shell uname -m)),avx2 avx512)
ISA_avx2 := -mavx2 -mfma
ISA_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512

SOURCES := $(filter-out core/kernels/kernels.c,$(wildcard core/*/*.c))
ASSEMBLY := $(wildcard core/*/*.S)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(ASSEMBLY:%.S=$(BUILD)/%.o) \
  $(ISAS:%=$(BUILD)/core/kernels/kernels_%.o)
# What only the interpreter has: its command line and its prompt.
HOST_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard core/*.c))
MODULE := $(BUILD)/lib/perilune/core.so
PROGRAM := $(BUILD)/bin/perilune

LUA_PATH := lua/?.lua;lua/?/init.lua;;
LUA_CPATH := build/lib/?.so;;
PERILUNE := build/bin/perilune
export LUA_PATH LUA_CPATH PERILUNE

# V=1 shows whole commands.
say = $(if $(V),,@printf '  %-5s%s\n' $(1) $@ &&)

.PHONY: all deps run notebook test bench lint format asan install uninstall clean help
.DELETE_ON_ERROR:

all: $(MODULE) $(PROGRAM) ## build the interpreter build/bin/perilune and the module for stock lua5.4

$(MODULE): $(OBJECTS)
	@mkdir -p $(@D)
	$(call say,link) $(CC) -shared -Wl,-z,nodelete $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(PROGRAM): $(OBJECTS) $(HOST_OBJECTS)
	@mkdir -p $(@D)
	$(call say,link) $(CC) -rdynamic $(CFLAGS) $(LDFLAGS) -o $@ $^ $(HOST_LIBS)

$(BUILD)/core/kernels/kernels_%.o: core/kernels/kernels.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -O3 $(KERNEL_FLAGS) $(ISA_$*) -DISA=$* -c -o $@ $<

$(BUILD)/core/image/font.o: CPPFLAGS += -DPL_FONT_DIR='"$(FONT_DIR)"'
$(BUILD)/core/terminal.o: CPPFLAGS += $(if $(EDIT),-DPERILUNE_LIBEDIT $(shell pkg-config --cflags libedit))

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/%.o: %.S $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc) $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# ---- what must be installed ---------------------------------------------------------------------
# A line a Debian package: a quick look for what it brings. MISSING is what this call of make lacks.

need_command = command -v $(1) >/dev/null 2>&1 || printf ' %s' $(2);
need_file = test -e $(1) || printf ' %s' $(2);
need_module = pkg-config --exists $(1) 2>/dev/null || printf ' %s' $(2);

look_build = $(call need_command,cc,gcc) $(call need_file,/usr/include/stdio.h,libc6-dev) \
  $(call need_command,pkg-config,pkg-config) $(call need_command,$(LUA),lua5.4) \
  $(call need_module,$(LUA_PC),liblua5.4-dev) $(call need_module,openblas,libopenblas-dev) \
  $(call need_module,libedit,libedit-dev) $(call need_module,libmd,libmd-dev) \
  $(call need_file,/usr/include/stb/stb_image.h,libstb-dev) \
  $(call need_file,$(FONT_DIR)/DejaVuSans.ttf,fonts-dejavu-core)
look_test = $(call need_command,busted,lua-busted)
look_lint = $(call need_command,luacheck,lua-check) $(call need_command,clang-format,clang-format) \
  $(call need_command,clang,clang)
look_fetch = $(call need_command,curl,curl) \
  $(call need_file,/etc/ssl/certs/ca-certificates.crt,ca-certificates)

GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out clean help uninstall,$(GOALS)),)
MISSING := $(strip $(shell $(look_build) \
  $(if $(filter test asan deps,$(GOALS)),$(look_test)) \
  $(if $(filter lint format deps,$(GOALS)),$(look_lint)) \
  $(if $(filter run notebook deps,$(GOALS)),$(look_fetch))))
# Other flags than last time make every object anew.
FLAGS := $(CC) $(ALL_CFLAGS) $(ISA_avx2) $(ISA_avx512) $(LDFLAGS) \
  $(if $(findstring command,$(origin EDIT)),EDIT=$(EDIT))
ifeq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
$(shell mkdir -p $(BUILD); echo '$(FLAGS)' | cmp -s - $(BUILD)/flags || echo '$(FLAGS)' >$(BUILD)/flags)
endif
endif
ifneq ($(MISSING),)
$(OBJECTS) $(HOST_OBJECTS) run notebook test lint format asan: | deps
endif

define OTHER_SYSTEMS
perilune needs a C compiler, make, pkg-config, Lua 5.4, OpenBLAS, stb, libmd, DejaVu's fonts
and, for editing at the prompt, libedit.
  Debian, Ubuntu  apt-get install gcc libc6-dev make pkg-config lua5.4 liblua5.4-dev libopenblas-dev \
                  libstb-dev fonts-dejavu-core libedit-dev libmd-dev curl ca-certificates \
                  lua-busted lua-check clang clang-format
  Fedora          dnf install gcc make pkgconf-pkg-config lua lua-devel openblas-devel \
                  stb_image-devel stb_image_write-devel stb_truetype-devel dejavu-sans-fonts \
                  libedit-devel libmd-devel curl clang clang-tools-extra luarocks
                  luarocks install busted; luarocks install luacheck
  Homebrew        brew install lua openblas libedit libmd pkgconf luarocks clang-format
                  and stb's headers as <stb/stb_image.h>, DejaVu's fonts; then luarocks as above
endef
export OTHER_SYSTEMS

deps: ## install what is missing (with apt, as root or by sudo), or say what to install
	@if [ -z "$(MISSING)" ]; then echo "Everything needed is installed."; exit 0; fi; \
	if ! command -v apt-get >/dev/null 2>&1; then \
	  printf 'Not found: $(MISSING)\n%s\n' "$$OTHER_SYSTEMS" >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then root=; elif sudo -n true 2>/dev/null; then root='sudo -n'; \
	else printf 'Please run this line, then make again:\n  %s\n' \
	  'sudo apt-get update && sudo apt-get install -y $(MISSING)' >&2; exit 1; fi; \
	echo 'Installing $(MISSING)'; \
	try() { $$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
	  -o Dpkg::Use-Pty=0 install -y --no-install-recommends $(MISSING); }; \
	try >/dev/null 2>&1 || { $$root apt-get -qq update && try; }

# ---- what to do with it -------------------------------------------------------------------------

FETCH = $(PROGRAM) data/fetch.lua || [ $$? = 1 ] # without the data: the sample, and the scripts say so

run: all ## train the two-layer net and net a on CIFAR-10 and draw them: runs/two_layer/, runs/convnets/
	$(FETCH)
	$(PROGRAM) scripts/two_layer_net.lua
	$(PROGRAM) scripts/convnets.lua --net a

notebook: all ## the whole course: both problems, nets a, b and c with both paddings (an hour or more)
	$(FETCH)
	$(PROGRAM) scripts/two_layer_net.lua
	$(PROGRAM) scripts/convnets.lua --net a,b,c --padding valid,same

test: all ## run the specs under stock lua5.4; T=tests/x_spec.lua runs one
	@$(LUA) tests/run.lua $(T)

bench: all ## time training steps and kernels; PEER_PYTHON=… against PyTorch and Keras
	@PEER_PYTHON='$(PEER_PYTHON)' $(PROGRAM) tests/bench.lua

CLANG = clang -fsyntax-only $(CPPFLAGS) $(WARNINGS) -DPL_FONT_DIR='"$(FONT_DIR)"' \
  $(if $(EDIT),-DPERILUNE_LIBEDIT $(shell pkg-config --cflags libedit))
C_SOURCES = $(wildcard core/*.[ch] core/*/*.[ch] core/*/*.inc core/*/*/*.inc)
LUA_SOURCES = lua scripts tests $(wildcard data/*.lua)

lint: ## luacheck, clang-format, the arrows of the house, and clang's warnings, all as errors
	@status=0; try() { "$$@" || status=1; }; \
	try luacheck -q $(LUA_SOURCES); \
	try clang-format --dry-run -Werror $(C_SOURCES); \
	try $(LUA) tests/arrows.lua; \
	for c in $(SOURCES) $(wildcard core/*.c); do try $(CLANG) $$c; done; \
	$(foreach i,$(ISAS),try $(CLANG) $(ISA_$(i)) -DISA=$(i) core/kernels/kernels.c;) \
	[ $$status = 0 ] && echo 'lint: nothing to mend'

format: ## lay the C out as make lint wants it
	clang-format -i $(C_SOURCES)

SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# In the frames made to find uses after return GCC 12 misaligns registers of 64 bytes, which fault.
KERNEL_SANITIZE := $(if $(findstring clang,$(shell $(CC) --version)),,--param asan-use-after-return=0)
asan: all ## run the specs in an interpreter built with ASan and UBSan
	$(MAKE) BUILD=build/asan CFLAGS='$(SANITIZE)' KERNEL_FLAGS='$(KERNEL_SANITIZE)' \
	  build/asan/bin/perilune
	@ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=1 \
	  UBSAN_OPTIONS=print_stacktrace=1 PERILUNE=build/asan/bin/perilune PERILUNE_ASAN=1 \
	  build/asan/bin/perilune tests/run.lua $(T)

LUA_FILES = $(shell cd lua && find perilune -name '*.lua')
install: all ## copy perilune to $(DESTDIR)$(PREFIX), /usr/local by default
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/perilune
	install -D -m 755 $(MODULE) $(DESTDIR)$(PREFIX)/lib/lua/5.4/perilune/core.so
	install -D -m 644 core/perilune.h $(DESTDIR)$(PREFIX)/include/perilune.h
	@for f in $(LUA_FILES); do \
	  install -D -m 644 lua/$$f $(DESTDIR)$(PREFIX)/share/lua/5.4/$$f || exit 1; done
	@echo 'lua/perilune -> $(DESTDIR)$(PREFIX)/share/lua/5.4/perilune'

uninstall: ## remove what make install copied
	rm -f $(DESTDIR)$(PREFIX)/bin/perilune $(DESTDIR)$(PREFIX)/include/perilune.h
	rm -rf $(DESTDIR)$(PREFIX)/lib/lua/5.4/perilune $(DESTDIR)$(PREFIX)/share/lua/5.4/perilune

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

-include $(OBJECTS:.o=.d) $(HOST_OBJECTS:.o=.d)
