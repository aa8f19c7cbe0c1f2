/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_BRIDGE_H
#define HV_ABI_BRIDGE_H

/* kmod is compiled with this file, too. */
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define HV_BRIDGE_SLOTS 32 /* ring entries; 31 are usable, full when rear + 1 == front */
#define HV_BRIDGE_CPUS 32
#define HV_BRIDGE_DEVICES 8

/* One register access of a zone, queued by the hypervisor. */
struct hv_bridge_req {
	uint64_t src_cpu;
	uint64_t address; /* guest physical */
	uint64_t size;    /* 1, 2, 4 or 8 bytes */
	uint64_t value;
	uint32_t src_zone;
	uint8_t is_write;
	uint8_t need_interrupt; /* 1 = write to QueueNotify: that CPU does not wait for an answer */
	uint16_t pad;
};

/* One interrupt to inject, queued by the service. */
struct hv_bridge_res {
	uint32_t target_zone;
	uint32_t irq_id;
};

/*
 * The page shared by hypervisor and virtio service. Little endian. Who writes what:
 * req_front, res_rear, res, cfg_*, mmio_*, need_wakeup: the service;
 * req_rear, res_front, req: the hypervisor.
 */
struct hv_bridge_page {
	uint32_t req_front, req_rear;
	uint32_t res_front, res_rear;
	struct hv_bridge_req req[HV_BRIDGE_SLOTS];
	struct hv_bridge_res res[HV_BRIDGE_SLOTS];
	uint64_t cfg_flags[HV_BRIDGE_CPUS];  /* incremented once per answered request: releases that CPU */
	uint64_t cfg_values[HV_BRIDGE_CPUS]; /* the value read, stored before the flag */
	uint64_t mmio_addrs[HV_BRIDGE_DEVICES];
	uint8_t mmio_avail;
	uint8_t need_wakeup; /* 1 = the service sleeps, send the interrupt */
};

static_assert(offsetof(struct hv_bridge_page, req) == 16, "bridge layout");
static_assert(sizeof(struct hv_bridge_req) == 40, "bridge layout");
static_assert(offsetof(struct hv_bridge_page, res) == 1296, "bridge layout");
static_assert(offsetof(struct hv_bridge_page, cfg_flags) == 1552, "bridge layout");
static_assert(offsetof(struct hv_bridge_page, cfg_values) == 1808, "bridge layout");
static_assert(offsetof(struct hv_bridge_page, mmio_addrs) == 2064, "bridge layout");
static_assert(offsetof(struct hv_bridge_page, mmio_avail) == 2128, "bridge layout");
static_assert(offsetof(struct hv_bridge_page, need_wakeup) == 2129, "bridge layout");
static_assert(sizeof(struct hv_bridge_page) == 2136, "bridge layout");

#endif
