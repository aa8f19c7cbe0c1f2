// SPDX-License-Identifier: GPL-2.0-only
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hvisor.h"
#include "hypercall.h"

#if defined(CONFIG_ARM64)
#define HV_CONFIG_ARM64
#elif defined(CONFIG_RISCV)
#define HV_CONFIG_RISCV64
#elif defined(CONFIG_LOONGARCH)
#define HV_CONFIG_LOONGARCH64
#else
#define HV_CONFIG_X86_64
#endif
#include "config_size.h"

/* hvisor has at most 32; the list is one contiguous piece of memory. */
#define ZONES_MAX 512

static unsigned int config_size;
module_param(config_size, uint, 0644);
MODULE_PARM_DESC(config_size,
		 "bytes of the zone configuration that the tool was compiled with (0: by hvisor's version)");

/* The argument of a hypercall: contiguous, and never on a stack, which need not be. */
static int call_with_copy(unsigned long code, const void __user *from, size_t size)
{
	void *copy = kmalloc(size, GFP_KERNEL);
	int rc = -EFAULT;

	if (!copy)
		return -ENOMEM;
	if (!copy_from_user(copy, from, size))
		rc = hv_call(code, virt_to_phys(copy), size);
	kfree(copy);
	return rc;
}

static int get_u64(unsigned long code, u64 *value)
{
	u64 *answer = kzalloc(sizeof(*answer), GFP_KERNEL);
	int rc;

	if (!answer)
		return -ENOMEM;
	rc = hv_call(code, virt_to_phys(answer), 0);
	*value = *answer;
	kfree(answer);
	return rc;
}

/* Any other answer, refusals too, comes from one. */
bool hv_zone_is_hvisor_there(void)
{
	u64 version;

	return get_u64(HV_CALL_CONFIG_CHECK, &version) != -ENODEV;
}

int hv_zone_get_u64(unsigned long code, u64 __user *arg)
{
	u64 value;
	int rc = get_u64(code, &value);

	if (rc >= 0 && put_user(value, arg))
		rc = -EFAULT;
	return rc;
}

static bool is_readable(const void __user *from, size_t at)
{
	u8 byte;

	return !copy_from_user(&byte, from + at, sizeof(byte));
}

static bool is_zero_at(const void __user *from, size_t at)
{
	u64 value;

	return !copy_from_user(&value, from + at, sizeof(value)) && !value;
}

/*
 * A tool that cannot know which form this module takes puts its bytes before memory that cannot
 * be read, so where reading ends is the size. Otherwise two forms may be in question: they are
 * tried only where they say the same, because hvisor reads the wrong one without noticing.
 */
static int start_one_of(const struct hv_config_size *size, const void __user *config)
{
	int rc;

	if (size->smaller && !is_readable(config, size->larger - 1))
		return call_with_copy(HV_CALL_ZONE_START, config, size->smaller);
	if (!size->smaller || !is_readable(config, size->larger))
		return call_with_copy(HV_CALL_ZONE_START, config, size->larger);
	if (!size->same_if_zero || !is_zero_at(config, size->same_if_zero)) {
		pr_warn_ratelimited("hvisor: zone configurations of version %u have %u or %u bytes, and this one does not tell: set /sys/module/hvisor/parameters/config_size to what hvisor was built with\n",
				    size->version, size->larger, size->smaller);
		return -EINVAL;
	}
	/* A wrong size is refused before anything is looked at. */
	rc = call_with_copy(HV_CALL_ZONE_START, config, size->larger);
	if (rc == -EINVAL)
		rc = call_with_copy(HV_CALL_ZONE_START, config, size->smaller);
	return rc;
}

int hv_zone_start(const void __user *config)
{
	unsigned int given = READ_ONCE(config_size);
	u64 version;
	size_t i;
	int rc;

	if (given)
		return given <= HV_CONFIG_SIZE_MAX ?
			       call_with_copy(HV_CALL_ZONE_START, config, given) :
			       -EINVAL;
	rc = get_u64(HV_CALL_CONFIG_CHECK, &version);
	if (rc < 0)
		return rc;
	for (i = 0; i < ARRAY_SIZE(hv_config_sizes); i++) {
		if (hv_config_sizes[i].version == version)
			return start_one_of(&hv_config_sizes[i], config);
	}
	pr_warn_ratelimited("hvisor: the size of zone configurations of version %llu is not known: set /sys/module/hvisor/parameters/config_size\n",
			    version);
	return -EINVAL;
}

int hv_zone_start_sized(const struct hv_ioc_zone_start __user *arg)
{
	struct hv_ioc_zone_start start;

	if (copy_from_user(&start, arg, sizeof(start)))
		return -EFAULT;
	if (!start.size || start.size > HV_CONFIG_SIZE_MAX || start.config > ULONG_MAX)
		return -EINVAL;
	return call_with_copy(HV_CALL_ZONE_START, u64_to_user_ptr(start.config), start.size);
}

int hv_zone_shutdown(unsigned long id)
{
	return id > U32_MAX ? -EINVAL : hv_call(HV_CALL_ZONE_SHUTDOWN, id, 0);
}

int hv_zone_list(const struct hv_ioc_zone_list __user *arg)
{
	struct hv_ioc_zone_list list;
	struct hv_wire_zone_info *zones;
	int rc;

	if (copy_from_user(&list, arg, sizeof(list)))
		return -EFAULT;
	if (!list.count || list.count > ZONES_MAX || list.zones > ULONG_MAX)
		return -EINVAL;
	zones = kcalloc(list.count, sizeof(*zones), GFP_KERNEL);
	if (!zones)
		return -ENOMEM;
	rc = hv_call(HV_CALL_ZONE_LIST, virt_to_phys(zones), list.count);
	if (rc > 0 && rc > list.count)
		rc = -EIO;
	if (rc > 0 && copy_to_user(u64_to_user_ptr(list.zones), zones, rc * sizeof(*zones)))
		rc = -EFAULT;
	kfree(zones);
	return rc;
}

int hv_zone_boot_mode(const struct hv_ioc_boot_mode __user *arg)
{
	return call_with_copy(HV_CALL_BOOT_MODE, arg, sizeof(*arg));
}

int hv_zone_clear_irq(const struct hv_ioc_clear_irq __user *arg)
{
	struct hv_ioc_clear_irq line;

	if (copy_from_user(&line, arg, sizeof(line)))
		return -EFAULT;
	return hv_call(HV_CALL_CLEAR_IRQ, line.zone_id, line.irq_id);
}
