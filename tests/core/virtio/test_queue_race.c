// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/virtio_ring.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "virtio/barrier.h"
#include "virtio/device.h"
#include "virtio/queue.h"

/*
 * A guest thread and a device thread that wait for each other only by "I shall be told": the
 * device for a kick, the guest for an interrupt. If either side's look at the other's wish could
 * overtake the store of its own news, both would wait one day. That is for the CPU's memory model
 * to show, so it is tried often, and on each architecture.
 */
#define BASE UINT64_C(0x40000000)
#define SIZE 4u
#define ROUNDS 300000u

static _Alignas(4096) uint8_t ram[0x4000];
static struct vring_desc *const desc = (void *)ram;
static struct vring_avail *const avail = (void *)(ram + 0x1000);
static struct vring_used *const used = (void *)(ram + 0x2000);
static struct hv_gmem mem;
static struct hv_queue q;
static bool event_idx;
static _Atomic bool kicked, interrupted, over, lost;
static _Atomic unsigned int kicks;

static void begin(uint64_t features)
{
	struct hv_err err = { 0 };

	memset(ram, 0, sizeof(ram));
	memset(&mem, 0, sizeof(mem));
	kicked = interrupted = over = lost = false;
	kicks = 0;
	event_idx = features != 0;
	assert_int_equal(hv_gmem_add(&mem, BASE, sizeof(ram), ram, &err), 0);
	assert_int_equal(hv_queue_start(&q, &mem, SIZE, BASE, BASE + 0x1000, BASE + 0x2000,
					features, 0, &err),
			 0);
	desc[0] =
		(struct vring_desc){ .addr = BASE + 0x3000, .len = 8, .flags = VRING_DESC_F_WRITE };
}

/* Waits for the flag and takes it. Long after anything else is possible it counts as lost. */
static void await(_Atomic bool *flag)
{
	uint64_t deadline = 0;

	for (unsigned int i = 1; !atomic_load(&over); i++) {
		if (atomic_exchange(flag, false))
			return;
		hv_cpu_relax();
		if (i % 64)
			continue;
		sched_yield();
		if (!deadline)
			deadline = hv_now() + UINT64_C(60000000000);
		else if (hv_now() > deadline) {
			atomic_store(&lost, true);
			atomic_store(&over, true);
		}
	}
}

static bool kick_wanted(uint16_t before, uint16_t now)
{
	if (event_idx) {
		uint16_t event = __atomic_load_n((uint16_t *)&used->ring[SIZE], __ATOMIC_RELAXED);

		return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
	}
	return !(__atomic_load_n(&used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY);
}

static void *guest(void *arg)
{
	(void)arg;
	for (uint16_t n = 0; !atomic_load(&over); n++) {
		avail->ring[n % SIZE] = 0;
		/* Interrupts off while there is nothing to wait for. */
		if (!event_idx)
			__atomic_store_n(&avail->flags, VRING_AVAIL_F_NO_INTERRUPT,
					 __ATOMIC_RELAXED);
		__atomic_store_n(&avail->idx, (uint16_t)(n + 1), __ATOMIC_RELEASE);
		hv_full_barrier();
		if (kick_wanted(n, (uint16_t)(n + 1))) {
			atomic_fetch_add(&kicks, 1);
			atomic_store(&kicked, true);
		}
		for (;;) {
			if (event_idx)
				__atomic_store_n(&avail->ring[SIZE], n, __ATOMIC_RELAXED);
			else
				__atomic_store_n(&avail->flags, 0, __ATOMIC_RELAXED);
			hv_full_barrier();
			if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != n ||
			    atomic_load(&over))
				break;
			await(&interrupted);
		}
	}
	return NULL;
}

static void pairs(uint64_t features)
{
	struct hv_chain chain;
	pthread_t thread;
	unsigned int done = 0;

	begin(features);
	assert_int_equal(pthread_create(&thread, NULL, guest, NULL), 0);
	while (done < ROUNDS && !atomic_load(&over)) {
		hv_queue_notify_off(&q);
		hv_queue_look(&q);
		while (hv_queue_pop(&q, &chain) == 1) {
			hv_queue_push(&q, chain.head, 8);
			if (hv_queue_flush(&q))
				atomic_store(&interrupted, true);
			done++;
		}
		assert_false(q.broken);
		if (!hv_queue_notify_on(&q))
			await(&kicked);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	hv_queue_stop(&q);
	assert_false(atomic_load(&lost));
	assert_true(done >= ROUNDS);
	/* The point is the moment of going to sleep: there must have been such moments. */
	assert_true(atomic_load(&kicks) > 0);
}

static void test_flags(void **state)
{
	(void)state;
	pairs(0);
}

static void test_event_idx(void **state)
{
	(void)state;
	pairs(HV_FEATURE(HV_F_EVENT_IDX));
}

#ifndef HV_THREAD_SANITIZER
static _Atomic unsigned int swaps;

/* Swaps a descriptor between one that is right and one that is not, as fast as it can. */
static void *swap(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		__atomic_store_n(&desc[0].addr, BASE + 0x3000, __ATOMIC_RELAXED);
		__atomic_store_n(&desc[0].len, 16, __ATOMIC_RELAXED);
		/* It must be right for a while, too. */
		atomic_fetch_add(&swaps, 1);
		__atomic_store_n(&desc[0].len, 0xfffff000, __ATOMIC_RELAXED);
		__atomic_store_n(&desc[0].addr, UINT64_MAX - 0x100, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* What was checked is what is used, however the guest changes it meanwhile. */
static void test_changing_descriptor(void **state)
{
	struct hv_chain chain;
	unsigned int good = 0, met = 0;
	pthread_t thread;

	(void)state;
	begin(0);
	assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
	/* Only while both run at once does it mean anything; on a busy machine that takes longer. */
	for (unsigned int i = 0; met < 400000 && i < 4000000; i++) {
		unsigned int before = atomic_load_explicit(&swaps, memory_order_relaxed);

		avail->idx = (uint16_t)(q.last_avail + 1);
		if (hv_queue_pop(&q, &chain) == 1) {
			/* A length torn between two may be none at all. */
			unsigned int n = chain.n_out + chain.n_in;
			uint8_t *at = n ? chain.iov[0].iov_base : ram;

			if (at < ram ||
			    (n && chain.iov[0].iov_len > (size_t)(ram + sizeof(ram) - at)))
				fail_msg("%p, %zu bytes, is not guest memory", (void *)at,
					 chain.iov[0].iov_len);
			good++;
			hv_queue_push(&q, 0, 0);
			hv_queue_flush(&q);
		}
		met += atomic_load_explicit(&swaps, memory_order_relaxed) != before;
		q.broken = false;
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	hv_queue_stop(&q);
	assert_true(good > 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_event_idx),
#ifndef HV_THREAD_SANITIZER
		cmocka_unit_test(test_changing_descriptor),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
