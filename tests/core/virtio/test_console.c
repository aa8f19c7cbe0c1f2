// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_console.h>
#include <stdlib.h>
#include <string.h>

#include "console_rig.h"

#define NEVER UINT64_MAX

/* Bytes that show where they belong. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) * 13 + (at >> 16));
}

static void fill(uint8_t *to, uint64_t at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = pattern(at + i);
}

static void test_identity(void **state)
{
	struct crig c;

	(void)state;
	crig_init(&c, NULL, 0);
	assert_int_equal(vrig_read(&c.rig, 0x008), 3);
	assert_int_equal(c.dev.n_queues, 2);
	assert_true(c.dev.offered & HV_FEATURE(VIRTIO_CONSOLE_F_SIZE));
	assert_false(c.dev.offered & HV_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT));
	assert_int_equal(hv_console_ports(&c.dev), 1);
	assert_int_equal(hv_console_find(&c.dev, "x"), -ENOENT);
	crig_free(&c);
}

static void test_output(void **state, uint64_t features, unsigned int flags)
{
	struct hv_console_client *client;
	struct crig c;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, features, 64, flags);
	client = crig_open(&c, 0, "test", 0, 0);
	crig_expect_nothing(client);
	crig_puts(&c, "Hello \x1b[31mred\x1b[0m\r\n");
	crig_expect(client, "Hello \x1b[31mred\x1b[0m\r\n");
	crig_send(&c, 1, "nul \0 in it", 11);
	char got[11];
	crig_read(client, got, 11);
	assert_memory_equal(got, "nul \0 in it", 11);
	crig_expect_nothing(client);
	hv_console_close(client);
	crig_free(&c);
}

static void test_output_plain(void **state)
{
	test_output(state, 0, 0);
}

static void test_output_indirect(void **state)
{
	test_output(state, HV_FEATURE(HV_F_EVENT_IDX), VRIG_INDIRECT);
}

/* 2.7.4.1: how the guest cuts its bytes into buffers means nothing; empty chains are completed. */
static void test_framing(void **state)
{
	struct hv_console_client *client;
	struct crig c;
	char *p;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "test", 0, 0);
	p = c.page;
	memcpy(p, "abcdefgh", 8);
	assert_int_equal(vrig_request(&c.rig, 1,
				      (struct vrig_buf[]){ { p, 1, false },
							   { p + 1, 5, false },
							   { p + 6, 2, false } },
				      3),
			 0);
	/* A part to write on the transmit queue stays as it is. */
	assert_int_equal(vrig_request(&c.rig, 1,
				      (struct vrig_buf[]){ { p, 1, false }, { p + 100, 8, true } },
				      2),
			 0);
	assert_int_equal(p[100], 0);
	assert_int_equal(vrig_request(&c.rig, 1, (struct vrig_buf[]){ { p, 0, false } }, 1), 0);
	crig_expect(client, "abcdefgha");
	crig_expect_nothing(client);
	hv_console_close(client);
	crig_free(&c);
}

/* The ring outlives its readers; a late one gets as much of the past as it asks for. */
static void test_back(void **state)
{
	struct hv_console_port_opts port = { .output = 300 };
	struct hv_console_client *all, *some, *none;
	uint8_t bytes[1000], got[512];
	struct crig c;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	crig_puts(&c, "boot");
	all = crig_open(&c, 0, "a", HV_CONSOLE_ALL, 0);
	some = crig_open(&c, 0, "s", 2, 0);
	none = crig_open(&c, 0, "n", 0, 0);
	crig_expect(all, "boot");
	crig_expect(some, "ot");
	crig_expect_nothing(none);
	hv_console_close(all);

	fill(bytes, 0, sizeof(bytes));
	crig_send(&c, 1, bytes, sizeof(bytes));
	all = crig_open(&c, 0, "a", HV_CONSOLE_ALL, 0);
	/* 300 is rounded up to a power of two. */
	crig_read(all, got, 512);
	assert_memory_equal(got, bytes + 488, 512);
	crig_expect_nothing(all);
	hv_console_close(all);
	hv_console_close(some);
	hv_console_close(none);
	crig_free(&c);
}

/* A reader that is too slow gets the newest and is told how much it missed. */
static void test_lost(void **state)
{
	struct hv_console_port_opts port = { .output = 1024 };
	struct hv_console_client *slow, *fast;
	uint8_t bytes[3000], got[3000];
	uint64_t lost;
	struct crig c;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	fill(bytes, 0, sizeof(bytes));
	slow = crig_open(&c, 0, "slow", 0, 0);
	fast = crig_open(&c, 0, "fast", 0, 0);
	for (unsigned int i = 0; i < 3000; i += 500) {
		crig_send(&c, 1, bytes + i, 500);
		crig_read(fast, got + i, 500);
	}
	assert_memory_equal(got, bytes, sizeof(bytes));
	assert_int_equal(hv_console_read(slow, got, sizeof(got), &lost), 1024);
	assert_int_equal(lost, 3000 - 1024);
	assert_memory_equal(got, bytes + 3000 - 1024, 1024);
	assert_int_equal(hv_console_read(slow, got, sizeof(got), &lost), 0);
	assert_int_equal(lost, 0);
	hv_console_close(slow);
	hv_console_close(fast);
	crig_free(&c);
}

/* With patience the guest waits, and nothing is lost; also a chain larger than the whole ring. */
static void test_patience(void **state)
{
	struct hv_console_port_opts port = { .output = 1024 };
	struct hv_console_client *client;
	uint8_t *bytes = malloc(50000), *got = malloc(50000);
	struct vrig_used used;
	struct crig c;
	int head;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	fill(bytes, 0, 50000);
	client = crig_open(&c, 0, "patient", 0, NEVER);
	memcpy(c.page, bytes, 50000);
	head = vrig_add(&c.rig, 1,
			(struct vrig_buf[]){ { c.page, 20000, false },
					     { (char *)c.page + 20000, 30000, false } },
			2);
	vrig_kick(&c.rig, 1);
	crig_read(client, got, 40000);
	assert_false(vrig_poll(&c.rig, 1, &used));
	crig_read(client, got + 40000, 10000);
	assert_int_equal(vrig_finish(&c.rig, 1, head), 0);
	assert_memory_equal(got, bytes, 50000);
	crig_expect_nothing(client);
	hv_console_close(client);
	crig_free(&c);
	free(bytes);
	free(got);
}

/* Patience ends: the guest goes on without the reader, who is told. */
static void test_patience_ends(void **state)
{
	struct hv_console_port_opts port = { .output = 1024 };
	struct hv_console_client *client;
	uint8_t bytes[4000], got[1024];
	uint64_t lost;
	struct crig c;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	fill(bytes, 0, sizeof(bytes));
	client = crig_open(&c, 0, "gone", 0, 2000000);
	crig_send(&c, 1, bytes, sizeof(bytes));
	assert_int_equal(hv_console_read(client, got, sizeof(got), &lost), 1024);
	assert_int_equal(lost, 4000 - 1024);
	assert_memory_equal(got, bytes + 4000 - 1024, 1024);
	hv_console_close(client);
	crig_free(&c);
}

/* A reader that closes lets the guest go on, and so does one that has patience no more. */
static void test_patience_given_up(void **state)
{
	struct hv_console_port_opts port = { .output = 1024 };
	struct hv_console_client *a, *b;
	struct crig c;
	int head;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	a = crig_open(&c, 0, "a", 0, NEVER);
	b = crig_open(&c, 0, "b", 0, NEVER);
	head = vrig_add(&c.rig, 1, (struct vrig_buf[]){ { c.page, 5000, false } }, 1);
	vrig_kick(&c.rig, 1);
	hv_console_set_patience(a, 0);
	hv_console_close(b);
	assert_int_equal(vrig_finish(&c.rig, 1, head), 0);
	hv_console_close(a);
	crig_free(&c);
}

/* A reset while a chain is held takes it back; its bytes do not come again in the next life. */
static void test_reset_while_held(void **state)
{
	struct hv_console_port_opts port = { .output = 1024 };
	struct hv_console_client *client;
	struct crig c;
	char got[1024];

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "patient", 0, NEVER);
	memset(c.page, 'x', 5000);
	vrig_add(&c.rig, 1, (struct vrig_buf[]){ { c.page, 5000, false } }, 1);
	vrig_kick(&c.rig, 1);
	crig_read(client, got, 1);
	vrig_reset(&c.rig);
	while (hv_console_read(client, got, sizeof(got), NULL))
		;
	crig_start(&c, 0, 64, 0);
	crig_puts(&c, "new life");
	crig_expect(client, "new life");
	crig_expect_nothing(client);
	hv_console_close(client);
	crig_free(&c);
}

/* One queue that ends does not repeat or lose what the other has taken in part. */
static void test_other_queue_ends_while_held(void **state)
{
	struct hv_console_port_opts port = { .output = 1024 };
	struct hv_console_client *client;
	uint8_t bytes[5000], got[5000];
	struct crig c;
	int head;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "patient", 0, NEVER);
	fill(bytes, 0, sizeof(bytes));
	memcpy(c.page, bytes, sizeof(bytes));
	head = vrig_add(&c.rig, 1, (struct vrig_buf[]){ { c.page, 5000, false } }, 1);
	vrig_kick(&c.rig, 1);
	crig_read(client, got, 100);
	vrig_write(&c.rig, 0x030, 0);
	vrig_write(&c.rig, 0x044, 0);
	crig_read(client, got + 100, 4900);
	assert_memory_equal(got, bytes, sizeof(bytes));
	assert_int_equal(vrig_finish(&c.rig, 1, head), 0);
	crig_expect_nothing(client);
	hv_console_close(client);
	crig_free(&c);
}

static void test_size(void **state)
{
	struct hv_console_port_opts port = { .cols = 80, .rows = 25 };
	uint32_t generation;
	struct crig c;

	(void)state;
	crig_init(&c, &port, 1);
	crig_start(&c, HV_FEATURE(VIRTIO_CONSOLE_F_SIZE), 64, 0);
	assert_int_equal(vrig_config(&c.rig, 0, 2), 80);
	assert_int_equal(vrig_config(&c.rig, 2, 2), 25);
	assert_int_equal(vrig_config(&c.rig, 0, 4), 25 << 16 | 80);
	assert_int_equal(vrig_config(&c.rig, 4, 4), 1);
	generation = vrig_read(&c.rig, 0x0fc);
	vrig_ack(&c.rig);
	assert_int_equal(hv_console_resize(&c.dev, 0, 132, 50, NULL), 0);
	assert_true(vrig_ack(&c.rig) & 2);
	assert_int_not_equal(vrig_read(&c.rig, 0x0fc), generation);
	assert_int_equal(vrig_config(&c.rig, 0, 4), 50 << 16 | 132);
	assert_int_equal(hv_console_resize(&c.dev, 1, 1, 1, NULL), -EINVAL);
	/* The size is not the guest's to set. */
	vrig_set_config(&c.rig, 0, 4, 0);
	assert_int_equal(vrig_config(&c.rig, 0, 4), 50 << 16 | 132);
	for (unsigned int off = 0; off < 24; off++)
		for (unsigned int size = 1; size <= 8; size *= 2)
			vrig_config(&c.rig, off, size);
	assert_int_equal(vrig_config(&c.rig, 12, 8), 0);
	crig_free(&c);
}

/* Works before the driver; nobody has to be there; too much of it is counted, not waited for. */
static void test_emergency(void **state)
{
	struct hv_console_client *client;
	struct hv_console_info info;
	struct crig c;

	(void)state;
	crig_init(&c, NULL, 0);
	for (const char *p = "panic!"; *p; p++)
		vrig_set_config(&c.rig, 8, 4, (unsigned char)*p);
	assert_int_equal(atomic_load(&c.inputs), 1);
	hv_console_collect(&c.dev);
	assert_int_equal(hv_console_port_info(&c.dev, 0, &info), 0);
	assert_int_equal(info.output, 6);
	vrig_set_config(&c.rig, 8, 1, '?');
	client = crig_open(&c, 0, "test", HV_CONSOLE_ALL, 0);
	crig_expect(client, "panic!?");
	/* Not the register's first byte: nothing. */
	vrig_set_config(&c.rig, 9, 1, 'x');
	vrig_set_config(&c.rig, 12, 4, 'x');
	crig_expect_nothing(client);
	for (int i = 0; i < 5000; i++)
		vrig_set_config(&c.rig, 8, 4, 'a');
	assert_true(atomic_load(&c.dev.stats.dropped) > 0);
	while (hv_console_read(client, &(char[100]){ 0 }, 100, NULL))
		;
	/* Also with a driver that is up: in order with its output. */
	crig_start(&c, 0, 64, 0);
	vrig_set_config(&c.rig, 8, 4, '1');
	crig_expect(client, "1");
	crig_puts(&c, "2");
	crig_expect(client, "2");
	hv_console_close(client);
	crig_free(&c);
}

static void test_limit(void **state)
{
	struct hv_console_client *client;
	struct crig c;
	struct vrig_used used;
	char got[8];
	int head;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "test", 0, 0);
	/* Goes on by itself when there are tokens. */
	hv_limit_set_rates(&c.dev.limit,
			   (struct hv_limit_rate){ .tokens = 1, .period_ns = 3000000, .burst = 1 },
			   (struct hv_limit_rate){ 0 });
	for (int i = 0; i < 5; i++)
		crig_puts(&c, "x");
	crig_expect(client, "xxxxx");
	hv_limit_set_rates(
		&c.dev.limit, (struct hv_limit_rate){ 0 },
		(struct hv_limit_rate){ .tokens = 1, .period_ns = UINT64_C(1) << 47, .burst = 5 });
	crig_puts(&c, "12345");
	head = vrig_add(&c.rig, 1, (struct vrig_buf[]){ { c.page, 3, false } }, 1);
	vrig_kick(&c.rig, 1);
	crig_expect(client, "12345");
	/* The worker has been at all queues once more: it has seen it and left it. */
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	assert_int_equal(hv_console_write(client, "in", 2, NULL), 2);
	assert_int_equal(crig_receive(&c, 0, got, sizeof(got)), 2);
	assert_false(vrig_poll(&c.rig, 1, &used));
	hv_limit_set(&c.dev.limit, 0, 0, 0, 0);
	hv_vdev_poke(&c.dev);
	assert_int_equal(vrig_finish(&c.rig, 1, head), 0);
	crig_expect(client, "123");
	hv_console_close(client);
	crig_free(&c);
}

static void test_bad_options(void **state)
{
	static const struct {
		struct hv_console_port_opts port;
		unsigned int n;
		const char *says;
	} cases[] = {
		{ { 0 }, 8, "8 ports; a console has 1 to 7" },
		{ { .name = "" }, 1, "port 0: a name has 1 to 255 bytes" },
		{ { .pty_link = "/x" }, 1, "a link '/x' to a pty, but no pty" },
		{ { .output = (size_t)1 << 40 }, 1, "a buffer of" },
		{ { .log = "/nonexistent/dir/log" },
		  1,
		  "cannot open its log '/nonexistent/dir/log'" },
		{ { .log = "/dev/null" }, 1, "is not a regular file" },
		{ { .log = "/tmp/x", .log_keep = 100000 }, 1, "100000 old logs; at most 1000" },
	};
	struct hv_console_port_opts ports[8] = { { 0 } };
	struct hv_console_opts opts = { .ports = ports };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_vdev dev = { 0 };
		struct hv_err err = { 0 };

		ports[0] = cases[i].port;
		opts.n_ports = cases[i].n;
		assert_true(hv_console_init(&dev, "z/c", &opts, &err) < 0);
		assert_memory_equal(err.msg, "z/c: ", 5);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s' lacks '%s'", err.msg, cases[i].says);
	}
	ports[0] = ports[1] = (struct hv_console_port_opts){ .name = "same" };
	opts.n_ports = 2;
	assert_int_equal(hv_console_init(&(struct hv_vdev){ 0 }, "z/c", &opts, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_output_plain),
		cmocka_unit_test(test_output_indirect),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_back),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_patience_ends),
		cmocka_unit_test(test_patience_given_up),
		cmocka_unit_test(test_reset_while_held),
		cmocka_unit_test(test_other_queue_ends_while_held),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_emergency),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
