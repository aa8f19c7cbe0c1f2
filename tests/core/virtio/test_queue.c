// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "virtio/device.h"
#include "virtio/queue.h"

/* Two ranges that touch in the guest's addresses, but not in ours. */
#define BASE UINT64_C(0x40000000)
#define LOW 0x10000u
#define HIGH 0x4000u
#define SIZE 8u

static _Alignas(4096) uint8_t low[LOW], gap[4096], high[HIGH];
static struct hv_gmem mem;
static struct hv_queue q;
static struct hv_chain chain;

/* Where things are in low: rings, tables, buffers. */
static struct vring_desc *const desc = (void *)low;
static struct vring_avail *const avail = (void *)(low + 0x1000);
static struct vring_used *const used = (void *)(low + 0x2000);
#define TABLE 0x3000u
static struct vring_desc *const table = (void *)(low + TABLE);
#define DATA (BASE + 0x8000)

static void start_at(uint64_t features, uint16_t avail_start)
{
	struct hv_err err = { 0 };

	memset(low, 0, sizeof(low));
	memset(&mem, 0, sizeof(mem));
	assert_int_equal(hv_gmem_add(&mem, BASE, LOW, low, &err), 0);
	assert_int_equal(hv_gmem_add(&mem, BASE + LOW, HIGH, high, &err), 0);
	(void)gap;
	avail->idx = avail_start;
	if (hv_queue_start(&q, &mem, SIZE, BASE, BASE + 0x1000, BASE + 0x2000, features,
			   avail_start, &err))
		fail_msg("%s", err.msg);
}

static void start(uint64_t features)
{
	start_at(features, 0);
}

static void set(struct vring_desc *d, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	*d = (struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = next };
}

static void offer(uint16_t head)
{
	avail->ring[avail->idx % SIZE] = head;
	avail->idx++;
}

static uint16_t *used_event(void)
{
	return &avail->ring[SIZE];
}

static uint16_t avail_event(void)
{
	uint16_t event;

	memcpy(&event, &used->ring[SIZE], 2);
	return event;
}

/* The queue must find fault with what was offered, with these words, and stay so. */
static void expect_broken(const char *words)
{
	assert_int_equal(hv_queue_pop(&q, &chain), -EPROTO);
	assert_true(q.broken);
	if (!strstr(q.why, words))
		fail_msg("\"%s\" lacks \"%s\"", q.why, words);
	assert_int_equal(hv_queue_pop(&q, &chain), -EPROTO);
	assert_int_equal(hv_queue_waiting(&q), 0);
	assert_true(hv_queue_empty(&q));
	assert_false(hv_queue_notify_on(&q));
	hv_queue_stop(&q);
	assert_int_equal(hv_queue_pop(&q, &chain), 0);
}

#define INDIRECT HV_FEATURE(HV_F_INDIRECT_DESC)
#define EVENT_IDX HV_FEATURE(HV_F_EVENT_IDX)
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define TABLE_FLAG VRING_DESC_F_INDIRECT

static void test_chain(void **state)
{
	(void)state;
	start(0);
	assert_int_equal(hv_queue_pop(&q, &chain), 0);
	assert_true(hv_queue_empty(&q));
	set(&desc[5], DATA, 16, NEXT, 2);
	set(&desc[2], DATA + 0x100, 512, NEXT, 7);
	set(&desc[7], DATA + 0x400, 32, NEXT | WRITE, 0);
	set(&desc[0], DATA + 0x800, 1, WRITE, 3);
	offer(5);
	assert_false(hv_queue_empty(&q));
	assert_int_equal(hv_queue_waiting(&q), 1);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.head, 5);
	assert_int_equal(chain.n_out, 2);
	assert_int_equal(chain.n_in, 2);
	assert_int_equal(chain.out_len, 528);
	assert_int_equal(chain.in_len, 33);
	assert_ptr_equal(chain.iov[0].iov_base, low + 0x8000);
	assert_int_equal(chain.iov[1].iov_len, 512);
	assert_ptr_equal(chain.iov[3].iov_base, low + 0x8800);
	assert_int_equal(hv_queue_pop(&q, &chain), 0);
	hv_queue_unpop(&q);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.head, 5);
	hv_queue_push(&q, 5, 33);
	assert_int_equal(used->idx, 0);
	assert_true(hv_queue_flush(&q));
	assert_int_equal(used->idx, 1);
	assert_int_equal(used->ring[0].id, 5);
	assert_int_equal(used->ring[0].len, 33);
	assert_false(hv_queue_flush(&q));
	/* Nothing is popped that could be given back. */
	hv_queue_unpop(&q);
	assert_int_equal(hv_queue_pop(&q, &chain), 0);
	hv_queue_stop(&q);
	hv_queue_stop(&q);
}

static void test_indirect(void **state)
{
	(void)state;
	start(INDIRECT);
	set(&desc[1], BASE + TABLE, 3 * 16, TABLE_FLAG | WRITE,
	    99); /* WRITE and next say nothing here */
	set(&table[0], DATA, 16, NEXT, 2);
	set(&table[2], DATA + 64, 8, NEXT | WRITE, 1);
	set(&table[1], DATA + 128, 4, WRITE, 0);
	offer(1);
	/* A table at the end of a chain, and one as long as the queue. */
	set(&desc[2], DATA, 16, NEXT, 3);
	set(&desc[3], BASE + TABLE, 3 * 16, TABLE_FLAG, 0);
	offer(2);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.n_out, 1);
	assert_int_equal(chain.n_in, 2);
	assert_int_equal(chain.in_len, 12);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.n_out, 2);
	for (uint16_t i = 0; i < SIZE; i++)
		set(&table[i], DATA + 16 * i, 16, i == SIZE - 1 ? 0 : NEXT, i + 1);
	set(&desc[1], BASE + TABLE, SIZE * 16, TABLE_FLAG, 0);
	offer(1);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.n_out, SIZE);
	/* Tables need no alignment. */
	memmove((uint8_t *)table + 3, table, 3 * 16);
	set(&desc[1], BASE + TABLE + 3, 3 * 16, TABLE_FLAG, 0);
	set(&desc[0], BASE + TABLE + 3, 16, TABLE_FLAG, 0);
	struct vring_desc last;
	set(&last, DATA, 5, WRITE, 0);
	memcpy((uint8_t *)table + 3, &last, 16);
	offer(0);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.in_len, 5);
	hv_queue_stop(&q);
}

static void test_bad_indirect(void **state)
{
	static const uint32_t lengths[] = {
		0, 1, 15, 17, 16 * SIZE + 1, 16 * (SIZE + 1), 0xfffffff0
	};

	(void)state;
	start(0);
	set(&desc[0], BASE + TABLE, 16, TABLE_FLAG, 0);
	offer(0);
	expect_broken("not negotiated");
	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		start(INDIRECT);
		set(&desc[0], BASE + TABLE, lengths[i], TABLE_FLAG, 0);
		offer(0);
		expect_broken("bad length");
	}
	start(INDIRECT);
	set(&desc[0], BASE + LOW - 16, 32, TABLE_FLAG, 0);
	offer(0);
	expect_broken("table that is not inside");
	start(INDIRECT);
	set(&desc[0], BASE + TABLE, 16, TABLE_FLAG | NEXT, 1);
	offer(0);
	expect_broken("not the end");
	start(INDIRECT);
	set(&desc[0], BASE + TABLE, 16, TABLE_FLAG, 0);
	set(&table[0], BASE + TABLE, 16, TABLE_FLAG, 0);
	offer(0);
	expect_broken("inside another");
	/* The ring's own table as the table: nested at once. */
	start(INDIRECT);
	set(&desc[0], BASE, 16, TABLE_FLAG, 0);
	offer(0);
	expect_broken("inside another");
	start(INDIRECT);
	set(&desc[0], BASE + TABLE, 32, TABLE_FLAG, 0);
	set(&table[0], DATA, 1, NEXT, 2);
	offer(0);
	expect_broken("beyond its table");
	start(INDIRECT);
	set(&desc[0], BASE + TABLE, 32, TABLE_FLAG, 0);
	set(&table[0], DATA, 1, NEXT, 1);
	set(&table[1], DATA, 1, NEXT, 0);
	offer(0);
	expect_broken("loop");
	/* Direct ones count as well. */
	start(INDIRECT);
	set(&desc[0], DATA, 1, NEXT, 1);
	set(&desc[1], BASE + TABLE, SIZE * 16, TABLE_FLAG, 0);
	for (uint16_t i = 0; i < SIZE; i++)
		set(&table[i], DATA, 1, i == SIZE - 1 ? 0 : NEXT, i + 1);
	offer(0);
	expect_broken("longer than the queue");
}

static void test_bad_chains(void **state)
{
	static const uint16_t heads[] = { SIZE, SIZE + 1, 255, 32768, 65535 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		start(0);
		offer(heads[i]);
		expect_broken("beyond its table");
		start(0);
		set(&desc[0], DATA, 1, NEXT, heads[i]);
		offer(0);
		expect_broken("beyond its table");
	}
	start(0);
	set(&desc[0], DATA, 1, NEXT, 0);
	offer(0);
	expect_broken("loop");
	start(0);
	for (uint16_t i = 0; i < SIZE; i++)
		set(&desc[i], DATA, 0, NEXT, (i + 1) % SIZE);
	offer(3);
	expect_broken("loop");
	start(0);
	set(&desc[0], DATA, 1, NEXT | WRITE, 1);
	set(&desc[1], DATA, 1, 0, 0);
	offer(0);
	expect_broken("comes after");
}

static void test_bad_buffers(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t len;
	} bad[] = {
		{ 0, 1 },
		{ BASE - 1, 2 },
		{ BASE + LOW + HIGH, 1 },
		{ BASE + LOW + HIGH - 1, 2 },
		{ BASE + LOW - 1, 2 }, /* from one range into the next */
		{ BASE, UINT32_MAX },
		{ UINT64_MAX, 2 },
		{ UINT64_MAX - 15, 16 },
		{ UINT64_MAX - 0xffff, UINT32_MAX },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		start(0);
		set(&desc[0], bad[i].addr, bad[i].len, i % 2 ? WRITE : 0, 0);
		offer(0);
		expect_broken("not inside the zone's memory");
	}
	/* The last bytes of each range are memory. */
	start(0);
	set(&desc[0], BASE + LOW - 1, 1, NEXT, 1);
	set(&desc[1], BASE + LOW, HIGH, WRITE, 0);
	offer(0);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_ptr_equal(chain.iov[1].iov_base, high);
	hv_queue_stop(&q);
}

/* avail.idx may be ahead by what the guest can have in flight, not by more. */
static void test_avail_ahead(void **state)
{
	(void)state;
	start(0);
	for (unsigned int i = 0; i < SIZE; i++) {
		set(&desc[i], DATA, 1, 0, 0);
		offer((uint16_t)i);
	}
	assert_int_equal(hv_queue_waiting(&q), SIZE);
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(hv_queue_pop(&q, &chain), 0);
	/* All are in flight: there cannot be another. */
	offer(0);
	expect_broken("runs ahead");
	start(0);
	avail->idx = SIZE + 1;
	expect_broken("runs ahead");
	start(0);
	avail->idx = 65535; /* backwards */
	expect_broken("runs ahead");
	start(0);
	avail->idx = SIZE + 1;
	assert_int_equal(hv_queue_waiting(&q), SIZE); /* bounded, whatever it says */
	hv_queue_stop(&q);
}

static void test_zero_usable(void **state)
{
	(void)state;
	start(0);
	set(&desc[0], DATA, 0, NEXT, 1);
	set(&desc[1], UINT64_MAX, 0, NEXT | WRITE, 2);
	set(&desc[2], 0, 0, WRITE, 0);
	offer(0);
	set(&desc[4], DATA, 7, 0, 0);
	offer(4);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.n_out + chain.n_in, 0);
	assert_int_equal(chain.out_len + chain.in_len, 0);
	hv_queue_push(&q, chain.head, 0);
	hv_queue_flush(&q);
	assert_int_equal(used->idx, 1);
	assert_int_equal(used->ring[0].len, 0);
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	assert_int_equal(chain.head, 4);
	assert_int_equal(hv_queue_pop(&q, &chain), 0);
	hv_queue_stop(&q);
}

/* used.idx is ours: what the guest writes there changes nothing. */
static void test_used_idx_private(void **state)
{
	(void)state;
	start(0);
	for (uint16_t i = 0; i < 3; i++) {
		set(&desc[i], DATA, 1, 0, 0);
		offer(i);
	}
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	used->idx = 0x5555;
	hv_queue_push(&q, chain.head, 0);
	hv_queue_flush(&q);
	assert_int_equal(used->idx, 1);
	assert_int_equal(used->ring[0].id, 0);
	used->idx = 7;
	assert_int_equal(hv_queue_pop(&q, &chain), 1);
	hv_queue_push(&q, chain.head, 0);
	hv_queue_flush(&q);
	assert_int_equal(used->idx, 2);
	assert_int_equal(used->ring[1].id, 1);
	hv_queue_stop(&q);
}

/* Once more than 2^16 times around, with and without EVENT_IDX, from a start near the wrap. */
static void test_wrap(void **state)
{
	(void)state;
	for (unsigned int pass = 0; pass < 2; pass++) {
		start_at(pass ? EVENT_IDX : 0, 65530);
		for (unsigned int i = 0; i < 70000; i++) {
			uint16_t n = (uint16_t)(65530 + i);

			set(&desc[i % SIZE], DATA, i % 100 + 1, WRITE, 0);
			offer((uint16_t)(i % SIZE));
			*used_event() = n;
			assert_int_equal(hv_queue_waiting(&q), 1);
			assert_int_equal(hv_queue_pop(&q, &chain), 1);
			assert_int_equal(chain.head, i % SIZE);
			hv_queue_push(&q, chain.head, i);
			assert_true(hv_queue_flush(&q));
			assert_int_equal(used->idx, (uint16_t)(n + 1));
			assert_int_equal(used->ring[n % SIZE].len, i);
			assert_int_equal(hv_queue_pop(&q, &chain), 0);
		}
		hv_queue_stop(&q);
	}
}

static bool complete(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		offer(0);
		assert_int_equal(hv_queue_pop(&q, &chain), 1);
		hv_queue_push(&q, 0, 0);
	}
	return hv_queue_flush(&q);
}

/* Interrupt exactly when used.idx steps over the event, wherever on the circle that is. */
static void test_used_event(void **state)
{
	(void)state;
	for (uint32_t at = 0; at < 65536; at += 251) {
		for (unsigned int step = 1; step <= SIZE; step++) {
			for (int event = -3; event <= (int)SIZE + 3; event++) {
				bool want = event >= 0 && event < (int)step;

				start_at(EVENT_IDX, (uint16_t)(at - 1));
				set(&desc[0], DATA, 1, 0, 0);
				/* The first decision of a life is always for the interrupt. */
				*used_event() = 0x7777;
				assert_true(complete(1));
				*used_event() = (uint16_t)((int)at + event);
				assert_int_equal(complete(step), want);
				hv_queue_stop(&q);
			}
		}
	}
}

static void test_no_interrupt_flag(void **state)
{
	(void)state;
	start(0);
	set(&desc[0], DATA, 1, 0, 0);
	assert_true(complete(1));
	avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(complete(3));
	avail->flags = 0;
	assert_true(complete(2));
	/* With EVENT_IDX the flag means nothing. */
	hv_queue_stop(&q);
	start(EVENT_IDX);
	set(&desc[0], DATA, 1, 0, 0);
	avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	complete(1);
	*used_event() = 1;
	assert_true(complete(1));
	hv_queue_stop(&q);
}

static void test_notify(void **state)
{
	(void)state;
	start(0);
	set(&desc[0], DATA, 1, 0, 0);
	hv_queue_notify_off(&q);
	assert_int_equal(used->flags, VRING_USED_F_NO_NOTIFY);
	hv_queue_look(&q);
	assert_false(hv_queue_notify_on(&q));
	assert_int_equal(used->flags, 0);
	hv_queue_notify_off(&q);
	offer(0);
	assert_true(hv_queue_moved(&q));
	assert_true(hv_queue_notify_on(&q));
	/* Seen and left: no reason to stay awake. */
	hv_queue_look(&q);
	assert_false(hv_queue_moved(&q));
	assert_false(hv_queue_notify_on(&q));
	hv_queue_stop(&q);

	start_at(EVENT_IDX, 65534);
	set(&desc[0], DATA, 1, 0, 0);
	for (unsigned int i = 0; i < 4; i++) {
		hv_queue_notify_off(&q);
		offer(0);
		hv_queue_look(&q);
		assert_false(hv_queue_notify_on(&q));
		/* The event is where the next chain will be, those that wait notwithstanding. */
		assert_int_equal(avail_event(), avail->idx);
		assert_int_equal(used->flags, 0);
	}
	offer(0);
	assert_true(hv_queue_notify_on(&q));
	hv_queue_stop(&q);
}

static void test_bad_start(void **state)
{
	static const uint16_t sizes[] = { 0, 3, 6, 2048, 65535 };
	struct hv_err err = { 0 };

	(void)state;
	start(0);
	hv_queue_stop(&q);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_int_equal(hv_queue_start(&q, &mem, sizes[i], BASE, BASE + 0x1000,
						BASE + 0x2000, 0, 0, &err),
				 -EINVAL);
		assert_non_null(strstr(err.msg, "power of two"));
		assert_int_equal(q.size, 0);
	}
	/* Event fields are part of the rings, negotiated or not. */
	assert_int_equal(hv_queue_start(&q, &mem, SIZE, BASE, BASE + LOW - 4 - 2 * SIZE,
					BASE + 0x2000, 0, 0, &err),
			 -EINVAL);
	assert_int_equal(hv_queue_start(&q, &mem, SIZE, BASE, BASE + 0x1000,
					BASE + LOW - 4 - 8 * SIZE, 0, 0, &err),
			 -EINVAL);
	/* Over the end of the address space, and between two ranges. */
	assert_int_equal(hv_queue_start(&q, &mem, SIZE, UINT64_MAX - 15, BASE + 0x1000,
					BASE + 0x2000, 0, 0, &err),
			 -EINVAL);
	assert_int_equal(hv_queue_start(&q, &mem, SIZE, BASE + LOW - 16, BASE + 0x1000,
					BASE + 0x2000, 0, 0, &err),
			 -EINVAL);
	assert_int_equal(q.size, 0);
}

static void test_iov(void **state)
{
	char a[] = "abc", b[] = "d", c[] = "efghi", text[16];
	struct iovec iov[] = { { a, 3 }, { b, 1 }, { NULL, 0 }, { c, 5 } }, part[4];

	(void)state;
	for (size_t off = 0; off < 12; off++) {
		for (size_t len = 0; len < 12; len++) {
			size_t want = off > 9 ? 0 : 9 - off < len ? 9 - off : len;
			unsigned int n;

			memset(text, '.', sizeof(text));
			assert_int_equal(hv_iov_read(iov, 4, off, text, len), want);
			assert_memory_equal(text, "abcdefghi" + (off < 9 ? off : 9), want);
			assert_int_equal(text[want], '.');
			n = hv_iov_slice(iov, 4, off, len, part);
			assert_true(n <= 4);
			memset(text, '.', sizeof(text));
			assert_int_equal(hv_iov_read(part, n, 0, text, sizeof(text)), want);
			assert_memory_equal(text, "abcdefghi" + (off < 9 ? off : 9), want);
		}
	}
	assert_int_equal(hv_iov_write(iov, 4, 2, "12345", 5), 5);
	assert_memory_equal(a, "ab1", 3);
	assert_memory_equal(b, "2", 1);
	assert_memory_equal(c, "345hi", 5);
	assert_int_equal(hv_iov_write(iov, 4, 8, "xyz", 3), 1);
	assert_int_equal(hv_iov_read(iov, 4, SIZE_MAX, text, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_bad_indirect),
		cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_bad_buffers),
		cmocka_unit_test(test_avail_ahead),
		cmocka_unit_test(test_zero_usable),
		cmocka_unit_test(test_used_idx_private),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_used_event),
		cmocka_unit_test(test_no_interrupt_flag),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_bad_start),
		cmocka_unit_test(test_iov),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
