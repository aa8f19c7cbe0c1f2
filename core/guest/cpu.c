// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/virtio_mmio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "guest/guest_priv.h"
#include "hypervisor/sim.h"
#include "virtio/barrier.h"

/* The hypervisor's side of the bridge, and the CPU that waits in it. */

#define GIVE_UP_NS 200000000
#define SPIN_LOOKS 64
#define YIELD_AFTER_NS 2000 /* a real CPU has nobody to yield to; this one shares the host's */
#define NAP_NS 20000

uint64_t hv_guest_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A thread is one CPU at a time. */
static _Thread_local struct hv_poll polling;

/* Between two looks at something that nobody will wake us for. */
static void give_way(void)
{
	static const struct timespec nap = { .tv_nsec = NAP_NS };
	uint64_t now = hv_guest_now();

	if (hv_poll_allowed(&polling, now))
		hv_poll_yield(&polling, now);
	else
		nanosleep(&nap, NULL);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t ns)
{
	struct timespec limit = { .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &limit, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void hv_guest_nudge(struct hv_guest *g)
{
	atomic_fetch_add(&g->irq_seq, 1);
	futex_wake(&g->irq_seq);
}

void hv_guest_settle(struct hv_guest *g)
{
	uint32_t n;

	while ((n = atomic_load(&g->inside)))
		futex_wait(&g->inside, n, 1000000000);
}

/* What the hypervisor does when its interrupt comes while a guest runs: empties its list. */
static void drain_irqs(struct hv_guest *g)
{
	bool any = false;
	uint32_t irq;

	if (!atomic_load_explicit(&g->irq_given, memory_order_relaxed) ||
	    !atomic_exchange(&g->irq_given, false))
		return;
	while (hv_sim_run_take_irq(g->guests->hyp, g->zone->id, g, &irq) == 0) {
		if (irq < GUEST_IRQS)
			atomic_fetch_or(&g->irqs[irq / 64], UINT64_C(1) << irq % 64);
		any = true;
	}
	if (any)
		hv_guest_nudge(g);
}

static bool is_pending(struct hv_guest *g, uint32_t irq)
{
	return irq < GUEST_IRQS && atomic_load(&g->irqs[irq / 64]) >> irq % 64 & 1;
}

bool hv_guest_take_irq(struct hv_guest *g, uint32_t irq)
{
	uint64_t bit = UINT64_C(1) << irq % 64;

	drain_irqs(g);
	return is_pending(g, irq) && atomic_fetch_and(&g->irqs[irq / 64], ~bit) & bit;
}

static bool take_lowest(struct hv_guest *g, uint32_t *irq)
{
	drain_irqs(g);
	for (uint32_t i = 0; i < GUEST_IRQS / 64; i++) {
		uint64_t bits = atomic_load_explicit(&g->irqs[i], memory_order_relaxed);

		*irq = 64 * i + (bits ? (uint32_t)__builtin_ctzll(bits) : 0);
		if (bits && hv_guest_take_irq(g, *irq))
			return true;
	}
	return false;
}

/* Waits until irq_seq is not `seen` any more. */
static void idle(struct hv_guest *g, uint32_t seen, uint64_t deadline)
{
	uint64_t now = hv_guest_now(), until = now + g->guests->opts.idle_spin_ns;

	while (now < until && now < deadline && hv_poll_allowed(&polling, now)) {
		for (unsigned int i = 0; i < SPIN_LOOKS; i++) {
			if (atomic_load_explicit(&g->irq_seq, memory_order_relaxed) != seen)
				return;
			hv_cpu_relax();
		}
		now = hv_guest_now();
		if (until - now > YIELD_AFTER_NS)
			now = hv_poll_yield(&polling, now);
	}
	if (now < deadline)
		futex_wait(&g->irq_seq, seen, deadline - now);
}

static uint64_t deadline_of(uint64_t timeout_ns)
{
	uint64_t now = hv_guest_now();

	return timeout_ns < UINT64_MAX - now ? now + timeout_ns : UINT64_MAX;
}

/* irq NULL: the lowest, which goes to *any. */
static int wait_for(struct hv_guest *g, const uint32_t *irq, uint32_t *any, uint64_t timeout_ns)
{
	uint64_t deadline = deadline_of(timeout_ns);

	for (;;) {
		uint32_t seen = atomic_load(&g->irq_seq);

		if (irq ? hv_guest_take_irq(g, *irq) : take_lowest(g, any))
			return 1;
		if (atomic_load(&g->stopping))
			return -ESHUTDOWN;
		if (hv_guest_now() >= deadline)
			return 0;
		idle(g, seen, deadline);
	}
}

int hv_guest_wait_irq(struct hv_guest *g, uint32_t irq, uint64_t timeout_ns)
{
	return wait_for(g, &irq, NULL, timeout_ns);
}

int hv_guest_next_irq(struct hv_guest *g, uint32_t *irq, uint64_t timeout_ns)
{
	return wait_for(g, NULL, irq, timeout_ns);
}

static struct hv_bridge_page *bridge(struct hv_guest *g)
{
	struct hv_bridge_page *page = atomic_load(&g->page);
	int fd;

	if (!page && hv_sim_run_bridge(g->guests->hyp, &page, &fd) == 0) {
		atomic_store(&g->wakeup_fd, fd);
		atomic_store(&g->page, page);
	}
	return page;
}

static bool in_virtio_region(const struct hv_guest *g, uint64_t addr, unsigned int size)
{
	for (uint32_t i = 0; i < g->zone->n_regions; i++) {
		const struct hv_abi_region *r = &g->zone->regions[i];

		if (r->type == HV_REGION_VIRTIO && addr - r->ipa < r->size &&
		    size <= r->size - (addr - r->ipa))
			return true;
	}
	return false;
}

/* One try; *waiting says whether this CPU is among those that wait. */
static bool try_push(struct hv_guests *all, struct hv_bridge_page *page,
		     const struct hv_bridge_req *req, bool *waiting)
{
	uint32_t rear, next;
	bool room;

	pthread_mutex_lock(&all->ring);
	rear = page->req_rear;
	next = (rear + 1) % HV_BRIDGE_SLOTS;
	/* Real CPUs all run at once. Here one could fill the ring each time before another gets on.
	 */
	room = next != __atomic_load_n(&page->req_front, __ATOMIC_ACQUIRE) &&
	       (all->ring_waiting == *waiting || all->ring_last != req->src_cpu);
	if (room) {
		page->req[rear] = *req;
		__atomic_store_n(&page->req_rear, next, __ATOMIC_RELEASE);
		all->ring_last = req->src_cpu;
	}
	if (room == *waiting) {
		all->ring_waiting += room ? -1u : 1u;
		*waiting = !room;
	}
	pthread_mutex_unlock(&all->ring);
	return room;
}

/* Waits while the ring is full, until the zone ends. */
static int push(struct hv_guest *g, struct hv_bridge_page *page, const struct hv_bridge_req *req)
{
	struct hv_guests *all = g->guests;
	bool waiting = false;

	while (!try_push(all, page, req, &waiting)) {
		if (atomic_load(&g->stopping)) {
			pthread_mutex_lock(&all->ring);
			all->ring_waiting--;
			pthread_mutex_unlock(&all->ring);
			return -ESHUTDOWN;
		}
		give_way();
	}
	return 0;
}

static void wake_service(struct hv_guest *g, const struct hv_bridge_page *page)
{
	uint64_t one = 1;
	unsigned int lose;

	hv_full_barrier();
	if (!__atomic_load_n(&page->need_wakeup, __ATOMIC_RELAXED))
		return;
	lose = atomic_load(&g->lose_wakeups);
	if (lose) {
		atomic_store(&g->lose_wakeups, lose - 1);
		return;
	}
	atomic_fetch_add_explicit(&g->wakeups, 1, memory_order_relaxed);
	(void)!write(atomic_load(&g->wakeup_fd), &one, sizeof(one));
}

static int wait_answer(struct hv_guest *g, const uint64_t *flag, uint64_t seen)
{
	uint64_t start = 0, stopped = 0;

	for (;;) {
		uint64_t now;

		for (unsigned int i = 0; i < SPIN_LOOKS; i++) {
			if (__atomic_load_n(flag, __ATOMIC_ACQUIRE) != seen)
				return 0;
			hv_cpu_relax();
		}
		now = hv_guest_now();
		if (!start)
			start = now;
		if (atomic_load(&g->stopping)) {
			if (!stopped)
				stopped = now;
			if (now - stopped > GIVE_UP_NS)
				return -ESHUTDOWN;
		}
		if (now - start > YIELD_AFTER_NS)
			give_way();
	}
}

static int queue_request(struct hv_guest *g, struct hv_bridge_req *req, uint64_t *value)
{
	struct hv_bridge_page *page = bridge(g);
	uint64_t seen;
	int rc;

	if (!page)
		return -ENODEV;
	if (atomic_load(&g->stopping))
		return -ESHUTDOWN;
	/* Before it is queued: the answer may come at once. */
	seen = __atomic_load_n(&page->cfg_flags[req->src_cpu], __ATOMIC_ACQUIRE);
	rc = push(g, page, req);
	if (rc < 0)
		return rc;
	wake_service(g, page);
	if (req->need_interrupt)
		return 0;
	rc = wait_answer(g, &page->cfg_flags[req->src_cpu], seen);
	if (rc == 0 && value)
		*value = __atomic_load_n(&page->cfg_values[req->src_cpu], __ATOMIC_RELAXED);
	return rc;
}

static int access_register(struct hv_guest *g, unsigned int cpu, uint64_t addr, unsigned int size,
			   bool is_write, uint64_t out, uint64_t *value)
{
	/* Windows are aligned to 0x200 where several share a region, as QEMU's slots are. */
	bool kick = is_write && (addr & 0x1ff) == VIRTIO_MMIO_QUEUE_NOTIFY;
	struct hv_bridge_req req = {
		.address = addr,
		.size = size,
		.value = out,
		.src_zone = g->zone->id,
		.is_write = is_write,
		.need_interrupt = kick,
	};
	int rc;

	if (cpu >= g->n_cpus)
		return -EINVAL;
	if (!in_virtio_region(g, addr, size))
		return -EFAULT;
	req.src_cpu = g->cpus[cpu];
	atomic_fetch_add(&g->inside, 1);
	rc = queue_request(g, &req, value);
	if (atomic_fetch_sub(&g->inside, 1) == 1 && atomic_load(&g->stopping))
		futex_wake(&g->inside);
	drain_irqs(g);
	return rc;
}

int hv_guest_read(struct hv_guest *g, unsigned int cpu, uint64_t addr, unsigned int size,
		  uint64_t *value)
{
	*value = 0;
	return access_register(g, cpu, addr, size, false, 0, value);
}

int hv_guest_write(struct hv_guest *g, unsigned int cpu, uint64_t addr, unsigned int size,
		   uint64_t value)
{
	return access_register(g, cpu, addr, size, true, value, NULL);
}

uint32_t hv_guest_read32(struct hv_guest *g, unsigned int cpu, uint64_t addr)
{
	uint64_t value;

	hv_guest_read(g, cpu, addr, 4, &value);
	return (uint32_t)value;
}
