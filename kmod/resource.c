// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks, resets and power domains of HV_NODE_PATH, which zone0 lends to zones. An id is an index
 * into the node's property. What was switched on here is counted, so that nobody else's use of
 * a clock or domain is ever undone, and stays on until it is switched off or this module goes:
 * a zone outlives the service that asked for it.
 */
#include <linux/clk.h>
#include <linux/clk-provider.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/pm_domain.h>
#include <linux/pm_runtime.h>
#include <linux/reset.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hvisor.h"
#include "abi/resource.h"

struct clock {
	struct clk *clk; /* NULL = not asked for yet */
	unsigned int on;
};

struct domain {
	struct device *dev; /* NULL = not asked for yet */
	bool on;
};

static DEFINE_MUTEX(lock);
static struct device_node *node;
static struct platform_device *holder; /* of the power domains */
static struct clock *clocks;
static struct reset_control **resets;
static struct domain *domains;
static unsigned int n_clocks, n_resets, n_domains;

static unsigned int count_of(const char *list, const char *cells)
{
	int n = of_count_phandle_with_args(node, list, cells);

	return n > 0 ? n : 0;
}

/* Looked for when first used: a provider may be a module that comes later. */
static struct clk *get_clock(u32 id)
{
	if (id >= n_clocks)
		return ERR_PTR(-ENOENT);
	if (!clocks[id].clk) {
		struct clk *clk = of_clk_get(node, id);

		if (IS_ERR_OR_NULL(clk))
			return clk ? clk : ERR_PTR(-ENODEV);
		clocks[id].clk = clk;
	}
	return clocks[id].clk;
}

static bool is_on(struct clk *clk)
{
#ifdef CONFIG_COMMON_CLK
	return __clk_is_enabled(clk);
#else
	return false;
#endif
}

static void name_clock(u32 id, struct clk *clk, char *name)
{
#ifdef CONFIG_COMMON_CLK
	const char *known = __clk_get_name(clk);

	if (known) {
		strscpy(name, known, HV_RESOURCE_NAME_LEN);
		return;
	}
#endif
	snprintf(name, HV_RESOURCE_NAME_LEN, "clock_%u", id);
}

static u32 parent_of(struct clk *clk)
{
	struct clk *parent = clk_get_parent(clk);
	u32 id;

	for (id = 0; !IS_ERR_OR_NULL(parent) && id < n_clocks; id++) {
		if (clocks[id].clk && clk_is_match(clocks[id].clk, parent))
			return id;
	}
	return U32_MAX;
}

/*
 * Linux has no list of a clock's rates, but tells what it would make of a rate. So: the
 * lowest, the present one, the highest.
 */
static void list_rates(struct clk *clk, struct hv_ioc_clock *arg)
{
	long ends[2] = { clk_round_rate(clk, 0), clk_round_rate(clk, LONG_MAX) };
	u64 now = clk_get_rate(clk);
	u64 known[3];
	u32 first = arg->rates.index;
	u32 n = 0;
	u32 i;

	if (ends[0] > 0 && ends[0] < now)
		known[n++] = ends[0];
	known[n++] = now;
	if (ends[1] > 0 && ends[1] > now)
		known[n++] = ends[1];
	memset(arg->rates.rates, 0, sizeof(arg->rates.rates));
	arg->rates.num_rates = 0;
	arg->rates.remaining = 0;
	for (i = first; i < n; i++)
		arg->rates.rates[arg->rates.num_rates++] = known[i];
}

static int switch_clock(u32 id, struct clk *clk, bool on)
{
	struct clock *clock = &clocks[id];
	int rc;

	if (on) {
		if (clock->on == UINT_MAX)
			return -EOVERFLOW;
		rc = clk_prepare_enable(clk);
		if (rc)
			return rc;
		clock->on++;
	} else if (clock->on) {
		clk_disable_unprepare(clk);
		clock->on--;
	}
	return 0;
}

static int clock_command(struct hv_ioc_clock *arg)
{
	struct clk *clk;
	u32 id = arg->config.id; /* where all that have one have it */

	if (arg->subcmd == HV_CLOCK_COUNT) {
		arg->count = n_clocks;
		return 0;
	}
	if (arg->subcmd > HV_CLOCK_NAME || !arg->subcmd)
		return -EINVAL;
	clk = get_clock(id);
	if (IS_ERR(clk))
		return PTR_ERR(clk);
	switch (arg->subcmd) {
	case HV_CLOCK_ATTRIBUTES:
		arg->attributes.enabled = is_on(clk);
		arg->attributes.parent_id = parent_of(clk);
		name_clock(id, clk, arg->attributes.name);
		arg->attributes.is_valid = 1;
		return 0;
	case HV_CLOCK_RATES:
		list_rates(clk, arg);
		return 0;
	case HV_CLOCK_RATE_GET:
		arg->rate.rate = clk_get_rate(clk);
		return 0;
	case HV_CLOCK_RATE_SET:
		return clk_set_rate(clk, arg->rate_set.rate);
	case HV_CLOCK_CONFIG_GET:
		arg->config.config = is_on(clk) ? HV_CLOCK_ON : 0;
		arg->config.extended = 0;
		return 0;
	case HV_CLOCK_CONFIG_SET:
		return switch_clock(id, clk, arg->config.config & HV_CLOCK_ON);
	default:
		name_clock(id, clk, arg->name.name);
		return 0;
	}
}

static int reset_command(struct hv_ioc_reset *arg)
{
	u32 id = arg->reset.domain;

	if (arg->subcmd == HV_RESET_COUNT) {
		arg->count = n_resets;
		return 0;
	}
	if (arg->subcmd != HV_RESET_RESET)
		return -EINVAL;
	if (id >= n_resets)
		return -ENOENT;
	if (!resets[id]) {
		struct reset_control *reset = of_reset_control_get_exclusive_by_index(node, id);

		if (IS_ERR_OR_NULL(reset))
			return reset ? PTR_ERR(reset) : -ENODEV;
		resets[id] = reset;
	}
	if (arg->reset.flags & HV_RESET_PULSE)
		return reset_control_reset(resets[id]);
	if (arg->reset.flags & HV_RESET_ASSERT)
		return reset_control_assert(resets[id]);
	return reset_control_deassert(resets[id]);
}

static int get_domain(u32 id)
{
	struct device *dev;

	if (id >= n_domains)
		return -ENOENT;
	if (domains[id].dev)
		return 0;
	dev = dev_pm_domain_attach_by_id(&holder->dev, id);
	if (IS_ERR_OR_NULL(dev))
		return dev ? PTR_ERR(dev) : -ENODEV;
	domains[id].dev = dev;
	return 0;
}

static void name_domain(u32 id, char *name)
{
	const char *known;

	if (of_property_read_string_index(node, "power-domain-names", id, &known))
		snprintf(name, HV_RESOURCE_NAME_LEN, "pd_%u", id);
	else
		strscpy(name, known, HV_RESOURCE_NAME_LEN);
}

static int switch_domain(struct domain *domain, bool on)
{
	int rc;

	if (on == domain->on)
		return 0;
	if (on) {
		rc = pm_runtime_get_sync(domain->dev);
		if (rc < 0) {
			pm_runtime_put_noidle(domain->dev);
			return rc;
		}
	} else {
		rc = pm_runtime_put_sync(domain->dev);
		/* The use is given back all the same; somebody else may need the domain still. */
		if (rc < 0 && rc != -EAGAIN && rc != -EBUSY) {
			domain->on = false;
			return rc;
		}
	}
	domain->on = on;
	return 0;
}

static int power_command(struct hv_ioc_power *arg)
{
	u32 id = arg->state.domain;
	int rc;

	if (arg->subcmd == HV_POWER_COUNT) {
		arg->count = n_domains;
		return 0;
	}
	if (arg->subcmd > HV_POWER_STATE_GET || !arg->subcmd)
		return -EINVAL;
	rc = get_domain(id);
	if (rc)
		return rc;
	switch (arg->subcmd) {
	case HV_POWER_ATTRIBUTES:
		arg->attributes.flags = 0;
		name_domain(id, arg->attributes.name);
		return 0;
	case HV_POWER_STATE_SET:
		if (arg->state.state != HV_POWER_ON && arg->state.state != HV_POWER_OFF)
			return -EINVAL;
		return switch_domain(&domains[id], arg->state.state == HV_POWER_ON);
	default:
		arg->state.state = pm_runtime_active(domains[id].dev) ? HV_POWER_ON : HV_POWER_OFF;
		return 0;
	}
}

int hv_resource_ioctl(unsigned int cmd, void __user *arg)
{
	union {
		struct hv_ioc_clock clock;
		struct hv_ioc_reset reset;
		struct hv_ioc_power power;
	} u;
	int rc;

	if (cmd != HV_IOC_CLOCK && cmd != HV_IOC_RESET && cmd != HV_IOC_POWER)
		return -ENOTTY;
	if (copy_from_user(&u, arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	mutex_lock(&lock);
	if (cmd == HV_IOC_CLOCK)
		rc = clock_command(&u.clock);
	else if (cmd == HV_IOC_RESET)
		rc = reset_command(&u.reset);
	else
		rc = power_command(&u.power);
	mutex_unlock(&lock);
	if (!rc && copy_to_user(arg, &u, _IOC_SIZE(cmd)))
		rc = -EFAULT;
	return rc;
}

/* A device of ours to attach power domains to: nothing else is driven by the node. */
static void make_holder(void)
{
	struct platform_device_info info = {
		.name = "hvisor",
		.id = PLATFORM_DEVID_NONE,
		.fwnode = of_fwnode_handle(node),
		.of_node_reused = true,
	};

	holder = platform_device_register_full(&info);
	if (IS_ERR(holder)) {
		pr_warn("hvisor: power domains cannot be lent (error %ld)\n", PTR_ERR(holder));
		holder = NULL;
		n_domains = 0;
	}
}

void hv_resource_setup(struct device_node *from)
{
	if (!from)
		return;
	node = of_node_get(from);
	n_clocks = count_of("clocks", "#clock-cells");
	n_resets = count_of("resets", "#reset-cells");
	n_domains = count_of("power-domains", "#power-domain-cells");
	clocks = kcalloc(n_clocks, sizeof(*clocks), GFP_KERNEL);
	resets = kcalloc(n_resets, sizeof(*resets), GFP_KERNEL);
	domains = kcalloc(n_domains, sizeof(*domains), GFP_KERNEL);
	if (!clocks || !resets || !domains) {
		pr_warn("hvisor: no memory, so no clocks, resets and power domains\n");
		hv_resource_teardown();
		return;
	}
	if (n_domains)
		make_holder();
}

void hv_resource_teardown(void)
{
	unsigned int i;

	for (i = 0; i < n_clocks && clocks; i++) {
		while (clocks[i].on)
			switch_clock(i, clocks[i].clk, false);
		clk_put(clocks[i].clk);
	}
	for (i = 0; i < n_resets && resets; i++)
		reset_control_put(resets[i]);
	for (i = 0; i < n_domains && domains; i++) {
		if (!domains[i].dev)
			continue;
		switch_domain(&domains[i], false);
		dev_pm_domain_detach(domains[i].dev, false);
	}
	platform_device_unregister(holder);
	holder = NULL;
	kfree(clocks);
	kfree(resets);
	kfree(domains);
	clocks = NULL;
	resets = NULL;
	domains = NULL;
	n_clocks = 0;
	n_resets = 0;
	n_domains = 0;
	of_node_put(node);
	node = NULL;
}

void hv_resource_query(struct hv_ioc_query *query)
{
	query->features |= HV_FEATURE_RESOURCES;
	query->clocks = n_clocks;
	query->resets = n_resets;
	query->power_domains = n_domains;
}
