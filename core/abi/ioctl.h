/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_IOCTL_H
#define HV_ABI_IOCTL_H

#include <linux/ioctl.h>
/* kmod is compiled with this file, too. */
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <stdint.h>
#endif

/* /dev/hvisor as upstream's kernel module defines it (type byte 1). */
#define HV_DEVICE_PATH "/dev/hvisor"

struct hv_ioc_zone_list {
	uint64_t count;
	uint64_t zones; /* user pointer to hv_wire_zone_info[count] */
};

struct hv_ioc_load_image {
	uint64_t user_buffer;
	uint64_t size;
	uint64_t load_paddr;
};

struct hv_ioc_boot_mode {
	uint32_t zone_id;
	uint32_t multiboot_enabled;
	uint64_t multiboot_info_paddr;
};

struct hv_ioc_clear_irq {
	uint32_t zone_id;
	uint32_t irq_id;
};

/* One entry of hypercall 4 from version 2 on. */
struct hv_wire_zone_info {
	uint32_t zone_id;
	uint32_t pad;
	uint64_t cpus;
	char name[32]; /* not necessarily terminated */
	uint8_t is_err;
	uint8_t pad2[7];
};
static_assert(sizeof(struct hv_wire_zone_info) == 56, "zone info of version 2 and later");

#define HV_IOC_INIT_VIRTIO _IO(1, 0)
#define HV_IOC_FINISH_REQ _IO(1, 2)
#define HV_IOC_ZONE_START _IOW(1, 3, uint64_t)
#define HV_IOC_ZONE_SHUTDOWN _IOW(1, 4, uint64_t)
#define HV_IOC_ZONE_LIST _IOR(1, 5, uint64_t)
#define HV_IOC_CONFIG_CHECK _IOR(1, 6, uint64_t)
#define HV_IOC_SET_EVENTFD _IOW(1, 7, uint32_t)
#define HV_IOC_LOAD_IMAGE _IOW(1, 8, struct hv_ioc_load_image)
#define HV_IOC_BOOT_MODE _IOW(1, 9, uint64_t)
#define HV_IOC_ECAM_BASE _IOR(1, 10, uint64_t)
#define HV_IOC_CLEAR_IRQ _IOW(1, 11, uint32_t)

static_assert(HV_IOC_ZONE_START == 0x40080103, "upstream value");
static_assert(HV_IOC_ZONE_SHUTDOWN == 0x40080104, "upstream value");
static_assert(HV_IOC_ZONE_LIST == 0x80080105, "upstream value");
static_assert(HV_IOC_CONFIG_CHECK == 0x80080106, "upstream value");
static_assert(HV_IOC_SET_EVENTFD == 0x40040107, "upstream value");
static_assert(HV_IOC_LOAD_IMAGE == 0x40180108, "upstream value");
static_assert(HV_IOC_BOOT_MODE == 0x40080109, "upstream value");
static_assert(HV_IOC_ECAM_BASE == 0x8008010a, "upstream value");
static_assert(HV_IOC_CLEAR_IRQ == 0x4004010b, "upstream value");

/*
 * What only this project's module knows. Others answer ENOTTY or EINVAL. The numbers
 * keep far from upstream's, which count up from 0 and from 32.
 */
#define HV_IOC_QUERY _IOR(1, 224, struct hv_ioc_query)
#define HV_IOC_ZONE_START_SIZED _IOW(1, 225, struct hv_ioc_zone_start)

#define HV_QUERY_VERSION 1

/* Nr 0 again gives the same page and what is queued in it. */
#define HV_FEATURE_BRIDGE_STAYS (1u << 0)
/* wakeups and lost_wakeups are counted. */
#define HV_FEATURE_WAKEUP_COUNT (1u << 1)
/* HV_IOC_ZONE_START_SIZED is there. */
#define HV_FEATURE_START_SIZED (1u << 2)
/* mmap and nr 8 refuse zone0's own memory. */
#define HV_FEATURE_RANGE_CHECK (1u << 3)
/* Nr 7 with -1 takes the eventfd back, and so does closing the file that gave it. */
#define HV_FEATURE_EVENTFD_CLEAR (1u << 4)
/* Clocks, resets and power domains: resource.h. */
#define HV_FEATURE_RESOURCES (1u << 5)

#define HV_BRIDGE_REGISTERED (1u << 0) /* hvisor has the page */
#define HV_BRIDGE_OWNED (1u << 1)      /* an eventfd is registered */
#define HV_BRIDGE_WAKES (1u << 2)      /* there is a wake-up interrupt; else the service polls */

struct hv_ioc_query {
	uint32_t version;      /* of this struct; later ones fill what is reserved */
	uint32_t bridge;       /* HV_BRIDGE_* */
	uint64_t features;     /* HV_FEATURE_* */
	uint64_t wakeups;      /* interrupts since the module was loaded */
	uint64_t lost_wakeups; /* of these, the ones that found no eventfd */
	uint32_t clocks;       /* how many of each the tree lends */
	uint32_t resets;
	uint32_t power_domains;
	uint32_t reserved[5];
};

/* HV_IOC_ZONE_START without a guess: the configuration's own size comes with it. */
struct hv_ioc_zone_start {
	uint64_t config; /* user pointer */
	uint64_t size;
};

static_assert(HV_IOC_QUERY == 0x804001e0, "own value");
static_assert(HV_IOC_ZONE_START_SIZED == 0x401001e1, "own value");

#endif
