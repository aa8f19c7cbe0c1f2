// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

static void test_input(void **state)
{
	struct hv_console_client *client;
	struct crig c;
	char got[64];

	(void)state;
	crig_init(&c, NULL, 0);
	client = crig_open(&c, 0, "test", 0, 0);
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	/* Before there is a driver; it is all there when one comes. */
	assert_int_equal(hv_console_write(client, "typed ", 6, NULL), 6);
	crig_start(&c, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	assert_int_equal(hv_console_write(client, "ahead", 5, NULL), 5);
	assert_int_equal(crig_receive(&c, 0, got, 4), 4);
	assert_int_equal(crig_receive(&c, 0, got + 4, 60), 7);
	assert_memory_equal(got, "typed ahead", 11);

	/* A buffer that waits, asleep, is filled when something is typed. */
	void *at = vrig_alloc(&c.rig, 16, 8);
	int head = vrig_add(
		&c.rig, 0, (struct vrig_buf[]){ { at, 3, true }, { (char *)at + 3, 13, true } }, 2);
	vrig_kick(&c.rig, 0);
	assert_int_equal(hv_console_write(client, "later", 5, NULL), 5);
	assert_int_equal(vrig_finish(&c.rig, 0, head), 5);
	assert_memory_equal(at, "later", 5);
	hv_console_close(client);
	crig_free(&c);
}

/* Kept across a reset, too; beyond the buffer the writer is told, and told again when there is
 * room. */
static void test_input_bounded(void **state)
{
	struct hv_console_port_opts port = { .input = 1024 };
	struct hv_console_client *client;
	struct hv_console_info info;
	uint8_t bytes[3000], got[3000];
	uint64_t deadline = 0;
	unsigned int before;
	struct crig c;

	(void)state;
	crig_init(&c, &port, 1);
	fill(bytes, 0, sizeof(bytes));
	client = crig_open(&c, 0, "test", 0, 0);
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	assert_int_equal(hv_console_write(client, bytes, 1000, NULL), 1000);
	assert_int_equal(hv_console_room(client), 24);
	assert_int_equal(hv_console_write(client, bytes + 1000, 2000, NULL), 24);
	assert_int_equal(hv_console_write(client, bytes + 1024, 1976, NULL), 0);
	assert_int_equal(hv_console_port_info(&c.dev, 0, &info), 0);
	assert_int_equal(info.input, 1024);
	before = atomic_load(&c.inputs);
	crig_start(&c, 0, 64, 0);
	assert_int_equal(crig_receive(&c, 0, got, 100), 100);
	vrig_reset(&c.rig);
	crig_start(&c, 0, 64, 0);
	assert_int_equal(crig_receive(&c, 0, got + 100, 500), 500);
	while (atomic_load(&c.inputs) == before)
		vrig_pause(&deadline, "the news that there is room");
	assert_int_equal(hv_console_write(client, bytes + 1024, 600, NULL), 600);
	assert_int_equal(crig_receive(&c, 0, got + 600, 1024), 1024);
	assert_memory_equal(got, bytes, 1624);
	hv_console_close(client);
	crig_free(&c);
}

static void test_input_empty_buffers(void **state)
{
	struct hv_console_client *client;
	struct crig c;
	char got[8];

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "test", 0, 0);
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	assert_int_equal(hv_console_write(client, "abc", 3, NULL), 3);
	/* Nothing to write into: completed with nothing, once, and the input stays. */
	assert_int_equal(vrig_request(&c.rig, 0, (struct vrig_buf[]){ { c.page, 64, false } }, 1),
			 0);
	assert_int_equal(crig_receive(&c, 0, got, 8), 3);
	assert_memory_equal(got, "abc", 3);
	hv_console_close(client);
	crig_free(&c);
}

static void test_keyboard(void **state)
{
	struct hv_console_client *a, *b;
	struct hv_console_info info;
	struct hv_err err = { 0 };
	struct crig c;
	unsigned int before;

	(void)state;
	crig_init(&c, NULL, 0);
	a = crig_open(&c, 0, "alice", 0, 0);
	b = crig_open(&c, 0, "bob", 0, 0);
	assert_int_equal(hv_console_write(a, "x", 1, &err), -EPERM);
	assert_non_null(strstr(err.msg, "rig/hvc0: nobody has the keyboard"));
	assert_int_equal(hv_console_claim(a, false, NULL), 0);
	assert_int_equal(hv_console_claim(a, false, NULL), 0);
	assert_int_equal(hv_console_claim(b, false, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "alice has the keyboard"));
	assert_int_equal(hv_console_port_info(&c.dev, 0, &info), 0);
	assert_string_equal(info.writer, "alice");
	assert_int_equal(info.clients, 2);
	/* Who was refused is told when it is free. */
	before = atomic_load(&c.inputs);
	hv_console_release(a);
	assert_int_equal(atomic_load(&c.inputs), before + 1);
	assert_int_equal(hv_console_claim(b, false, NULL), 0);
	/* Taken by force: the other one learns by whom. */
	assert_int_equal(hv_console_claim(a, true, NULL), 0);
	assert_int_equal(hv_console_write(b, "x", 1, &err), -EPERM);
	assert_non_null(strstr(err.msg, "alice has the keyboard"));
	hv_console_release(b);
	assert_int_equal(hv_console_write(a, "x", 1, NULL), 1);
	hv_console_close(a);
	assert_int_equal(hv_console_claim(b, false, NULL), 0);
	hv_console_close(b);
	crig_free(&c);
}

/* One announcement until somebody looks; none while nobody waits is needed again. */
static void test_announced_once(void **state)
{
	struct hv_console_client *client;
	uint64_t count, deadline = 0;
	struct crig c;
	int fd = eventfd(0, EFD_NONBLOCK);
	struct hv_console_client_opts opts = { .who = "waiter", .wake = fd };

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	assert_int_equal(hv_console_open(&c.dev, 0, &opts, &client, NULL), 0);
	crig_expect_nothing(client);
	for (int i = 0; i < 10; i++)
		crig_puts(&c, "x");
	while (!atomic_load(&c.inputs))
		vrig_pause(&deadline, "HV_EV_INPUT");
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	assert_int_equal(atomic_load(&c.inputs), 1);
	crig_expect(client, "xxxxxxxxxx");
	crig_expect_nothing(client);
	crig_puts(&c, "y");
	deadline = 0;
	while (atomic_load(&c.inputs) < 2)
		vrig_pause(&deadline, "the second HV_EV_INPUT");
	crig_expect(client, "y");
	hv_console_close(client);
	crig_free(&c);
	close(fd);
}

/* A client may outlive the device. */
static void test_client_outlives(void **state)
{
	struct hv_console_client *client;
	struct hv_err err = { 0 };
	struct crig c;
	char byte;

	(void)state;
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "test", 0, NEVER);
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	crig_puts(&c, "last words");
	crig_free(&c);
	crig_expect(client, "last words");
	assert_int_equal(hv_console_read(client, &byte, 1, NULL), -ENODEV);
	assert_int_equal(hv_console_write(client, "x", 1, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "rig/hvc0"));
	hv_console_release(client);
	hv_console_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_input_bounded),
		cmocka_unit_test(test_input_empty_buffers),
		cmocka_unit_test(test_keyboard),
		cmocka_unit_test(test_announced_once),
		cmocka_unit_test(test_client_outlives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
