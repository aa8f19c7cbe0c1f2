// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/bridge.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/now.h"
#include "base/thread.h"
#include "virtio/barrier.h"
#include "virtio/state.h"

/* linux/virtio_mmio.h has no name for it before 6.17 */
#define QUEUE_RESET 0x0c0
#define MAGIC 0x74726976
#define VERSION 2

#define SPIN_MAX 50000	 /* ns, when the caller has no wish */
#define SPIN_MIN 10000	 /* an interrupt handler's two accesses, a probing driver's next one */
#define SPIN_LOOKS 16	 /* looks at the ring between two looks at the clock */
#define YIELD_AFTER 2000 /* ns: from then on who shares the CPU with us goes first */

/*
 * Sleeps end by themselves: the hypervisor pushes its request and reads need_wakeup without a
 * fence in between, so it may have read the 0 of before. That can only go wrong while both happen
 * at once, so the first sleep after work is short; the long one is for what nobody thought of.
 */
#define NAP_NS 1000000
#define SLEEP_NS 100000000

enum { PLUG, VACATE, FORGET, UNHOLD, QUIT, LEAVE };

struct command {
	int what;
	const struct hv_bridge_window *window; /* PLUG */
	const struct hv_vdev *dev;	       /* VACATE */
	uint32_t zone;			       /* FORGET, UNHOLD */
	bool refused;			       /* PLUG */
	sem_t done;
};

struct waiter {
	struct hv_bridge_req req;
	uint64_t arrived;
};

#define ZONES 32 /* for the order; larger ids share places */

struct hv_bridge {
	struct hv_bridge_page *page;
	struct hv_irqs *irqs;
	int wakeup_fd; /* the hypervisor's seam's */
	int poke_fd;   /* for messages */
	pthread_t thread;
	_Atomic(struct command *) command;
	bool left; /* the caller's */

	/* The thread's own. */
	struct hv_windows windows;
	uint32_t front;
	uint32_t waiting;  /* bit per CPU */
	uint32_t held;	   /* those of them whose window's device is still to come */
	uint32_t replayed; /* those whose request was taken by a process that is gone */
	struct hv_state_bridge *kept;
	struct waiter waiters[HV_BRIDGE_CPUS];
	uint64_t arrivals, turns;
	uint64_t served[ZONES]; /* the turn in which a zone was served last */
	bool kicked;
	bool leaving; /* what waits is another process's */
	bool busy;    /* something was done since the last sleep */
	bool rung;    /* the descriptors may be readable */
	uint64_t spin_ns, spin_min, spin_max;
	struct hv_poll poll;

	_Atomic uint64_t registers, unknown, unknown_at, sleeps, wakeups, timeouts, spun_ns;
	_Atomic uint32_t unknown_zone;
};

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer each. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static uint32_t rear_of(struct hv_bridge *b)
{
	uint32_t rear = __atomic_load_n(&b->page->req_rear, __ATOMIC_ACQUIRE);

	return rear < HV_BRIDGE_SLOTS ? rear : b->front;
}

static bool requested(struct hv_bridge *b)
{
	return rear_of(b) != b->front;
}

static bool called(struct hv_bridge *b)
{
	return atomic_load_explicit(&b->command, memory_order_relaxed) != NULL;
}

/* Counted, not logged: a guest can do this for ever, and a log may block. */
static void note_unknown(struct hv_bridge *b, const struct hv_bridge_req *req)
{
	count(&b->unknown, 1);
	atomic_store_explicit(&b->unknown_at, req->address, memory_order_relaxed);
	atomic_store_explicit(&b->unknown_zone, req->src_zone, memory_order_relaxed);
}

/* The flag is the last thing stored: the CPU runs on with the value at once. */
static void answer(struct hv_bridge *b, unsigned int cpu, uint64_t value)
{
	__atomic_store_n(&b->page->cfg_values[cpu], value, __ATOMIC_RELAXED);
	__atomic_fetch_add(&b->page->cfg_flags[cpu], 1, __ATOMIC_RELEASE);
}

void hv_bridge_release(struct hv_bridge *b, unsigned int cpu)
{
	answer(b, cpu, 0);
}

static uint64_t empty_slot(uint64_t off)
{
	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	default:
		return 0;
	}
}

static void serve_read(struct hv_bridge *b, const struct hv_bridge_req *req,
		       const struct hv_bridge_window *w, unsigned int cpu)
{
	uint64_t off = req->address - w->at;
	unsigned int size = (unsigned int)req->size;
	uint64_t value = w->dev ? hv_vdev_read(w->dev, off, size) : empty_slot(off);

	answer(b, cpu, value);
	if (w->dev && off == VIRTIO_MMIO_INTERRUPT_STATUS && !value)
		hv_irq_settle(b->irqs, w->irqs, w->dev, false);
}

/* Writes that may be answered later, by the device. */
static bool may_wait(uint64_t off, uint64_t value)
{
	return ((off == VIRTIO_MMIO_STATUS || off == VIRTIO_MMIO_QUEUE_READY) && !value) ||
	       off == QUEUE_RESET;
}

static void serve_write(struct hv_bridge *b, const struct hv_bridge_req *req,
			const struct hv_bridge_window *w, unsigned int cpu)
{
	uint64_t off = req->address - w->at;
	bool hold = may_wait(off, req->value);
	bool later = false;

	if (w->dev) {
		/* Before the write: the device may let the CPU go before the write returns. */
		if (hold)
			hv_irq_hold(b->irqs, w->irqs, cpu, true);
		later = hv_vdev_write(w->dev, off, (unsigned int)req->size, req->value, cpu);
		if (hold && !later)
			hv_irq_hold(b->irqs, w->irqs, cpu, false);
	}
	if (!later)
		answer(b, cpu, 0);
	if (w->dev && (off == VIRTIO_MMIO_INTERRUPT_ACK || off == VIRTIO_MMIO_STATUS))
		hv_irq_settle(b->irqs, w->irqs, w->dev, off == VIRTIO_MMIO_INTERRUPT_ACK);
}

static void serve(struct hv_bridge *b, unsigned int cpu)
{
	const struct hv_bridge_req *req = &b->waiters[cpu].req;
	const struct hv_bridge_window *w =
		hv_windows_find(&b->windows, req->src_zone, req->address);

	b->replayed &= ~(UINT32_C(1) << cpu);
	if (w && w->held) {
		b->held |= UINT32_C(1) << cpu;
		return;
	}
	b->waiting &= ~(UINT32_C(1) << cpu);
	b->served[req->src_zone % ZONES] = ++b->turns;
	count(&b->registers, 1);
	if (!w) {
		note_unknown(b, req);
		answer(b, cpu, 0);
	} else if (req->is_write) {
		serve_write(b, req, w, cpu);
	} else {
		serve_read(b, req, w, cpu);
	}
}

/* The CPU of the zone served longest ago; among those of one zone, the first to come. */
static unsigned int next_waiter(const struct hv_bridge *b)
{
	uint32_t ready = b->waiting & ~b->held;
	unsigned int best = (unsigned int)__builtin_ctz(ready);

	for (uint32_t rest = ready & (ready - 1); rest; rest &= rest - 1) {
		unsigned int cpu = (unsigned int)__builtin_ctz(rest);
		const struct waiter *a = &b->waiters[cpu], *z = &b->waiters[best];
		uint64_t a_served = b->served[a->req.src_zone % ZONES];
		uint64_t z_served = b->served[z->req.src_zone % ZONES];

		if (a_served < z_served || (a_served == z_served && a->arrived < z->arrived))
			best = cpu;
	}
	return best;
}

/* A request nobody waits for is a kick; never answered, whatever else it may be. */
static void gather(struct hv_bridge *b, const struct hv_bridge_req *req)
{
	struct hv_bridge_window *w = hv_windows_find(&b->windows, req->src_zone, req->address);
	uint64_t off;

	count(&b->registers, 1);
	if (!w || !req->is_write) {
		note_unknown(b, req);
		return;
	}
	off = req->address - w->at;
	if (off == VIRTIO_MMIO_QUEUE_NOTIFY && req->size == 4) {
		if (!w->dev || req->value >= HV_VDEV_QUEUES)
			return;
		w->kicks |= UINT32_C(1) << req->value;
		b->kicked = true;
	} else if (off >= VIRTIO_MMIO_CONFIG && w->dev) {
		/* A hypervisor that looks at few bits of the address takes this for a kick. */
		hv_vdev_write(w->dev, off, (unsigned int)req->size, req->value, 0);
	}
}

static void pass_kicks(struct hv_bridge *b)
{
	b->kicked = false;
	for (unsigned int i = 0; i < b->windows.n; i++) {
		struct hv_bridge_window *w = &b->windows.at[i];

		for (; w->kicks; w->kicks &= w->kicks - 1)
			hv_vdev_write(w->dev, VIRTIO_MMIO_QUEUE_NOTIFY, 4,
				      (uint64_t)__builtin_ctz(w->kicks), 0);
	}
}

static void wait_for_answer(struct hv_bridge *b, const struct hv_bridge_req *req)
{
	unsigned int cpu = (unsigned int)req->src_cpu;
	uint32_t bit = UINT32_C(1) << (cpu % HV_BRIDGE_CPUS);

	if (req->src_cpu >= HV_BRIDGE_CPUS) {
		/* There is no place to answer to. */
		note_unknown(b, req);
		return;
	}
	/*
	 * A CPU that gave up waiting (its zone was stopped) has come back: the old answer is still
	 * due. But one taken by a process that is gone may be this very request, which the
	 * ring was not told of, and one that is held is of a life that is over.
	 */
	if (b->waiting & ~(b->replayed | b->held) & bit)
		serve(b, cpu);
	b->replayed &= ~bit;
	b->held &= ~bit;
	hv_state_bridge_keep(b->kept, cpu, req,
			     __atomic_load_n(&b->page->cfg_flags[cpu], __ATOMIC_ACQUIRE));
	b->waiters[cpu] = (struct waiter){ .req = *req, .arrived = b->arrivals++ };
	b->waiting |= bit;
}

/* Empties the ring, so that the hypervisor can go on with the next CPU. */
static bool intake(struct hv_bridge *b)
{
	uint32_t rear = rear_of(b);

	if (rear == b->front)
		return false;
	while (b->front != rear) {
		struct hv_bridge_req req = b->page->req[b->front];

		b->front = (b->front + 1) % HV_BRIDGE_SLOTS;
		if (req.need_interrupt)
			gather(b, &req);
		else
			wait_for_answer(b, &req);
	}
	__atomic_store_n(&b->page->req_front, b->front, __ATOMIC_RELEASE);
	return true;
}

static bool turn(struct hv_bridge *b)
{
	bool done = intake(b);

	if (b->waiting & ~b->held) {
		serve(b, next_waiter(b));
		done = true;
	}
	if (b->kicked)
		pass_kicks(b);
	return done;
}

static bool spin(struct hv_bridge *b)
{
	uint64_t start = hv_now(), now = start, passed;
	bool found;

	do {
		for (unsigned int i = 0; i < SPIN_LOOKS && !requested(b) && !called(b); i++)
			hv_cpu_relax();
		found = requested(b) || called(b);
		if (!found && now - start > YIELD_AFTER && hv_poll_allowed(&b->poll, now))
			now = hv_poll_yield(&b->poll, now);
		else
			now = hv_now();
		passed = now - start;
	} while (!found && passed < (hv_poll_allowed(&b->poll, now) ? b->spin_ns : YIELD_AFTER));
	count(&b->spun_ns, passed);
	if (!found)
		b->spin_ns = b->spin_ns / 2 > b->spin_min ? b->spin_ns / 2 : b->spin_min;
	return found;
}

/* How long to poll from now on: longer if that would have caught the request. */
static void adapt(struct hv_bridge *b, uint64_t slept)
{
	if (slept >= b->spin_max)
		return;
	b->spin_ns = b->spin_ns * 2 < b->spin_max ? b->spin_ns * 2 : b->spin_max;
}

/* Whether it had been rung. */
static bool drain(int fd)
{
	uint64_t value;

	return read(fd, &value, sizeof(value)) == sizeof(value);
}

static void doze(struct hv_bridge *b)
{
	struct pollfd fds[] = { { .fd = b->wakeup_fd, .events = POLLIN },
				{ .fd = b->poke_fd, .events = POLLIN } };
	struct timespec limit = { 0 };
	uint64_t before;
	int rc;

	/* Before the flag, or a ring meant for this sleep would be swallowed. */
	if (b->rung) {
		drain(b->wakeup_fd);
		drain(b->poke_fd);
		b->rung = false;
	}
	__atomic_store_n(&b->page->need_wakeup, 1, __ATOMIC_RELAXED);
	hv_full_barrier();
	if (requested(b) || called(b)) {
		__atomic_store_n(&b->page->need_wakeup, 0, __ATOMIC_RELAXED);
		return;
	}
	do {
		hv_irq_retry(b->irqs);
		limit.tv_nsec = b->busy ? NAP_NS : SLEEP_NS;
		b->busy = false;
		count(&b->sleeps, 1);
		before = hv_now();
		rc = ppoll(fds, 2, &limit, NULL);
	} while (rc == 0 && !requested(b) && !called(b));
	__atomic_store_n(&b->page->need_wakeup, 0, __ATOMIC_RELAXED);
	b->rung = rc > 0;
	if (rc > 0)
		count(&b->wakeups, 1);
	if (!requested(b))
		return;
	adapt(b, hv_now() - before);
	/* Unless the ring and the end of the sleep met. */
	if (rc == 0 && !drain(b->wakeup_fd))
		count(&b->timeouts, 1);
}

/* Whether the thread goes on. */
static bool obey(struct hv_bridge *b, struct command *c)
{
	bool quit = c->what == QUIT || c->what == LEAVE;

	if (c->what == PLUG)
		c->refused = !hv_windows_plug(&b->windows, c->window);
	else if (c->what == VACATE)
		hv_windows_vacate(&b->windows, c->dev);
	else if (!quit)
		hv_windows_forget(&b->windows, c->zone, c->what == UNHOLD);
	b->held = 0; /* they are looked up again */
	b->leaving = c->what == LEAVE;
	atomic_store(&b->command, NULL);
	sem_post(&c->done);
	return !quit;
}

static void *bridge_main(void *arg)
{
	struct hv_bridge *b = arg;

	hv_thread_short_turns();
	for (;;) {
		struct command *c = atomic_load_explicit(&b->command, memory_order_acquire);

		if (c && !obey(b, c))
			break;
		if (turn(b))
			b->busy = true;
		else if (!spin(b))
			doze(b);
	}
	while (!b->leaving && turn(b))
		;
	/* Whoever owns the page next is called for what comes from now on. */
	__atomic_store_n(&b->page->need_wakeup, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void command(struct hv_bridge *b, struct command *c)
{
	uint64_t one = 1;

	if (b->left)
		return;
	sem_init(&c->done, 0, 0);
	atomic_store(&b->command, c);
	(void)!write(b->poke_fd, &one, sizeof(one));
	while (sem_wait(&c->done) < 0 && errno == EINTR)
		;
	sem_destroy(&c->done);
}

bool hv_bridge_plug(struct hv_bridge *b, const struct hv_bridge_window *window)
{
	struct command c = { .what = PLUG, .window = window };

	command(b, &c);
	return !c.refused;
}

void hv_bridge_vacate(struct hv_bridge *b, const struct hv_vdev *dev)
{
	command(b, &(struct command){ .what = VACATE, .dev = dev });
}

void hv_bridge_forget(struct hv_bridge *b, uint32_t zone)
{
	command(b, &(struct command){ .what = FORGET, .zone = zone });
}

void hv_bridge_unhold(struct hv_bridge *b, uint32_t zone)
{
	command(b, &(struct command){ .what = UNHOLD, .zone = zone });
}

/* The page may come from an owner that is gone, with requests in it; indexes that cannot be are of
 * nobody. */
static void take_over(struct hv_bridge *b)
{
	struct hv_bridge_page *page = b->page;

	b->front = page->req_front;
	if (b->front >= HV_BRIDGE_SLOTS) {
		b->front = 0;
		b->front = rear_of(b);
		__atomic_store_n(&page->req_front, b->front, __ATOMIC_RELEASE);
	}
	if (page->res_rear >= HV_BRIDGE_SLOTS)
		page->res_rear = page->res_front % HV_BRIDGE_SLOTS;
	__atomic_store_n(&page->need_wakeup, 0, __ATOMIC_RELAXED);
	for (unsigned int cpu = 0; cpu < HV_BRIDGE_CPUS; cpu++) {
		uint64_t flag = __atomic_load_n(&page->cfg_flags[cpu], __ATOMIC_ACQUIRE);

		if (hv_state_bridge_owed(b->kept, cpu, flag, &b->waiters[cpu].req))
			b->replayed |= UINT32_C(1) << cpu;
	}
	b->waiting = b->replayed;
}

int hv_bridge_start(struct hv_hyp *hyp, struct hv_irqs *irqs, const struct hv_bridge_opts *opts,
		    struct hv_bridge **bridge, struct hv_err *err)
{
	struct hv_bridge *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return hv_err_nomem(err);
	b->irqs = irqs;
	b->page = irqs->page;
	b->kept = opts->kept;
	b->spin_max = opts->spin_ns ? opts->spin_ns : SPIN_MAX;
	b->spin_min = SPIN_MIN < b->spin_max ? SPIN_MIN : b->spin_max;
	b->spin_ns = b->spin_min;
	b->rung = true;
	b->poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->poke_fd < 0) {
		rc = hv_err_sys(err, errno, "virtio bridge: making an eventfd");
		goto fail;
	}
	rc = hv_hyp_wakeup_fd(hyp, &b->wakeup_fd, err);
	if (rc < 0)
		goto fail;
	for (unsigned int i = 0; i < opts->n_held && i < HV_BRIDGE_HELD; i++)
		hv_windows_plug(&b->windows, &opts->held[i]);
	take_over(b);
	rc = hv_thread_start(&b->thread, bridge_main, b, "bridge");
	if (rc < 0) {
		hv_err_sys(err, -rc, "virtio bridge: starting its thread");
		goto fail;
	}
	*bridge = b;
	return 0;
fail:
	if (b->poke_fd >= 0)
		close(b->poke_fd);
	free(b);
	return rc;
}

static void end_thread(struct hv_bridge *b, int what)
{
	if (b->left)
		return;
	command(b, &(struct command){ .what = what });
	pthread_join(b->thread, NULL);
	b->left = true;
}

void hv_bridge_leave(struct hv_bridge *b)
{
	end_thread(b, LEAVE);
}

void hv_bridge_stop(struct hv_bridge *b)
{
	if (!b)
		return;
	end_thread(b, QUIT);
	close(b->poke_fd);
	free(b);
}

void hv_bridge_stats(struct hv_bridge *b, struct hv_service_stats *out)
{
	out->registers = atomic_load(&b->registers);
	out->unknown = atomic_load(&b->unknown);
	out->unknown_zone = atomic_load(&b->unknown_zone);
	out->unknown_at = atomic_load(&b->unknown_at);
	out->sleeps = atomic_load(&b->sleeps);
	out->wakeups = atomic_load(&b->wakeups);
	out->timeouts = atomic_load(&b->timeouts);
	out->spin_ns = atomic_load(&b->spun_ns);
}
