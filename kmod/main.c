// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/hvisor: what zone0's user space needs of the hypervisor below. The interface is upstream's
 * (core/abi/ioctl.h), with additions that HV_IOC_QUERY tells.
 *
 * Every opener may do everything, as upstream; one virtio service at a time is a matter of user
 * space. What two of them would share: the bridge page, and the eventfd, of which the last one
 * registered counts.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/uaccess.h>

#include "hvisor.h"
#include "hypercall.h"

static int hvisor_query(struct hv_ioc_query __user *arg)
{
	struct hv_ioc_query query = {
		.version = HV_QUERY_VERSION,
		.features = HV_FEATURE_BRIDGE_STAYS | HV_FEATURE_WAKEUP_COUNT |
			    HV_FEATURE_START_SIZED | HV_FEATURE_RANGE_CHECK |
			    HV_FEATURE_EVENTFD_CLEAR,
	};

	hv_bridge_query(&query);
	hv_resource_query(&query);
	return copy_to_user(arg, &query, sizeof(query)) ? -EFAULT : 0;
}

static long hvisor_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case HV_IOC_FINISH_REQ:
		return hv_call(HV_CALL_FINISH_REQ, 0, 0);
	case HV_IOC_INIT_VIRTIO:
		return hv_bridge_init();
	case HV_IOC_SET_EVENTFD:
		return hv_bridge_set_eventfd(file, (int)arg);
	case HV_IOC_ZONE_START:
		return hv_zone_start(user);
	case HV_IOC_ZONE_START_SIZED:
		return hv_zone_start_sized(user);
	case HV_IOC_ZONE_SHUTDOWN:
		return hv_zone_shutdown(arg);
	case HV_IOC_ZONE_LIST:
		return hv_zone_list(user);
	case HV_IOC_CONFIG_CHECK:
		return hv_zone_get_u64(HV_CALL_CONFIG_CHECK, user);
	case HV_IOC_LOAD_IMAGE:
		return hv_memory_load(user);
	case HV_IOC_BOOT_MODE:
		return hv_zone_boot_mode(user);
	case HV_IOC_ECAM_BASE:
		return hv_zone_get_u64(HV_CALL_ECAM_BASE, user);
	case HV_IOC_CLEAR_IRQ:
		return IS_ENABLED(CONFIG_LOONGARCH) ? hv_zone_clear_irq(user) : -ENOTTY;
	case HV_IOC_QUERY:
		return hvisor_query(user);
	default:
		return hv_resource_ioctl(cmd, user);
	}
}

static int hvisor_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* A private mapping would keep what is written to itself. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	return vma->vm_pgoff ? hv_memory_mmap(vma) : hv_bridge_mmap(vma);
}

/*
 * A descriptor can be handed on: the right is asked for once, where it is made. The same goes for
 * whether there is a hypervisor at all, to which what is not zone0's memory belongs.
 */
static int hvisor_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return hv_zone_is_hvisor_there() ? 0 : -ENODEV;
}

static int hvisor_release(struct inode *inode, struct file *file)
{
	hv_bridge_release(file);
	return 0;
}

static const struct file_operations hvisor_fops = {
	.owner = THIS_MODULE,
	.open = hvisor_open,
	.release = hvisor_release,
	.unlocked_ioctl = hvisor_ioctl,
	.mmap = hvisor_mmap,
};

static struct miscdevice hvisor_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hvisor",
	.fops = &hvisor_fops,
	.mode = 0600,
};

static int __init hvisor_init(void)
{
	struct device_node *node = of_find_node_by_path(HV_NODE_PATH);
	int rc;

	hv_bridge_setup(node);
	hv_resource_setup(node);
	of_node_put(node);
	rc = misc_register(&hvisor_device);
	if (rc) {
		hv_resource_teardown();
		hv_bridge_teardown();
	}
	return rc;
}

static void __exit hvisor_exit(void)
{
	misc_deregister(&hvisor_device);
	hv_resource_teardown();
	hv_bridge_teardown();
}

module_init(hvisor_init);
module_exit(hvisor_exit);

/* Only for loading by name of the tree's node; nothing binds to it. */
static const struct of_device_id hvisor_of_match[] = {
	{ .compatible = "hvisor" },
	{}
};
MODULE_DEVICE_TABLE(of, hvisor_of_match);

MODULE_LICENSE("GPL v2");
MODULE_DESCRIPTION("Zones and virtio of the hvisor hypervisor");
MODULE_VERSION("0.1.0");
