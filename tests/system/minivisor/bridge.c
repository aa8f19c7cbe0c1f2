// SPDX-License-Identifier: GPL-2.0-or-later
#include "bridge.h"

#include <errno.h>

#include "abi/bridge.h"
#include "arch.h"
#include "cpu.h"
#include "fault.h"
#include "gic.h"
#include "stage2.h"
#include "text.h"
#include "zone.h"

#define PAGE 4096
#define NEXT(i) (((i) + 1) % HV_BRIDGE_SLOTS)
#define WINDOW 0x200 /* of one virtio-mmio device */
#define QUEUE_NOTIFY 0x50
/* A service that lives answers sooner, one that is gone never does. */
#define LAST_ANSWER_MS 200

static struct hv_bridge_page *bridge;
static struct lock request_lock, result_lock;
static uint64_t counters[COUNTERS];

void count(enum counter counter)
{
	__atomic_add_fetch(&counters[counter], 1, __ATOMIC_RELAXED);
}

uint64_t counted(enum counter counter)
{
	return __atomic_load_n(&counters[counter], __ATOMIC_RELAXED);
}

static struct hv_bridge_page *page(void)
{
	return __atomic_load_n(&bridge, __ATOMIC_ACQUIRE);
}

#define SHARED(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

int64_t bridge_init(uint64_t ipa)
{
	void *at;

	if (ipa % PAGE)
		return -EINVAL;
	at = stage2_ram(zone_at(0), ipa, PAGE);
	if (!at)
		return -EFAULT;
	__atomic_store_n(&bridge, at, __ATOMIC_RELEASE);
	say("bridge page at %lx", ipa);
	return 0;
}

/* ---- results: interrupts for the zones */

/*
 * hvisor keeps a list of eight virtio interrupts and asserts when it would need a ninth. Here the
 * ninth is refused. A line is one interrupt of one life of a zone.
 */
static struct line {
	uint32_t life, irq;
} lines[HV_BRIDGE_DEVICES];

static bool is_alive(uint32_t life)
{
	for (unsigned int i = 1; i < MAX_ZONES; i++)
		if (zone_runs(zone_at(i)) && zone_at(i)->life == life)
			return true;
	return false;
}

static bool admit(const struct zone *zone, uint32_t irq)
{
	static struct line last_refused;
	struct line line = { zone->life, irq };
	struct line *free = NULL;

	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++) {
		if (lines[i].life == line.life && lines[i].irq == irq)
			return true;
		if (!is_alive(lines[i].life))
			free = &lines[i];
	}
	if (free) {
		*free = line;
		return true;
	}
	if (last_refused.life != line.life || last_refused.irq != irq)
		shout("zone %u: interrupt %u is one virtio device too many, here hvisor stops with "
		      "an assertion",
		      zone->id, irq);
	last_refused = line;
	return false;
}

static void deliver(const struct hv_bridge_res *result)
{
	const struct zone *zone = result->target_zone ? zone_running(result->target_zone) : NULL;

	count(COUNT_RESULTS);
	if (zone && admit(zone, result->irq_id) && gic_inject(zone, result->irq_id))
		count(COUNT_INJECTED);
	else
		count(COUNT_REFUSED);
}

int64_t bridge_drain(void)
{
	struct hv_bridge_page *b = page();

	if (!b)
		return -ENODEV;
	count(COUNT_DRAINS);
	if (fault_is_due(FAULT_LOSE_DRAIN))
		return 0;
	fault_wait(FAULT_LATE_DRAIN, NULL);
	lock_take(&result_lock);
	for (uint32_t i = b->res_front % HV_BRIDGE_SLOTS;
	     i != SHARED(b->res_rear) % HV_BRIDGE_SLOTS; i = NEXT(i)) {
		struct hv_bridge_res result = b->res[i];

		deliver(&result);
		__atomic_store_n(&b->res_front, NEXT(i), __ATOMIC_RELEASE);
	}
	lock_release(&result_lock);
	return 0;
}

/* ---- requests: accesses of the zones */

static bool is_full(struct hv_bridge_page *b)
{
	uint32_t limit = fault_value(FAULT_SLOTS);
	uint32_t used = (b->req_rear - SHARED(b->req_front)) % HV_BRIDGE_SLOTS;

	return used >= (limit ? limit : HV_BRIDGE_SLOTS - 1);
}

/* Queues it once there is room; false when the zone was stopped before. */
static bool push(struct hv_bridge_page *b, const struct hv_bridge_req *request)
{
	lock_take(&request_lock);
	while (is_full(b)) {
		lock_release(&request_lock);
		if (!cpu_is_wanted())
			return false;
		relax();
		lock_take(&request_lock);
	}
	b->req[b->req_rear % HV_BRIDGE_SLOTS] = *request;
	__atomic_store_n(&b->req_rear, NEXT(b->req_rear), __ATOMIC_RELEASE);
	lock_release(&request_lock);
	count(COUNT_REQUESTS);
	return true;
}

/* After the request: the service sets need_wakeup and then looks at the ring once more. */
static void wake(struct hv_bridge_page *b)
{
	dsb();
	if (!SHARED(b->need_wakeup))
		return;
	if (fault_is_due(FAULT_LOSE_WAKE)) {
		count(COUNT_LOST_WAKES);
		return;
	}
	count(COUNT_WAKES);
	gic_inject(zone_at(0), WAKEUP_IRQ);
}

/*
 * Also a CPU whose zone is being stopped waits, but not without end: an answer that comes later
 * would be taken for that of the CPU's next life.
 */
static bool wait_answer(const uint64_t *flag, uint64_t seen)
{
	uint64_t end = 0;

	while (SHARED(*flag) == seen) {
		if (!cpu_is_wanted()) {
			if (!end)
				end = deadline(LAST_ANSWER_MS);
			else if (is_past(end))
				return false;
		}
		relax();
	}
	return true;
}

bool bridge_access(struct zone *zone, uint64_t ipa, unsigned int size, bool is_write,
		   uint64_t *value)
{
	unsigned int cpu = cpu_self();
	bool is_notify = is_write && ipa % WINDOW == QUEUE_NOTIFY;
	struct hv_bridge_page *b;
	uint64_t seen;

	fault_wait(FAULT_LATE, cpu_is_wanted);
	while (!(b = page())) {
		if (!cpu_is_wanted())
			return false;
		relax();
	}
	seen = SHARED(b->cfg_flags[cpu]);
	if (!push(b, &(struct hv_bridge_req){
			     .src_cpu = cpu,
			     .address = ipa,
			     .size = size,
			     .value = is_write ? *value : 0,
			     .src_zone = zone->id,
			     .is_write = is_write,
			     .need_interrupt = is_notify,
		     }))
		return false;
	wake(b);
	if (is_notify) {
		count(COUNT_NOTIFICATIONS);
		return true;
	}
	if (!wait_answer(&b->cfg_flags[cpu], seen))
		return false;
	fault_wait(FAULT_LATE_ANSWER, cpu_is_wanted);
	if (!is_write)
		*value = b->cfg_values[cpu];
	return true;
}
