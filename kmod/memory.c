// SPDX-License-Identifier: GPL-2.0-only
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "cache.h"
#include "compat.h"
#include "hvisor.h"

#ifndef MAX_PHYSMEM_BITS
#define MAX_PHYSMEM_BITS 48
#endif

/* What is mapped into the kernel at a time. Ends at multiples of it, so pages are never split. */
#define LOAD_CHUNK SZ_4M

static bool node_holds(struct device_node *node, u64 start, u64 end)
{
	struct resource res;
	int i;

	for (i = 0; !of_address_to_resource(node, i, &res); i++) {
		if (res.start <= start && end - 1 <= res.end)
			return true;
	}
	return false;
}

/*
 * Memory that the tree reserves by address is nobody's in zone0, though part of its System RAM
 * unless the node says no-map. Where a driver owns the node (compatible) or Linux uses the
 * memory meanwhile (reusable) it is zone0's all the same. OpenSBI names what it lives in
 * mmode_resv: a write there is a fault that the kernel does not survive.
 */
static bool is_set_aside(u64 start, u64 end)
{
	struct device_node *parent = of_find_node_by_path("/reserved-memory");
	struct device_node *node;
	bool found = false;

	for_each_available_child_of_node(parent, node) {
		if (of_property_read_bool(node, "reusable") ||
		    of_get_property(node, "compatible", NULL) ||
		    strstarts(kbasename(node->full_name), "mmode_resv"))
			continue;
		found = node_holds(node, start, end);
		if (found) {
			of_node_put(node);
			break;
		}
	}
	of_node_put(parent);
	return found;
}

/*
 * -EINVAL: no such addresses. -EPERM: zone0's own RAM. -EBUSY: a device that a driver of zone0
 * works with. What zones may have besides is not known here; a stray address ends in hvisor.
 */
static int check_range(u64 start, u64 size, const char *what)
{
	u64 end;

	if (!size || check_add_overflow(start, size, &end) || end > BIT_ULL(MAX_PHYSMEM_BITS))
		return -EINVAL;
	if (region_intersects(start, size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT) {
		if (is_set_aside(start, end))
			return 0;
		pr_warn_ratelimited("hvisor: %s of 0x%llx to 0x%llx refused: zone0's own RAM is there; if it is a zone's, zone0's tree must reserve it\n",
				    what, start, end);
		return -EPERM;
	}
	if (region_intersects(start, size, IORESOURCE_MEM | IORESOURCE_BUSY, IORES_DESC_NONE) !=
	    REGION_DISJOINT) {
		pr_warn_ratelimited("hvisor: %s of 0x%llx to 0x%llx refused: a device of zone0 is there (see /proc/iomem)\n",
				    what, start, end);
		return -EBUSY;
	}
	return 0;
}

/*
 * Always cacheable: the zone that lives there maps it so, and two mappings of one frame that differ
 * lose each other's writes. It costs a device nothing: on arm64 and x86 the second stage,
 * on riscv64 the PMAs decide in the end. Guest RAM as device memory would forbid unaligned
 * accesses and atomics.
 */
int hv_memory_mmap(struct vm_area_struct *vma)
{
	u64 size = vma->vm_end - vma->vm_start;
	u64 start;
	int rc;

	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (vma->vm_pgoff > (U64_MAX >> PAGE_SHIFT))
		return -EINVAL;
	start = (u64)vma->vm_pgoff << PAGE_SHIFT;
	rc = check_range(start, size, "mmap");
	if (rc)
		return rc;
	hv_vma_clear(vma, VM_MAYEXEC);
	return remap_pfn_range(vma, vma->vm_start, vma->vm_pgoff, size, vma->vm_page_prot);
}

static int load_chunk(u64 to, const void __user *from, size_t size)
{
	size_t skip = offset_in_page(to);
	void *map = memremap(to - skip, PAGE_ALIGN(skip + size), MEMREMAP_WB);
	int rc = 0;

	if (!map)
		return -ENOMEM;
	if (copy_from_user(map + skip, from, size))
		rc = -EFAULT;
	/* After a fault, too: a half of it is there. */
	hv_cache_publish(map + skip, size);
	memunmap(map);
	return rc;
}

int hv_memory_load(const struct hv_ioc_load_image __user *arg)
{
	struct hv_ioc_load_image load;
	u64 done = 0;
	int rc;

	if (copy_from_user(&load, arg, sizeof(load)))
		return -EFAULT;
	if (!load.user_buffer || load.user_buffer > ULONG_MAX)
		return -EINVAL;
	rc = check_range(load.load_paddr, load.size, "load");
	if (rc)
		return rc;
	if (!access_ok(u64_to_user_ptr(load.user_buffer), load.size))
		return -EFAULT;
	while (done < load.size) {
		u64 to = load.load_paddr + done;
		size_t size = min_t(u64, load.size - done, LOAD_CHUNK - (to & (LOAD_CHUNK - 1)));

		rc = load_chunk(to, u64_to_user_ptr(load.user_buffer + done), size);
		if (rc)
			break;
		done += size;
		cond_resched();
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
	}
	hv_cache_forget_code();
	return rc;
}
