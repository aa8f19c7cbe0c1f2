// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hivc<id>: one device for each IVC that hvisor gives this zone.
 *   mmap, page 0: the control table; pages from 1 on: the shared memory, all of it and no more
 *   poll: POLLIN when the peer rang since the last poll of this open file
 *   HV_IOC_IVC_INFO: the ids of all of them
 */
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_irq.h>
#include <linux/overflow.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "abi/ivc.h"
#include "compat.h"
#include "hypercall.h"

#define NODE_PATH "/hvisor_ivc_device"

struct ivc {
	struct miscdevice misc;
	char name[16];
	u64 table; /* physical addresses */
	u64 memory;
	u64 memory_size;
	int irq; /* 0 = none */
	bool registered;
	wait_queue_head_t wait;
	atomic_t rings;
};

struct opener {
	struct ivc *ivc;
	spinlock_t lock; /* seen */
	int seen; /* of ivc->rings, what was polled already */
};

static struct ivc *ivcs;
static struct hv_wire_ivc_info *info;

static irqreturn_t ring(int irq, void *data)
{
	struct ivc *ivc = data;

	atomic_inc(&ivc->rings);
	wake_up_interruptible(&ivc->wait);
	return IRQ_HANDLED;
}

static int ivc_open(struct inode *inode, struct file *file)
{
	struct ivc *ivc = container_of(file->private_data, struct ivc, misc);
	struct opener *opener = kzalloc(sizeof(*opener), GFP_KERNEL);

	if (!opener)
		return -ENOMEM;
	opener->ivc = ivc;
	spin_lock_init(&opener->lock);
	opener->seen = atomic_read(&ivc->rings);
	file->private_data = opener;
	return 0;
}

static int ivc_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static long ivc_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hv_ioc_ivc_info ids = { .len = info->len };
	u32 i;

	if (cmd != HV_IOC_IVC_INFO)
		return -ENOTTY;
	for (i = 0; i < info->len; i++)
		ids.ids[i] = info->id[i];
	return copy_to_user((void __user *)arg, &ids, sizeof(ids)) ? -EFAULT : 0;
}

/*
 * The control table is no memory: each access ends in hvisor, so it is mapped as device
 * memory. The shared memory is mapped as the peer maps it, cacheable.
 */
static int ivc_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct ivc *ivc = ((struct opener *)file->private_data)->ivc;
	u64 size = vma->vm_end - vma->vm_start;
	u64 at;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	hv_vma_clear(vma, VM_MAYEXEC);
	if (!vma->vm_pgoff) {
		if (size != PAGE_SIZE)
			return -EINVAL;
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
		return remap_pfn_range(vma, vma->vm_start, ivc->table >> PAGE_SHIFT, size,
				       vma->vm_page_prot);
	}
	at = (u64)(vma->vm_pgoff - 1) << PAGE_SHIFT;
	if (vma->vm_pgoff - 1 > (ivc->memory_size >> PAGE_SHIFT) || size > ivc->memory_size - at)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, (ivc->memory + at) >> PAGE_SHIFT, size,
			       vma->vm_page_prot);
}

/* Upstream's programs poll and never read, so what a poll reports is thereby taken. */
static __poll_t ivc_poll(struct file *file, struct poll_table_struct *table)
{
	struct opener *opener = file->private_data;
	__poll_t events = 0;
	int rings;

	poll_wait(file, &opener->ivc->wait, table);
	if (!(poll_requested_events(table) & EPOLLIN))
		return 0;
	spin_lock(&opener->lock);
	rings = atomic_read(&opener->ivc->rings);
	if (rings != opener->seen)
		events = EPOLLIN;
	opener->seen = rings;
	spin_unlock(&opener->lock);
	return events;
}

static const struct file_operations ivc_fops = {
	.owner = THIS_MODULE,
	.open = ivc_open,
	.release = ivc_release,
	.unlocked_ioctl = ivc_ioctl,
	.mmap = ivc_mmap,
	.poll = ivc_poll,
};

/* How large the shared memory is, the control table alone knows. */
static int measure(struct ivc *ivc)
{
	u8 __iomem *table = ioremap(ivc->table, HV_IVC_TABLE_SIZE);
	u64 peers, out;

	if (!table)
		return -ENOMEM;
	peers = readl(table + HV_IVC_MAX_PEERS);
	out = readl(table + HV_IVC_OUT_SEC_SIZE);
	ivc->memory_size = readl(table + HV_IVC_RW_SEC_SIZE);
	iounmap(table);
	/* Each factor has 32 bits: neither overflows. */
	if (check_add_overflow(ivc->memory_size, peers * out, &ivc->memory_size) ||
	    !ivc->memory_size || !PAGE_ALIGNED(ivc->memory_size))
		return -EINVAL;
	if (!PAGE_ALIGNED(ivc->table) || !PAGE_ALIGNED(ivc->memory) ||
	    ivc->memory + ivc->memory_size < ivc->memory)
		return -EINVAL;
	return 0;
}

static int setup(struct ivc *ivc, u32 index, struct device_node *node)
{
	int rc;

	ivc->table = info->ct_ipa[index];
	ivc->memory = info->shmem_ipa[index];
	init_waitqueue_head(&ivc->wait);
	snprintf(ivc->name, sizeof(ivc->name), "hivc%u", info->id[index]);
	rc = measure(ivc);
	if (rc) {
		pr_err("ivc: %s: hvisor gives it memory that cannot be mapped: 0x%llx bytes at 0x%llx, control table at 0x%llx (error %d)\n",
		       ivc->name, ivc->memory_size, ivc->memory, ivc->table, rc);
		return rc;
	}
	if (node) {
		int irq = of_irq_get(node, index);

		rc = irq > 0 ? request_irq(irq, ring, 0, ivc->name, ivc) : irq ? irq : -ENXIO;
		if (rc) {
			pr_err("ivc: %s: interrupt %u of " NODE_PATH " cannot be had (error %d)\n",
			       ivc->name, index, rc);
			return rc;
		}
		ivc->irq = irq;
	}
	ivc->misc.minor = MISC_DYNAMIC_MINOR;
	ivc->misc.name = ivc->name;
	ivc->misc.fops = &ivc_fops;
	ivc->misc.mode = 0600;
	rc = misc_register(&ivc->misc);
	if (rc) {
		pr_err("ivc: /dev/%s cannot be made (error %d)\n", ivc->name, rc);
		return rc;
	}
	ivc->registered = true;
	return 0;
}

static void teardown(void)
{
	u32 i;

	for (i = 0; i < info->len && ivcs; i++) {
		if (ivcs[i].registered)
			misc_deregister(&ivcs[i].misc);
		if (ivcs[i].irq)
			free_irq(ivcs[i].irq, &ivcs[i]);
	}
	kfree(ivcs);
	kfree(info);
}

static int __init ivc_init(void)
{
	struct device_node *node = NULL;
	int rc;
	u32 i;

	info = kzalloc(sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	rc = hv_call(HV_CALL_IVC_INFO, virt_to_phys(info), sizeof(*info));
	if (rc < 0) {
		if (rc == -ENODEV)
			pr_info("ivc: hvisor gives this zone no IVC, or does not run here\n");
		info->len = 0;
		goto fail;
	}
	if (!info->len || info->len > HV_IVC_MAX) {
		pr_err("ivc: hvisor names %llu IVCs; 1 to %d are possible\n", info->len,
		       HV_IVC_MAX);
		info->len = 0;
		rc = -ENODEV;
		goto fail;
	}
	rc = -ENOMEM;
	ivcs = kcalloc(info->len, sizeof(*ivcs), GFP_KERNEL);
	if (!ivcs)
		goto fail;
	node = of_find_node_by_path(NODE_PATH);
	if (!node)
		pr_warn("ivc: the device tree has no " NODE_PATH
			": no interrupts, poll will not return\n");
	rc = 0;
	for (i = 0; i < info->len && !rc; i++)
		rc = setup(&ivcs[i], i, node);
	of_node_put(node);
	if (!rc)
		return 0;
fail:
	teardown();
	return rc;
}

static void __exit ivc_exit(void)
{
	teardown();
}

module_init(ivc_init);
module_exit(ivc_exit);

MODULE_LICENSE("GPL v2");
MODULE_DESCRIPTION("Shared memory and interrupts between zones of the hvisor hypervisor");
MODULE_VERSION("0.1.0");
