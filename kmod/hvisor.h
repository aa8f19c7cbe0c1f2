/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HV_KMOD_HVISOR_H
#define HV_KMOD_HVISOR_H

#include <linux/types.h>

#include "abi/bridge.h"
#include "abi/ioctl.h"

/*
 * Private to hvisor.ko. All functions sleep, unless said otherwise, and return 0 or a
 * negative errno.
 */
struct device_node;
struct file;
struct vm_area_struct;

#define HV_NODE_PATH "/hvisor_virtio_device"

/* ---- bridge.c: the page that hypervisor and virtio service share, and the wake-up */

/*
 * node is HV_NODE_PATH's or NULL. Without a wake-up interrupt a message says so and everything else
 * works.
 */
void hv_bridge_setup(struct device_node *node);
void hv_bridge_teardown(void);

/*
 * The first call allocates the page and gives it to hvisor, which has no call to take it back. So
 * it stays, and this module with it, until the machine is reset; later calls succeed and leave the
 * page as it is, with all that is queued in it.
 */
int hv_bridge_init(void);
int hv_bridge_mmap(struct vm_area_struct *vma);

/*
 * fd is an eventfd, which replaces the one before, or -1. It is signalled at once when interrupts
 * were lost before. file is who gave it: hv_bridge_release() of that file takes it back.
 */
int hv_bridge_set_eventfd(struct file *file, int fd);
void hv_bridge_release(struct file *file);
void hv_bridge_query(struct hv_ioc_query *query);

/* ---- memory.c: physical memory that is not zone0's */

int hv_memory_mmap(struct vm_area_struct *vma);
int hv_memory_load(const struct hv_ioc_load_image __user *arg);

/* ---- zone.c: hypercalls that take structs */

bool hv_zone_is_hvisor_there(void);
int hv_zone_start(const void __user *config);
int hv_zone_start_sized(const struct hv_ioc_zone_start __user *arg);
int hv_zone_shutdown(unsigned long id);
/* Returns how many were filled. */
int hv_zone_list(const struct hv_ioc_zone_list __user *arg);
int hv_zone_boot_mode(const struct hv_ioc_boot_mode __user *arg);
int hv_zone_clear_irq(const struct hv_ioc_clear_irq __user *arg);
/* code is one that fills a u64: HV_CALL_CONFIG_CHECK, HV_CALL_ECAM_BASE. */
int hv_zone_get_u64(unsigned long code, u64 __user *arg);

/* ---- resource.c: clocks, resets and power domains of the tree's node */

#ifdef CONFIG_OF
void hv_resource_setup(struct device_node *node);
void hv_resource_teardown(void);
void hv_resource_query(struct hv_ioc_query *query);
/* -ENOTTY for a cmd that is none of its three. */
int hv_resource_ioctl(unsigned int cmd, void __user *arg);
#else
static inline void hv_resource_setup(struct device_node *node)
{
}

static inline void hv_resource_teardown(void)
{
}

static inline void hv_resource_query(struct hv_ioc_query *query)
{
}

static inline int hv_resource_ioctl(unsigned int cmd, void __user *arg)
{
	return -ENOTTY;
}
#endif

#endif
