// SPDX-License-Identifier: GPL-2.0-only
#include <linux/acpi.h>
#include <linux/eventfd.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of_irq.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "compat.h"
#include "hvisor.h"
#include "hypercall.h"

static struct {
	struct mutex lock; /* page, owner, and who changes ctx */
	struct page *page;
	const struct file *owner; /* of ctx; only compared */
	int irq; /* 0 = none */

	spinlock_t wakeup_lock; /* ctx and the counts, against the interrupt */
	struct eventfd_ctx *ctx;
	u64 wakeups;
	u64 lost;
	bool lost_since; /* the last eventfd was registered */
} bridge = {
	.lock = __MUTEX_INITIALIZER(bridge.lock),
	.wakeup_lock = __SPIN_LOCK_UNLOCKED(bridge.wakeup_lock),
};

static irqreturn_t wakeup(int irq, void *data)
{
	unsigned long flags;

	spin_lock_irqsave(&bridge.wakeup_lock, flags);
	bridge.wakeups++;
	if (bridge.ctx) {
		hv_eventfd_signal(bridge.ctx);
	} else {
		bridge.lost++;
		bridge.lost_since = true;
	}
	spin_unlock_irqrestore(&bridge.wakeup_lock, flags);
	return IRQ_HANDLED;
}

#ifdef CONFIG_X86
/* No tree here: hvisor knows the interrupt, as a number of the I/O APIC's. */
static int find_irq(struct device_node *node)
{
	u32 *answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	u32 gsi;
	int rc;

	if (!answer)
		return -ENOMEM;
	rc = hv_call(HV_CALL_VIRTIO_IRQ, virt_to_phys(answer), 0);
	gsi = *answer;
	kfree(answer);
	if (rc < 0)
		return rc;
	if (!gsi || gsi > INT_MAX)
		return -ENXIO;
#ifdef CONFIG_ACPI
	rc = acpi_register_gsi(NULL, gsi, ACPI_EDGE_SENSITIVE, ACPI_ACTIVE_HIGH);
	if (rc > 0)
		return rc;
#endif
	return gsi;
}
#else
static int find_irq(struct device_node *node)
{
	int irq = node ? of_irq_get(node, 0) : -ENOENT;

	return irq ? irq : -ENXIO;
}
#endif

void hv_bridge_setup(struct device_node *node)
{
	int irq = find_irq(node);
	int rc;

	if (irq < 0) {
		if (irq == -ENOENT)
			pr_warn("hvisor: the device tree has no " HV_NODE_PATH
				": no wake-up interrupt, a virtio service has to poll\n");
		else
			pr_warn("hvisor: no wake-up interrupt, a virtio service has to poll (error %d)\n",
				irq);
		return;
	}
	rc = request_irq(irq, wakeup, 0, "hvisor", &bridge);
	if (rc) {
		pr_warn("hvisor: wake-up interrupt %d cannot be had, a virtio service has to poll (error %d)\n",
			irq, rc);
		return;
	}
	bridge.irq = irq;
}

/* Comes to pass only while hvisor has no page, and without a file open. */
void hv_bridge_teardown(void)
{
	if (bridge.irq)
		free_irq(bridge.irq, &bridge);
	bridge.irq = 0;
}

int hv_bridge_init(void)
{
	struct page *page;
	int rc = 0;

	mutex_lock(&bridge.lock);
	if (bridge.page)
		goto out;
	page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!page) {
		rc = -ENOMEM;
		goto out;
	}
	rc = hv_call(HV_CALL_INIT_VIRTIO, page_to_phys(page), 0);
	if (rc < 0) {
		__free_page(page);
		goto out;
	}
	rc = 0;
	__module_get(THIS_MODULE);
	bridge.page = page;
out:
	mutex_unlock(&bridge.lock);
	return rc;
}

int hv_bridge_mmap(struct vm_area_struct *vma)
{
	struct page *page;

	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	hv_vma_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	hv_vma_clear(vma, VM_MAYEXEC);
	mutex_lock(&bridge.lock);
	page = bridge.page;
	mutex_unlock(&bridge.lock);
	/* Once there it stays, so the lock need not be held. */
	return page ? vm_insert_page(vma, vma->vm_start, page) : -ENXIO;
}

/* Under bridge.lock. Returns the old one, which the caller puts. */
static struct eventfd_ctx *exchange(struct eventfd_ctx *ctx)
{
	struct eventfd_ctx *old;

	spin_lock_irq(&bridge.wakeup_lock);
	old = bridge.ctx;
	bridge.ctx = ctx;
	if (ctx && bridge.lost_since) {
		bridge.lost_since = false;
		hv_eventfd_signal(ctx);
	}
	spin_unlock_irq(&bridge.wakeup_lock);
	return old;
}

int hv_bridge_set_eventfd(struct file *file, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != -1) {
		if (!bridge.irq)
			return -ENODEV;
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	mutex_lock(&bridge.lock);
	bridge.owner = ctx ? file : NULL;
	ctx = exchange(ctx);
	mutex_unlock(&bridge.lock);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

void hv_bridge_release(struct file *file)
{
	struct eventfd_ctx *ctx = NULL;

	mutex_lock(&bridge.lock);
	if (bridge.owner == file) {
		bridge.owner = NULL;
		ctx = exchange(NULL);
	}
	mutex_unlock(&bridge.lock);
	if (ctx)
		eventfd_ctx_put(ctx);
}

void hv_bridge_query(struct hv_ioc_query *query)
{
	mutex_lock(&bridge.lock);
	query->bridge = (bridge.page ? HV_BRIDGE_REGISTERED : 0) |
			(bridge.owner ? HV_BRIDGE_OWNED : 0) | (bridge.irq ? HV_BRIDGE_WAKES : 0);
	spin_lock_irq(&bridge.wakeup_lock);
	query->wakeups = bridge.wakeups;
	query->lost_wakeups = bridge.lost;
	spin_unlock_irq(&bridge.wakeup_lock);
	mutex_unlock(&bridge.lock);
}
