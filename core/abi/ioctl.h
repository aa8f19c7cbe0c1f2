/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_IOCTL_H
#define HV_ABI_IOCTL_H

#include <assert.h>
#include <linux/ioctl.h>
#include <stdint.h>

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

#endif
