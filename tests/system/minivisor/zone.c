// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone.h"

#include <errno.h>

#include "arch.h"
#include "cpu.h"
#include "fault.h"
#include "gic.h"
#include "stage2.h"
#include "text.h"
#include "wire.h"

#define STOP_MS 2000
#define STOP_MS_NOSTOP 100
#define KICK_MS 20
/* After a stop a CPU may still be on its way off. */
#define OFF_MS 500
#define GIC_TAG_V3 1

static struct zone zones[MAX_ZONES];
static struct lock zones_lock;
static const struct config_layout *layout;
static uint32_t last_life;

unsigned int zone_slot(const struct zone *zone)
{
	return (unsigned int)(zone - zones);
}

struct zone *zone_at(unsigned int slot)
{
	return &zones[slot];
}

bool zone_is_root(const struct zone *zone)
{
	return zone == &zones[0];
}

bool zone_runs(const struct zone *zone)
{
	return __atomic_load_n(&zone->state, __ATOMIC_ACQUIRE) == ZONE_RUNNING;
}

static void set_state(struct zone *zone, enum zone_state state)
{
	__atomic_store_n(&zone->state, state, __ATOMIC_SEQ_CST);
	dsb();
}

struct zone *zone_running(uint32_t id)
{
	for (unsigned int i = 0; i < MAX_ZONES; i++)
		if (zone_runs(&zones[i]) && zones[i].id == id)
			return &zones[i];
	return NULL;
}

/* Crashed ones, too. */
static struct zone *find(uint64_t id)
{
	for (unsigned int i = 0; i < MAX_ZONES; i++)
		if (zones[i].state != ZONE_FREE && zones[i].id == id)
			return &zones[i];
	return NULL;
}

void zone_set_layout(const struct config_layout *new)
{
	layout = new;
}

const struct config_layout *zone_layout(void)
{
	return layout;
}

void zone_lock(void)
{
	while (!lock_try(&zones_lock)) {
		if (!cpu_is_wanted())
			cpu_leave();
		relax();
	}
}

void zone_unlock(void)
{
	lock_release(&zones_lock);
}

/* Every CPU's redistributor: Linux walks them all to find the last. It may write its own. */
static int map_redistributors(struct zone *zone, uint64_t gicr_base)
{
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
		int rc = stage2_map(zone, gicr_base + cpu * GICR_SIZE, GICR_BASE + cpu * GICR_SIZE,
				    GICR_SIZE,
				    zone->cpus >> cpu & 1 ? STAGE2_DEVICE : STAGE2_DEVICE_RO);

		if (rc)
			return rc;
	}
	return 0;
}

static int map_devices(struct zone *zone)
{
	int rc = stage2_map(zone, UART_BASE, UART_BASE, 4096, STAGE2_DEVICE);

	if (!rc)
		rc = stage2_map(zone, VIRTIO_SLOTS_BASE, VIRTIO_SLOTS_BASE, VIRTIO_SLOTS_SIZE,
				STAGE2_DEVICE);
	if (!rc)
		rc = stage2_map(zone, GITS_BASE, GITS_BASE, GITS_SIZE, STAGE2_DEVICE);
	if (!rc)
		rc = map_redistributors(zone, GICR_BASE);
	return rc;
}

struct zone *zone_init_root(uint64_t cpus, const struct config_layout *wanted, bool has_ivc)
{
	static const char name[] = "root-linux";
	struct zone *root = &zones[0];
	int rc;

	layout = wanted;
	root->cpus = cpus;
	root->gicd_base = GICD_BASE;
	root->life = ++last_life;
	memcpy(root->name, name, sizeof(name));
	gic_give_all(root);
	stage2_reset(root);
	rc = stage2_map(root, ZONE0_RAM_BASE, ZONE0_RAM_BASE, ZONE0_RAM_SIZE, STAGE2_RAM);
	if (!rc)
		rc = map_devices(root);
	if (!rc && has_ivc)
		rc = ivc_join(root, &(struct config_ivc){
					    .control_ipa = ZONE0_IVC_CONTROL,
					    .shared_ipa = ZONE0_IVC_SHARED,
					    .rw_size = 4096,
					    .out_size = 4096,
					    .irq = ZONE0_IVC_IRQ,
					    .max_peers = 2,
				    });
	if (rc)
		shout("zone0's memory cannot be mapped: error %d", -rc);
	set_state(root, ZONE_RUNNING);
	return root;
}

/*
 * Gets every CPU of the zone but the caller's off. With an empty map a CPU exits at its next
 * access, but one in WFI makes none: hence the kick.
 */
static void halt_others(struct zone *zone)
{
	uint64_t end = deadline(fault_value(FAULT_NOSTOP) ? STOP_MS_NOSTOP : STOP_MS);
	uint64_t next_kick = 0;

	stage2_cut(zone);
	do {
		bool kicks = is_past(next_kick);

		if (kicks)
			next_kick = deadline(KICK_MS);
		zone->lingering = 0;
		for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
			if (cpu == cpu_self() || !(zone->cpus >> cpu & 1) || cpu_is_off(cpu))
				continue;
			zone->lingering |= 1UL << cpu;
			if (kicks)
				gic_kick(cpu);
		}
	} while (zone->lingering && !is_past(end));
	if (zone->lingering)
		shout("zone %u: CPUs %lx did not stop in time", zone->id, zone->lingering);
	gic_take_back(zone);
}

static void remove(struct zone *zone)
{
	uint64_t lingering = zone->lingering;

	say("zone %u removed", zone->id);
	ivc_leave(zone);
	memset(zone, 0, sizeof(*zone));
	zone->lingering = lingering;
}

int64_t zone_stop(uint64_t id)
{
	struct zone *zone = id ? find(id) : NULL;

	if (!zone)
		return -EINVAL;
	set_state(zone, ZONE_STOPPING);
	halt_others(zone);
	remove(zone);
	return 0;
}

/* The caller may be one of the zone's CPUs, and goes off afterwards then. */
static void crash(struct zone *zone)
{
	set_state(zone, ZONE_CRASHED);
	halt_others(zone);
	zone->is_err = true;
}

void zone_end_own(bool crashed)
{
	struct zone *zone = cpu_zone();

	zone_lock();
	if (cpu_is_wanted()) {
		if (crashed) {
			crash(zone);
		} else {
			set_state(zone, ZONE_STOPPING);
			halt_others(zone);
			zone->lingering |= 1UL << cpu_self();
			remove(zone);
		}
	}
	zone_unlock();
	cpu_park();
}

/* Only zones that run; the fault stays until its zone does. */
static struct zone *doomed(enum fault fault)
{
	uint32_t id = fault_value(fault);
	struct zone *zone = id ? zone_running(id) : NULL;

	return zone && is_past(fault_doom_at(fault, zone->started)) ? zone : NULL;
}

void zone_doom(void)
{
	struct zone *zone;

	if (!fault_value(FAULT_DIE) && !fault_value(FAULT_HANG))
		return;
	if (!lock_try(&zones_lock))
		return;
	zone = doomed(FAULT_DIE);
	if (zone) {
		fault_take(FAULT_DIE);
		say("zone %u dies as ordered", zone->id);
		crash(zone);
	}
	zone = doomed(FAULT_HANG);
	if (zone) {
		fault_take(FAULT_HANG);
		say("zone %u hangs as ordered", zone->id);
		zone->is_hung = true;
		stage2_cut(zone);
		for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
			if (cpu != cpu_self() && zone->cpus >> cpu & 1)
				gic_kick(cpu);
	}
	zone_unlock();
}

/* ---- starting */

static struct zone *free_slot(void)
{
	for (unsigned int i = 1; i < MAX_ZONES; i++) {
		bool is_free = zones[i].state == ZONE_FREE;

		for (unsigned int cpu = 0; is_free && cpu < cpu_count(); cpu++)
			is_free = !(zones[i].lingering >> cpu & 1) || cpu_is_off(cpu);
		if (is_free)
			return &zones[i];
	}
	return NULL;
}

static bool cpus_are_free(uint64_t cpus)
{
	uint64_t end = deadline(OFF_MS);

	for (unsigned int i = 0; i < MAX_ZONES; i++)
		if (zones[i].state != ZONE_FREE && zones[i].cpus & cpus)
			return false;
	for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
		while (cpus >> cpu & 1 && !cpu_is_off(cpu))
			if (is_past(end))
				return false;
	return true;
}

static const char *reason_against(const struct config *config)
{
	if (!config->cpus || config->cpus >> cpu_count())
		return "it names no CPU, or one that does not exist";
	if (config->is_aarch32)
		return "minivisor runs no AArch32 guests";
	if (config->gic_tag != GIC_TAG_V3)
		return "this machine has a GICv3";
	if (!config->gicd_base || !config->gicr_base)
		return "gicd_base or gicr_base is 0, where hvisor panics";
	return NULL;
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static int add_region(struct zone *zone, const struct config_region *region)
{
	if (region->type == CONFIG_VIRTIO) {
		/* On arm64 hvisor traps a window where its physical address says. */
		zone->windows[zone->n_windows++] =
			(struct zone_window){ region->phys, region->size };
		return 0;
	}
	if (overlaps(region->phys, region->size, RAM_BASE, HYPERVISOR_END - RAM_BASE)) {
		shout("zone %u: the region at %lx is minivisor's own memory", zone->id,
		      region->phys);
		return -EINVAL;
	}
	return stage2_map(zone, region->ipa, region->phys, region->size,
			  region->type == CONFIG_RAM ? STAGE2_RAM : STAGE2_DEVICE);
}

/* Where the guest finds its tree: the config says where it lies in physical memory. */
static uint64_t dtb_ipa(const struct config *config)
{
	for (uint32_t i = 0; i < config->n_regions; i++) {
		const struct config_region *r = &config->regions[i];

		if (r->type == CONFIG_RAM && config->dtb_phys - r->phys < r->size)
			return config->dtb_phys - r->phys + r->ipa;
	}
	return config->dtb_phys;
}

static int build(struct zone *zone, const struct config *config)
{
	int rc = 0;

	memset(zone, 0, sizeof(*zone));
	stage2_reset(zone);
	zone->id = config->id;
	zone->cpus = config->cpus;
	zone->life = ++last_life;
	zone->gicd_base = config->gicd_base;
	memcpy(zone->name, config->name, sizeof(zone->name));
	for (uint32_t i = 0; !rc && i < config->n_regions; i++)
		rc = add_region(zone, &config->regions[i]);
	if (!rc)
		rc = map_redistributors(zone, config->gicr_base);
	for (uint32_t i = 0; !rc && i < config->n_ivcs; i++)
		rc = ivc_join(zone, &config->ivcs[i]);
	return rc;
}

int64_t zone_start(const void *bytes, uint64_t size)
{
	static struct config config; /* under the lock; too much for the stack */
	unsigned int first;
	struct zone *zone;
	const char *why;
	int64_t rc;

	rc = config_parse(layout, bytes, size, &config, &why);
	if (!rc && find(config.id)) {
		say("start refused: zone %u exists", config.id);
		return -EINVAL;
	}
	if (!rc)
		why = reason_against(&config);
	if (why) {
		say("start refused: %s", why);
		return -EINVAL;
	}
	if (!cpus_are_free(config.cpus)) {
		say("start refused: CPUs %lx are not all free", config.cpus);
		return -EBUSY;
	}
	zone = free_slot();
	if (!zone) {
		say("start refused: there are %u zones", MAX_ZONES);
		return -ENOMEM;
	}
	if (config.n_pci_devs)
		say("zone %u: PCI devices are left out", config.id);
	rc = build(zone, &config);
	if (rc)
		goto fail;
	gic_give(zone, config.irqs);
	zone->started = read_sysreg(cntpct_el0);
	set_state(zone, ZONE_RUNNING);
	first = (unsigned int)__builtin_ctzl(config.cpus);
	rc = cpu_on(zone, first, config.entry, dtb_ipa(&config));
	if (rc) {
		gic_take_back(zone);
		rc = -EIO;
		goto fail;
	}
	say("zone %u (%s) started on CPU %u at %lx", zone->id, zone->name, first, config.entry);
	return 0;
fail:
	say("zone %u cannot be started: error %ld", config.id, -rc);
	ivc_leave(zone);
	memset(zone, 0, sizeof(*zone));
	return rc;
}

int64_t zone_list(void *infos, uint64_t max)
{
	int64_t n = 0;

	for (unsigned int i = 0; i < MAX_ZONES && (uint64_t)n < max; i++) {
		struct wire_zone_info info = { .id = zones[i].id, .cpus = zones[i].cpus };

		if (zones[i].state == ZONE_FREE)
			continue;
		memcpy(info.name, zones[i].name, sizeof(info.name));
		info.is_err = zones[i].is_err;
		memcpy((struct wire_zone_info *)infos + n++, &info, sizeof(info));
	}
	return n;
}
