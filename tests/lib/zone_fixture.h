/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_ZONE_FIXTURE_H
#define TESTS_LIB_ZONE_FIXTURE_H

#include "hypervisor/sim.h"
#include "zone/zone.h"

/*
 * A small arm64 machine (8 CPUs, 2 GiB from 0x40000000, zone0 on CPUs 0 and 1 and
 * in the upper 512 MiB), its simulated hypervisor, and zones that are right
 * until a test makes one thing wrong. Every part has an origin of its own in "zones.lua".
 */
#define ZF_RAM(id) (UINT64_C(0x50000000) + ((uint64_t)(id)-1) * 0x10000000)
#define ZF_RAM_SIZE UINT64_C(0x8000000)
#define ZF_SLOTS UINT64_C(0xa000000)
#define ZF_GICD UINT64_C(0x8000000)
#define ZF_GICR UINT64_C(0x80a0000)

/* Lines in "zones.lua": zone id N has N * 100 + these. */
enum zf_line {
	ZF_ZONE = 0,
	ZF_ID = 1,
	ZF_CPUS = 2,
	ZF_REGION = 10, /* + index */
	ZF_IRQ = 20,
	ZF_KERNEL = 30,
	ZF_KERNEL_AT = 31,
	ZF_DTB = 32,
	ZF_INITRD = 34,
	ZF_ENTRY = 36,
	ZF_CMDLINE = 37,
	ZF_ARCH = 38,
	ZF_MODULE = 40,
	ZF_DEVICE = 50, /* + 3 * index: device, at, irq */
	ZF_PCI = 80,
	ZF_IVC = 90,
};

struct zf {
	char dir[64];
	struct hv_board board;
	struct hv_host host;
	struct hv_hyp *hyp;
	struct hv_records *records;
	struct hv_zone_set *set;
	struct hv_machine machine;
	struct hv_findings findings;
	struct hv_err err;
};

/* What a guest tree says; 0 and false leave a thing out. */
struct zf_tree {
	uint64_t mem_start, mem_size;
	unsigned int n_cpus;
	unsigned int gic; /* 2 or 3 */
	uint64_t gicd, gicr;
	bool its;
	unsigned int n_virtio;
	struct {
		uint64_t at;
		uint32_t irq;
	} virtio[8];
	uint32_t uart_irq;
	uint32_t ivc_irq; /* 0 = no node for IVC */
	const char *bootargs;
	uint64_t initrd_start, initrd_end;
};

/* cmocka set-up and tear-down; *state is the struct zf. */
int zf_setup(void **state);
int zf_teardown(void **state);
/* Empties the set and the findings; hypervisor and records stay. */
void zf_new_set(struct zf *f);

/* A zone with 128 MiB, CPU id + 1, kernel and tree; part of the set, still to be changed. */
struct hv_zone_spec *zf_zone(struct zf *f, const char *name, uint32_t id);
struct hv_spec_region *zf_region(struct zf *f, struct hv_zone_spec *z, enum hv_region_type type,
				 uint64_t at, uint64_t size);
struct hv_spec_irq *zf_irq(struct zf *f, struct hv_zone_spec *z, uint32_t irq);
struct hv_spec_device *zf_device(struct zf *f, struct hv_zone_spec *z, const char *type,
				 const char *name);
/* One more option, from where the device is. */
void zf_option(struct zf *f, struct hv_spec_device *d, struct hv_spec_option value);
void zf_text(struct zf *f, struct hv_spec_device *d, const char *key, const char *text);
struct hv_spec_image *zf_module(struct zf *f, struct hv_zone_spec *z, const char *name,
				const char *path, uint64_t at);
struct hv_spec_pci_dev *zf_pci(struct zf *f, struct hv_zone_spec *z, uint8_t bus, uint8_t device);
struct hv_spec_ivc *zf_ivc(struct zf *f, struct hv_zone_spec *z, uint32_t id, uint32_t peer);

/* Files in the fixture's folder; the path lives in the set's arena. */
const char *zf_file(struct zf *f, const char *name, const void *bytes, size_t size);
/* An arm64 Image of that many bytes that occupies image_size. */
const char *zf_kernel(struct zf *f, const char *name, size_t bytes, uint64_t image_size);
/* An ELF of one segment, and its entry point at its beginning; machine 183 is arm64. */
const char *zf_elf(struct zf *f, const char *name, unsigned int machine, uint64_t addr,
		   uint64_t mem_size);
/* The tree that fits a zone of zf_zone, for changes; and the file of it. */
struct zf_tree zf_tree_of(const struct hv_zone_spec *z);
const char *zf_dtb(struct zf *f, const char *name, const struct zf_tree *tree);

/* Checks the set; ends the test when that fails. */
void zf_check(struct zf *f);
/* The finding with that code; ends the test (findings printed) when there is none. */
const struct hv_finding *zf_find(struct zf *f, const char *code);
/* That one finding is all there is of its severity and worse; message contains part. */
void zf_expect(struct zf *f, enum hv_severity severity, const char *code, const char *part,
	       const char *zone, const char *what, int line);
/* The second owner of the finding with that code. */
void zf_expect_other(struct zf *f, const char *code, const char *zone, const char *what, int line);
void zf_expect_fix(struct zf *f, const char *code, const char *part);
/* No errors and no warnings. */
void zf_expect_clean(struct zf *f);
/* Checks, plans for all zones and applies; 0 or -errno with f->err. */
int zf_apply(struct zf *f, unsigned int flags);
size_t zf_running(struct zf *f);
/* Serves a zone 3 with n devices, which leaves room for 8 - n. Needs machine.serve. */
#define ZF_FILL_MAX 7
void zf_fill(struct zf *f, unsigned int n);

#endif
