# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh: `make help` lists the targets and variables.

VERSION := 0.1.0

MACHINE := $(shell uname -m)
ARCH ?= $(MACHINE)
PREFIX ?= /usr
DESTDIR ?=
CROSS_COMPILE ?=
ROOT ?=
KDIR ?=
LOG ?= LOG_WARN
VIRTIO_GPU ?= y
V ?= 0

# The names of the old tool, the kernel and Debian all mean one of four.
arch_arm64 := arm64
arch_aarch64 := arm64
arch_riscv := riscv64
arch_riscv64 := riscv64
arch_loong64 := loongarch64
arch_loongarch := loongarch64
arch_loongarch64 := loongarch64
arch_x86_64 := x86_64
arch_amd64 := x86_64
TARGET := $(arch_$(ARCH))
ifeq ($(TARGET),)
$(error ARCH=$(ARCH) is none of arm64, riscv64 (riscv), loongarch64 (loongarch), x86_64)
endif
NATIVE := $(arch_$(MACHINE))
triplet_arm64 := aarch64-linux-gnu
triplet_riscv64 := riscv64-linux-gnu
triplet_loongarch64 := loongarch64-linux-gnu
triplet_x86_64 := x86_64-linux-gnu
TRIPLET := $(triplet_$(TARGET))
# For another machine: the compiler that scripts/sysroot.sh puts beside the libraries, or an installed one.
ifneq ($(TARGET),$(NATIVE))
ifeq ($(CROSS_COMPILE),)
CROSS_COMPILE := $(addsuffix /,$(realpath $(ROOT)/compiler/usr/bin))$(TRIPLET)-
endif
endif

# LOG=LOG_DEBUG and friends of the old tool, or plain words: only the default level.
log_TRACE := HV_LOG_DEBUG
log_DEBUG := HV_LOG_DEBUG
log_INFO := HV_LOG_INFO
log_WARN := HV_LOG_WARN
log_ERROR := HV_LOG_ERROR
log_FATAL := HV_LOG_ERROR
LOG_LEVEL := $(log_$(shell echo '$(LOG)' | tr a-z A-Z | sed 's/^LOG_//'))
ifeq ($(LOG_LEVEL),)
$(error LOG=$(LOG) is none of error, warn, info, debug)
endif

# SAN=1: sanitizers, as the tests use it. SAN=thread: the thread sanitizer.
SAN ?=
ifneq ($(SAN),)
O ?= build/san$(filter-out 1,$(SAN))
else ifeq ($(TARGET),$(NATIVE))
O ?= build/native
else
O ?= build/$(TARGET)
endif

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
AR := $(CROSS_COMPILE)ar
STRIP := $(CROSS_COMPILE)strip
PKG_CONFIG ?= pkg-config
# A cross compiler looks into its own libc first, where that is installed: the sysroot's comes before it.
SYSROOT := $(if $(ROOT),--sysroot=$(ROOT) -B$(ROOT)/usr/lib/$(TRIPLET)/ \
	-isystem $(ROOT)/usr/include/$(TRIPLET) -isystem $(ROOT)/usr/include)
PKG := PKG_CONFIG_LIBDIR=$(ROOT)/usr/lib/$(TRIPLET)/pkgconfig:$(ROOT)/usr/share/pkgconfig \
	$(if $(ROOT),PKG_CONFIG_SYSROOT_DIR=$(ROOT)) $(PKG_CONFIG)
pkg = $(shell $(PKG) $(1) 2>/dev/null)

GPU := $(filter y,$(VIRTIO_GPU))
COMMA := ,
PACKAGES := lua5.4 zlib jansson liburing libseccomp
CPPFLAGS += -D_GNU_SOURCE -DHVSH_VERSION='"$(VERSION)"' -DHV_LOG_DEFAULT=$(LOG_LEVEL) -DHVSH_VIRTIO_GPU=$(if $(GPU),1,0) \
	-DHVSH_PREFIX='"$(PREFIX)"' -Icore -I. $(call pkg,--cflags $(PACKAGES) $(if $(GPU),libdrm libpng))
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	$(if $(findstring clang,$(CC)),,-Wshadow=local)
# The same bytes wherever the source lies; position independent also where the compiler would not do so by itself.
ALL_CFLAGS := -std=gnu11 -fno-strict-aliasing -fstack-protector-strong -fPIE -ffile-prefix-map=$(CURDIR)=. -pthread \
	$(WARN) $(CFLAGS) $(SYSROOT)
LIBS := $(call pkg,--libs $(PACKAGES)) -lfdt -lm -pthread
LDFLAGS += $(SYSROOT)
ifeq ($(SAN),1)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
else ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=$(SAN) -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif
ifneq ($(SAN),)
ALL_CFLAGS += -fPIC
endif

not_gpu = $(if $(GPU),$(1),$(filter-out core/virtio/dev/gpu% tests/core/virtio/test_gpu% tests/fuzz/fuzz_gpu%,$(1)))
CORE_SRC := $(call not_gpu,$(sort $(shell find core -name '*.c')))
LUA_SRC := $(sort $(filter-out lua/static.c,$(wildcard lua/*.c)))
EMBED := $(sort $(filter-out lua/meta/fields.lua,$(shell find lua/prelude lua/meta modules -name '*.lua')))
CORE_OBJ := $(CORE_SRC:%.c=$(O)/%.o)
LUA_OBJ := $(filter-out $(O)/lua/main.o,$(LUA_SRC:%.c=$(O)/%.o)) $(O)/embed.o
TEST_SRC := $(call not_gpu,$(sort $(shell find tests/core -name 'test_*.c')))
TEST_BIN := $(TEST_SRC:%.c=$(O)/%)
TEST_LIB_OBJ := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard tests/lib/*.c)))
# What all tests are linked with. Sanitizers make it so large that a copy in each of them would be 2 GB.
TEST_CORE := $(if $(SAN),$(O)/libhvtest.so,$(TEST_LIB_OBJ) $(O)/libhvcore.a)
FUZZ_SRC := $(call not_gpu,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(O)/fuzz/%)

ifeq ($(V),0)
say = @printf '  %-7s %s\n' $(1) $(2);
endif

# STATIC=1: all libraries in one file, for a root file system without them.
STATIC ?=
PROGRAM := $(O)/$(if $(STATIC),static/)hvsh
ifneq ($(STATIC),)
ifneq ($(SAN),)
$(error STATIC and SAN exclude each other: there are no static sanitizers)
endif
endif

# With KDIR the modules, too, as the old tool has it.
all: $(PROGRAM) $(if $(KDIR),kmod)

$(O)/hvsh: $(O)/lua/main.o $(LUA_OBJ) $(O)/libhvcore.a
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
	@ln -sf hvsh $(O)/hvisor

# It loads no libraries at run time, either: lua/static.c. gpu_png.c takes the one that is linked.
$(O)/static/hvsh: private LIBS := $(if $(GPU),-Wl$(COMMA)-u$(COMMA)png_image_write_to_stdio) \
	$(call pkg,--static --libs $(PACKAGES) $(if $(GPU),libpng)) -lfdt -lreadline -ltinfo -lm -pthread
$(O)/static/hvsh: $(O)/lua/main.o $(LUA_OBJ) $(O)/lua/static.o $(O)/libhvcore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -static-pie -Wl,--wrap=dlopen -o $@.tmp $^ $(LIBS)
	@$(STRIP) $@.tmp && mv $@.tmp $@ && ln -sf hvsh $(@D)/hvisor
	@echo "$@: $$(($$(wc -c < $@) / 1024)) KiB, all libraries in it"

$(O)/libhvcore.a: $(CORE_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# What the objects depend on besides their sources: the flags they were built with.
$(O)/flags: FORCE
	@$(PKG) --print-errors --exists $(PACKAGES) $(if $(GPU),libdrm libpng) || { echo "hvsh: a library is missing$(if $(ROOT), in ROOT=$(ROOT)):" \
		"$(if $(ROOT),scripts/sysroot.sh makes a folder that has all,scripts/setup.sh build installs it)" >&2; exit 1; }
	@mkdir -p $(O)
	@echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $(LIBS)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(LDFLAGS) $(LIBS)' > $@

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(if $(filter $(O)/core/%,$@),-Wconversion -Wno-sign-conversion) -MMD -MP -c -o $@ $<

$(O)/embed.c: scripts/embed.sh $(EMBED) $(O)/flags
	$(call say,EMBED,$@)sh scripts/embed.sh $(EMBED) > $@.tmp && mv $@.tmp $@
# The keys' names, as the kernel's header has them.
$(O)/input_names.h: scripts/input_names.sh $(O)/flags
	$(call say,NAMES,$@)sh scripts/input_names.sh $(CC) $(SYSROOT) > $@.tmp && mv $@.tmp $@
$(O)/lua/bind_input.o: $(O)/input_names.h
$(O)/lua/bind_input.o: private CPPFLAGS += -I$(O)
$(O)/embed.o: $(O)/embed.c
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(O)/libhvtest.so: $(CORE_OBJ) $(TEST_LIB_OBJ)
	$(call say,LINK,$@)$(CC) $(LDFLAGS) -shared -o $@ $^ -lcmocka $(LIBS)
# Every call of these by an object goes through tests/core/virtio/syscall_faults.c.
FAULT_BIN := $(filter $(O)/tests/core/virtio/test_faults%,$(TEST_BIN))
FAULT_CALLS := $(shell sed -n 's/^\tX(\([a-z0-9_]*\)).*/\1/p' tests/core/virtio/syscall_faults.h)
$(FAULT_BIN): $(O)/tests/core/virtio/syscall_faults.o $(TEST_LIB_OBJ) $(O)/libhvcore.a
$(FAULT_BIN): private LDFLAGS += $(FAULT_CALLS:%=-Wl,--wrap=%)
$(filter-out $(FAULT_BIN),$(TEST_BIN)): $(TEST_CORE)
$(TEST_BIN): $(O)/%: $(O)/%.o
	$(call say,LINK,$@)$(CC) $(LDFLAGS) $(if $(SAN),-Wl$(COMMA)-rpath$(COMMA)$(abspath $(O))) -o $@ $^ -lcmocka $(LIBS)
$(O)/tests/core/control/test_attach: $(O)/lua/attach.o $(O)/lua/attach_local.o $(O)/lua/attach_remote.o $(O)/lua/rawtty.o
TEST_LUA := $(filter $(O)/tests/core/policy/% $(O)/tests/core/sandbox/test_policy% \
	$(O)/tests/core/control/test_requests $(O)/tests/core/control/test_shell_end,$(TEST_BIN))
$(TEST_LUA): $(LUA_OBJ)
$(TEST_LUA) $(O)/tests/core/control/test_attach: private LIBS := $(filter %.a %.so,$(TEST_CORE)) $(LIBS)
# Reads what was written.
$(O)/tests/core/virtio/test_gpu: private LIBS += $(call pkg,--libs libpng)
# Loaded by the test, as libdrm is by the output.
$(O)/tests/core/virtio/test_gpu_drm: | $(O)/tests/core/virtio/fake_libdrm.so
$(O)/tests/core/virtio/fake_libdrm.so: tests/core/virtio/fake_libdrm.c tests/core/virtio/fake_libdrm.h $(O)/flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fPIC $(LDFLAGS) -shared -o $@ $<
# cmocka 2 has new names for what it shares with cmocka 1.
$(TEST_BIN:%=%.o) $(TEST_LIB_OBJ) $(O)/tests/core/virtio/syscall_faults.o: private CPPFLAGS += -Itests/lib -Wno-deprecated-declarations

$(O)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(LUA_OBJ) $(O)/libhvcore.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $< $(LUA_OBJ) $(O)/libhvcore.a $(LIBS)

$(O)/tests/bench/policy: tests/bench/policy.c $(O)/tests/lib/vrig.o $(LUA_OBJ) $(O)/libhvcore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(CPPFLAGS) -Itests/lib -Wno-deprecated-declarations $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# ---- what people type

demo:
	@scripts/setup.sh build demo
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh $(O)

# T=path runs a part: make test T=tests/cli
T ?=
test:
	@scripts/setup.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) all sandbox-test-build
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=1 test-build
	@$(MAKE) --no-print-directory -j$$(nproc) fuzz-build
	@scripts/test.sh build/san $(T)

test-build: $(O)/hvsh $(TEST_BIN)
# Without sanitizers, which a strict filter of system calls does not get on with.
sandbox-test-build: $(filter $(O)/tests/core/sandbox/%,$(TEST_BIN))

fuzz-build:
	@$(MAKE) --no-print-directory O=build/fuzz CC=clang SAN= \
		CFLAGS='-O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -fno-omit-frame-pointer' \
		LDFLAGS='-fsanitize=address,undefined' fuzz-bin
fuzz-bin: $(FUZZ_BIN)

# What takes too long for each change.
long-test:
	@scripts/setup.sh build long
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@scripts/test.sh $(O) $(or $(T),tests/long)

soak:
	@scripts/setup.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) $(O)/tests/core/guest/test_guest
	@scripts/soak.sh $(O)

# The tests of C, or T, on a machine that is too busy: make stress ROUNDS=20 T=tests/core/virtio
ROUNDS ?= 5
stress:
	@scripts/setup.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) all sandbox-test-build
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=1 test-build
	@scripts/stress.sh build/san $(ROUNDS) $(or $(T),tests/core)

kmod:
	+@scripts/kmod.sh $(TARGET) '$(CROSS_COMPILE)' $(KDIR)

kmod-test:
	@scripts/setup.sh build kmod
	@$(MAKE) --no-print-directory -j$$(nproc) $(O)/libhvcore.a
	@env -u MAKEFLAGS -u MFLAGS scripts/test.sh $(O) $(or $(T),tests/kmod)

cross:
	@scripts/setup.sh build cross
	@scripts/qemu-user-test.sh $(TARGET) $(T)

system-test:
	@exec scripts/system/run.sh test $(T)

demo-qemu:
	@exec scripts/system/run.sh demo

FUZZ_SECONDS ?= 300
fuzz:
	@scripts/setup.sh build test
	@$(MAKE) --no-print-directory -j$$(nproc) fuzz-build
	@scripts/fuzz.sh build/fuzz $(FUZZ_SECONDS)

bench:
	@scripts/setup.sh build test bench
	@$(MAKE) --no-print-directory -j$$(nproc) all $(O)/tests/bench/policy
	@scripts/bench.sh $(O)

install: all
	@$(MAKE) --no-print-directory install-files
install-files: install-program
	@$(MAKE) --no-print-directory -C kmod dkms DESTDIR='$(DESTDIR)'
install-program:
	install -Dm755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/hvsh
	ln -sf hvsh $(DESTDIR)$(PREFIX)/bin/hvisor
	install -d $(DESTDIR)$(PREFIX)/share/hvsh/examples
	cp -R examples/. $(DESTDIR)$(PREFIX)/share/hvsh/examples/
	@# Not what images/make.lua has made here.
	find $(DESTDIR)$(PREFIX)/share/hvsh/examples/images -type f ! -name make.lua ! -name '*.dts' -delete
	find $(DESTDIR)$(PREFIX)/share/hvsh/examples -name '*.lua' -exec chmod 755 {} +
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in hvsh.service hvsh@.service; do sed 's,@PREFIX@,$(PREFIX),' scripts/service/$$unit.in \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; done
	sed 's,@PREFIX@,$(PREFIX),' scripts/service/hvsh.init.in > $(DESTDIR)$(PREFIX)/share/hvsh/hvsh.init
	chmod 755 $(DESTDIR)$(PREFIX)/share/hvsh/hvsh.init
	install -Dm644 scripts/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/hvsh
	for page in docs/man/*.[1-9]; do \
		install -Dm644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit; done
	echo '.so man1/hvsh.1' > $(DESTDIR)$(PREFIX)/share/man/man1/hvisor.1
	install -Dm644 README.md $(DESTDIR)$(PREFIX)/share/doc/hvsh/README.md
	install -m644 docs/*.md $(DESTDIR)$(PREFIX)/share/doc/hvsh/

# Packages of Debian: build/deb/hvsh_VERSION_ARCH.deb and hvsh-dkms_VERSION_all.deb
deb: all
	+@scripts/package/deb.sh $(TARGET) $(PROGRAM) '$(STRIP)' '$(ROOT)'

clean:
	rm -rf build

help:
	@sed -n 's/^## \{0,1\}//p' Makefile

## make               build hvsh for this machine (build/native/hvsh)
## make demo          two zones on the simulated hypervisor; installs what it needs
## make test          all tests on this machine; installs what it needs
## make install       DESTDIR= PREFIX=/usr; the kernel modules' sources go to /usr/src, for DKMS
## make deb           packages of Debian in build/deb: hvsh, hvsh-dkms; with STATIC=1 hvsh needs no others
## make clean
##
## Kernel modules and other machines (Debian 12 or 13; packages are downloaded, tools installed):
## make kmod          hvisor.ko and ivc.ko for KDIR=folder (default: the running kernel)
## make kmod-test     both modules for six kernels of four architectures, sparse, checkpatch
## make cross ARCH=   hvsh and its C tests for ARCH, run in QEMU's user emulation
## make system-test   zones on a hypervisor in QEMU, with the kernel module
## make demo-qemu     the same machine for you to type at
##
## make bench         ratios, each beside its goal
## make fuzz          the fuzzers, FUZZ_SECONDS=300 each
## make long-test     the device trees of all of Debian's kernels
## make stress        the tests of C five times (ROUNDS=) on a machine that is too busy: finds races
## make soak          1000 starts and stops of a zone with devices: nothing may be left behind
##
## T=path        a part of the tests: make test T=tests/cli, make cross ARCH=arm64 T=tests/core/loop
## ARCH=arm64|riscv64|loongarch64|x86_64   for another machine (riscv and loongarch mean the same)
## CROSS_COMPILE=prefix-   its compiler      ROOT=folder   its root file system (scripts/sysroot.sh ARCH makes one)
## KDIR=folder   the kernel to build modules for; with plain make they are built as well
## LOG=error|warn|info|debug   the default log level
## VIRTIO_GPU=n  leaves graphics cards out, and libdrm and libpng with them
## STATIC=1      one file with all libraries in it, for a root file system that has none of them
## O=folder      where to build      V=1   show commands      SAN=1   with sanitizers
## HVSH_CACHE=folder   keeps what is downloaded (default: build/cache), for several trees and beyond make clean

-include $(CORE_OBJ:.o=.d) $(LUA_OBJ:.o=.d) $(O)/lua/main.d $(TEST_BIN:%=%.d) $(TEST_LIB_OBJ:.o=.d) \
	$(O)/tests/core/virtio/syscall_faults.d

FORCE:
.PHONY: all install install-files install-program deb demo test test-build sandbox-test-build long-test soak stress kmod kmod-test cross system-test demo-qemu \
	fuzz fuzz-build fuzz-bin bench clean help FORCE
.SECONDARY:
