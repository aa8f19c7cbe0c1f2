// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/size.h"
#include "hypervisor/sim/machine.h"

/* The real one waits seconds for a CPU that does not stop; this is enough to be felt. */
#define STUCK_DELAY_MS 2200

int64_t hv_sim_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct sim_zone *hv_sim_zone(struct hv_sim *sim, uint32_t id)
{
	for (uint32_t i = 0; i < HV_MAX_ZONES; i++)
		if (sim->state.zones[i].used && sim->state.zones[i].id == id)
			return &sim->state.zones[i];
	return NULL;
}

static struct sim_pending *pending_of(struct hv_sim *sim, const struct sim_zone *zone)
{
	return &sim->pending[zone - sim->state.zones];
}

/* The one place where a zone begins to run. */
static void zone_begin(struct hv_sim *sim, struct sim_zone *slot, const struct sim_zone *zone)
{
	struct sim_state *s = &sim->state;

	*slot = *zone;
	pending_of(sim, slot)->n = 0;
	for (uint32_t i = 0; i < s->n_orders; i++) {
		if (s->orders[i].id != zone->id)
			continue;
		slot->doom = s->orders[i].doom;
		slot->doom_at = hv_sim_now() + (int64_t)s->orders[i].after_ns;
		s->orders[i] = s->orders[--s->n_orders];
		break;
	}
	hv_sim_run_begin(sim, slot);
}

/* The one place where a zone ends and its CPUs come free. */
static void zone_end(struct hv_sim *sim, struct sim_zone *zone)
{
	hv_sim_run_end(sim, zone);
	hv_sim_ivc_leave(sim, zone);
	pending_of(sim, zone)->n = 0;
	memset(zone, 0, sizeof(*zone));
}

void hv_sim_die(struct hv_sim *sim, struct sim_zone *zone, bool crash)
{
	if (!crash) {
		zone_end(sim, zone);
		return;
	}
	hv_sim_run_end(sim, zone);
	zone->is_err = 1;
	zone->doom = SIM_DOOM_NONE;
	pending_of(sim, zone)->n = 0;
}

/* Whether anything happened. */
static bool settle(struct hv_sim *sim)
{
	int64_t now = hv_sim_now();
	bool changed = false;

	for (uint32_t i = 1; i < HV_MAX_ZONES; i++) {
		struct sim_zone *zone = &sim->state.zones[i];

		if (!zone->used || zone->doom == SIM_DOOM_NONE || now < zone->doom_at)
			continue;
		changed = true;
		hv_sim_die(sim, zone, zone->doom == SIM_DOOM_CRASH);
	}
	return changed;
}

static int dead(const struct hv_sim *sim, struct hv_err *err)
{
	return hv_err_set(
		err, EIO,
		"the simulated machine has panicked (%s) and answers nothing any more; %s%s",
		sim->state.panic,
		sim->dir ? "to switch it off and on, remove " : "a new run has a new one",
		sim->dir ? sim->dir : "");
}

int hv_sim_enter(struct hv_sim *sim, enum hv_hyp_op op, struct hv_err *err)
{
	struct sim_op_fault *fault = &sim->state.faults[op];
	bool changed = settle(sim);
	int code = fault->code;
	int rc = 0;

	if (*sim->state.panic)
		return dead(sim, err);
	if (code && !fault->sticky) {
		fault->code = 0;
		changed = true;
	}
	if (changed)
		rc = hv_sim_state_save(sim, err);
	return rc < 0 ? rc : -code;
}

int hv_sim_panic(struct hv_sim *sim, struct hv_err *err, const char *fmt, ...)
{
	struct hv_err save_err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sim->state.panic, sizeof(sim->state.panic), fmt, ap);
	va_end(ap);
	hv_sim_run_end_all(sim);
	if (hv_sim_state_save(sim, &save_err) < 0)
		hv_log_error("%s", save_err.msg);
	return hv_err_set(err, EIO, "the real hvisor would panic here: %s", sim->state.panic);
}

static int check_regions(struct hv_sim *sim, const struct hv_abi_zone *zone, struct hv_err *err)
{
	for (uint32_t i = 0; i < zone->n_regions; i++) {
		const struct hv_abi_region *r = &zone->regions[i];
		const char *type = hv_region_type_name(r->type);
		uint64_t end;

		if (__builtin_add_overflow(r->phys, r->size, &end) ||
		    __builtin_add_overflow(r->ipa, r->size, &end))
			return hv_sim_panic(sim, err, "region %u (%s) of zone %u wraps around", i,
					    type, zone->id);
		if (r->type == HV_REGION_VIRTIO)
			continue;
		if (r->type == HV_REGION_RAM &&
		    !hv_is_aligned(r->phys | r->ipa | r->size, HV_PAGE_SIZE))
			return hv_sim_panic(sim, err,
					    "RAM region %u of zone %u (0x%" PRIx64 ", 0x%" PRIx64
					    " bytes) is not 4 KiB aligned",
					    i, zone->id, r->phys, r->size);
		if (hv_sim_in_hypervisor(sim, r->phys, r->size))
			return hv_sim_panic(sim, err,
					    "region %u (%s, 0x%" PRIx64
					    ") of zone %u lies in hypervisor memory",
					    i, type, r->phys, zone->id);
	}
	return 0;
}

static int check_cpus(struct hv_sim *sim, const struct hv_abi_zone *zone, struct hv_err *err)
{
	uint64_t taken = sim->state.busy_cpus;

	if (!zone->cpus)
		return hv_sim_panic(sim, err, "zone %u has no CPU to boot on", zone->id);
	if (zone->cpus >> (sim->state.n_cpus - 1) > 1)
		return hv_sim_panic(sim, err, "zone %u has CPU %d, the machine has CPUs 0 to %u",
				    zone->id, 63 - __builtin_clzll(zone->cpus),
				    sim->state.n_cpus - 1);
	for (uint32_t i = 0; i < HV_MAX_ZONES; i++) {
		const struct sim_zone *other = &sim->state.zones[i];

		if (other->used && other->cpus & zone->cpus)
			return hv_err_set(err, EBUSY, "CPU %d belongs to zone %u",
					  __builtin_ctzll(other->cpus & zone->cpus), other->id);
	}
	if (taken & zone->cpus)
		return hv_err_set(err, EBUSY, "CPU %d is on and belongs to no zone",
				  __builtin_ctzll(taken & zone->cpus));
	return 0;
}

static struct sim_zone *free_slot(struct hv_sim *sim)
{
	for (uint32_t i = 1; i < sim->state.max_zones; i++)
		if (!sim->state.zones[i].used)
			return &sim->state.zones[i];
	return NULL;
}

int hv_sim_start(struct hv_sim *sim, const void *config, size_t size, struct hv_err *err)
{
	enum hv_layout layout = (enum hv_layout)sim->state.layout;
	enum hv_arch arch = sim->hyp.arch;
	size_t own = hv_zone_config_size(layout, arch);
	struct hv_abi_zone zone;
	struct hv_err why = { 0 };
	struct sim_zone begun = { .used = 1 };
	struct sim_zone *slot;
	int rc;

	if (size != own)
		return hv_err_set(err, EINVAL, "its config has %zu bytes, not %zu", own, size);
	if (hv_zone_config_decode(layout, arch, config, size, &zone, &why) < 0)
		return hv_sim_panic(sim, err, "%s", why.msg);
	if (hv_sim_zone(sim, zone.id))
		return hv_err_set(err, EINVAL, "zone %u exists", zone.id);
	rc = check_cpus(sim, &zone, err);
	if (rc < 0)
		return rc;
	slot = free_slot(sim);
	if (!slot)
		return hv_sim_panic(sim, err,
				    "its build has room for %u zones, the root zone included",
				    sim->state.max_zones);
	rc = check_regions(sim, &zone, err);
	if (rc == 0)
		rc = hv_sim_ivc_join(sim, slot, &zone, err);
	if (rc < 0)
		return rc;
	begun.id = zone.id;
	begun.cpus = zone.cpus;
	memcpy(begun.name, zone.name, sizeof(begun.name));
	begun.config_size = (uint32_t)size;
	memcpy(begun.config, config, size);
	zone_begin(sim, slot, &begun);
	return hv_sim_state_save(sim, err);
}

int hv_sim_stop(struct hv_sim *sim, uint32_t id, unsigned int *delay_ms, struct hv_err *err)
{
	struct sim_zone *zone = id ? hv_sim_zone(sim, id) : NULL;
	uint64_t stuck;

	*delay_ms = 0;
	if (!zone)
		return -EINVAL;
	stuck = zone->cpus & sim->state.stuck_cpus;
	if (stuck) {
		hv_log_warn(
			"simulated hvisor: CPU %d of zone %u does not stop; the zone is removed "
			"all the same",
			__builtin_ctzll(stuck), id);
		sim->state.busy_cpus |= stuck;
		*delay_ms = STUCK_DELAY_MS;
	}
	zone_end(sim, zone);
	return hv_sim_state_save(sim, err);
}

int hv_sim_drain(struct hv_sim *sim, struct hv_err *err)
{
	struct hv_bridge_page *page = sim->bridge;
	uint32_t rear, front;

	if (!page)
		return hv_err_set(err, ENODEV, "the bridge is not initialised");
	rear = __atomic_load_n(&page->res_rear, __ATOMIC_ACQUIRE);
	front = page->res_front;
	if (rear >= HV_BRIDGE_SLOTS || front >= HV_BRIDGE_SLOTS)
		return hv_sim_panic(sim, err, "the result ring's index is %u, it has %u entries",
				    rear >= HV_BRIDGE_SLOTS ? rear : front, HV_BRIDGE_SLOTS);
	for (; front != rear; front = (front + 1) % HV_BRIDGE_SLOTS) {
		struct hv_bridge_res res = page->res[front];
		struct sim_zone *zone = hv_sim_zone(sim, res.target_zone);
		struct sim_pending *pending;

		if (!zone || zone->is_err) {
			hv_log_debug(
				"simulated hvisor: interrupt %u for zone %u, which does not run",
				res.irq_id, res.target_zone);
			continue;
		}
		pending = pending_of(sim, zone);
		if (pending->n == SIM_PENDING_MAX)
			return hv_sim_panic(
				sim, err,
				"%u interrupts wait for CPU %d of zone %u already, and an "
				"assertion allows no more (interrupt %u)",
				pending->n, __builtin_ctzll(zone->cpus), zone->id, res.irq_id);
		pending->irqs[pending->n++] = res.irq_id;
		hv_sim_run_interrupt(sim, zone);
	}
	__atomic_store_n(&page->res_front, front, __ATOMIC_RELEASE);
	return 0;
}

bool hv_sim_pop_irq(struct hv_sim *sim, const struct sim_zone *zone, uint32_t *irq)
{
	struct sim_pending *pending = pending_of(sim, zone);

	if (hv_sim_ivc_pop(sim, zone, irq))
		return true;
	if (!pending->n)
		return false;
	*irq = pending->irqs[0];
	pending->n--;
	memmove(pending->irqs, pending->irqs + 1, pending->n * sizeof(pending->irqs[0]));
	return true;
}

int hv_sim_take_irq(struct hv_hyp *hyp, uint32_t id, uint32_t *irq, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct sim_zone *zone;
	int rc = 0;

	if (!hv_hyp_is_sim(hyp))
		return hv_err_set(err, EINVAL, "%s is not simulated", hyp->name);
	pthread_mutex_lock(&sim->lock);
	zone = hv_sim_zone(sim, id);
	if (!zone)
		rc = hv_err_set(err, ENOENT, "no zone %u", id);
	else if (!hv_sim_pop_irq(sim, zone, irq))
		rc = hv_err_set(err, EAGAIN, "no interrupt waits for zone %u", id);
	pthread_mutex_unlock(&sim->lock);
	return rc;
}
