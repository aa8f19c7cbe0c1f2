// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/irq.h"

#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "virtio/state.h"

/* Of failed hypercalls every so many-th is said. */
#define SAY_EVERY 1000

/*
 * How often an interrupt that nobody acknowledges is injected, by one process after the other: the
 * first may not have arrived. More of them would fill the CPU's list.
 */
#define TRIES 3

void hv_irqs_init(struct hv_irqs *irqs, struct hv_hyp *hyp, struct hv_bridge_page *page)
{
	memset(irqs, 0, sizeof(*irqs));
	irqs->hyp = hyp;
	irqs->page = page;
	pthread_mutex_init(&irqs->lock, NULL);
}

void hv_irqs_destroy(struct hv_irqs *irqs)
{
	pthread_mutex_destroy(&irqs->lock);
}

void hv_irq_add_zone(struct hv_irqs *irqs, struct hv_irq_zone *zone)
{
	pthread_mutex_lock(&irqs->lock);
	zone->next = irqs->zones;
	irqs->zones = zone;
	pthread_mutex_unlock(&irqs->lock);
}

void hv_irq_remove_zone(struct hv_irqs *irqs, struct hv_irq_zone *zone)
{
	pthread_mutex_lock(&irqs->lock);
	for (struct hv_irq_zone **at = &irqs->zones; *at; at = &(*at)->next) {
		if (*at != zone)
			continue;
		*at = zone->next;
		break;
	}
	pthread_mutex_unlock(&irqs->lock);
}

static bool is_pending(const struct hv_bridge_page *page)
{
	return __atomic_load_n(&page->res_front, __ATOMIC_ACQUIRE) != page->res_rear;
}

static struct hv_irq_line *line_of(struct hv_irq_zone *zone, const struct hv_vdev *dev)
{
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++)
		if (zone->lines[i].dev == dev)
			return &zone->lines[i];
	return NULL;
}

static void note(struct hv_irq_line *line, uint32_t injected)
{
	line->injected = injected;
	if (line->kept)
		__atomic_store_n(line->kept, injected, __ATOMIC_RELAXED);
	atomic_signal_fence(memory_order_seq_cst);
}

void hv_irq_plug(struct hv_irqs *irqs, struct hv_irq_zone *zone, const struct hv_vdev *dev,
		 uint32_t irq)
{
	struct hv_irq_line *line;

	pthread_mutex_lock(&irqs->lock);
	line = line_of(zone, NULL);
	*line = (struct hv_irq_line){
		.dev = dev,
		.irq = irq,
		.kept = hv_state_injected(dev->kept),
	};
	if (hv_state_is_adopted(dev->kept) && *line->kept) {
		note(line, *line->kept < TRIES ? *line->kept : TRIES);
		line->again = line->injected < TRIES;
		zone->unproven += line->injected;
		/* It may be in the ring, and nobody has told the hypervisor. */
		irqs->undelivered |= is_pending(irqs->page);
	}
	pthread_mutex_unlock(&irqs->lock);
}

/* Callers hold the lock. */
static void disarm(struct hv_irq_zone *zone, struct hv_irq_line *line)
{
	if (!zone->held)
		zone->unproven -= line->injected;
	note(line, 0);
	line->again = false;
}

void hv_irq_unplug(struct hv_irqs *irqs, struct hv_irq_zone *zone, const struct hv_vdev *dev)
{
	struct hv_irq_line *line;

	pthread_mutex_lock(&irqs->lock);
	line = line_of(zone, dev);
	if (line) {
		line->kept = NULL;
		disarm(zone, line);
		*line = (struct hv_irq_line){ 0 };
	}
	pthread_mutex_unlock(&irqs->lock);
}

static bool push(struct hv_bridge_page *page, uint32_t zone, uint32_t irq)
{
	uint32_t rear = page->res_rear;
	uint32_t next = (rear + 1) % HV_BRIDGE_SLOTS;

	if (next == __atomic_load_n(&page->res_front, __ATOMIC_ACQUIRE))
		return false;
	page->res[rear] = (struct hv_bridge_res){ .target_zone = zone, .irq_id = irq };
	__atomic_store_n(&page->res_rear, next, __ATOMIC_RELEASE);
	return true;
}

static bool may_go(const struct hv_irq_zone *zone, const struct hv_irq_line *line)
{
	return (line->again || !line->injected) && zone->unproven < HV_IRQ_MAX;
}

/* Puts what is wanted and may go into the ring; whether it put anything. Callers hold the lock. */
static bool fill(struct hv_irqs *irqs)
{
	bool any = false;

	for (struct hv_irq_zone *zone = irqs->zones; zone; zone = zone->next) {
		for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++) {
			struct hv_irq_line *line = &zone->lines[i];

			if (!line->wanted || !may_go(zone, line))
				continue;
			/* First: whoever is killed in between has said too much, never too
			 * little. */
			note(line, line->injected + 1);
			if (!push(irqs->page, zone->id, line->irq)) {
				note(line, line->injected - 1);
				return any;
			}
			line->wanted = false;
			zone->unproven++;
			line->again = false;
			any = true;
		}
	}
	return any;
}

static void say_failure(struct hv_irqs *irqs, const struct hv_err *err)
{
	if (irqs->failures++ % SAY_EVERY == 0)
		hv_log_error("%s; the guests' interrupts wait (attempt %llu)", err->msg,
			     (unsigned long long)irqs->failures);
}

/*
 * Callers hold the lock, which is given up during the hypercall. Who comes meanwhile leaves
 * its entries to the one that is there: one hypercall for all of them, and nobody waits.
 */
static void deliver(struct hv_irqs *irqs)
{
	bool pushed = fill(irqs);

	if (!pushed && !irqs->undelivered)
		return;
	if (irqs->injecting) {
		irqs->again = true;
		return;
	}
	irqs->injecting = true;
	do {
		struct hv_err err = { 0 };
		int rc;

		irqs->again = false;
		pthread_mutex_unlock(&irqs->lock);
		rc = hv_hyp_inject(irqs->hyp, &err);
		atomic_fetch_add_explicit(&irqs->injections, 1, memory_order_relaxed);
		pthread_mutex_lock(&irqs->lock);
		/* Whoever pushed since the hypervisor looked has set again. */
		irqs->undelivered = rc < 0 || is_pending(irqs->page);
		if (rc < 0) {
			say_failure(irqs, &err);
			break;
		}
	} while (fill(irqs) || irqs->again);
	irqs->injecting = false;
}

void hv_irq_raise(struct hv_irqs *irqs, struct hv_irq_zone *zone, uint32_t irq)
{
	pthread_mutex_lock(&irqs->lock);
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++) {
		struct hv_irq_line *line = &zone->lines[i];

		if (!line->dev || line->irq != irq)
			continue;
		/* An injected line that the guest has yet to acknowledge is looked at again then.
		 */
		line->wanted = !line->injected || line->again;
		break;
	}
	deliver(irqs);
	pthread_mutex_unlock(&irqs->lock);
}

void hv_irq_settle(struct hv_irqs *irqs, struct hv_irq_zone *zone, const struct hv_vdev *dev,
		   bool acked)
{
	struct hv_irq_line *line;
	bool asserted;

	pthread_mutex_lock(&irqs->lock);
	line = line_of(zone, dev);
	if (line) {
		/*
		 * Read under the lock: a cause set later finds the line as it is left here, one set
		 * before is seen here.
		 */
		asserted = atomic_load(&dev->interrupt_status) != 0;
		if (acked || !asserted)
			disarm(zone, line);
		line->wanted = asserted && !line->injected;
		deliver(irqs);
	}
	pthread_mutex_unlock(&irqs->lock);
}

void hv_irq_hold(struct hv_irqs *irqs, struct hv_irq_zone *zone, unsigned int cpu, bool hold)
{
	uint32_t bit = UINT32_C(1) << cpu;

	pthread_mutex_lock(&irqs->lock);
	if (hold) {
		zone->held |= bit;
	} else if (zone->held & bit) {
		zone->held &= ~bit;
		if (!zone->held) {
			zone->unproven = 0;
			for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++)
				zone->unproven += zone->lines[i].injected;
		}
		deliver(irqs);
	}
	pthread_mutex_unlock(&irqs->lock);
}

void hv_irq_retry(struct hv_irqs *irqs)
{
	pthread_mutex_lock(&irqs->lock);
	if (irqs->undelivered)
		deliver(irqs);
	pthread_mutex_unlock(&irqs->lock);
}
