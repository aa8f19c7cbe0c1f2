// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/policy/policy_rig.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lua/policy_wire.h"

static char bytes[HV_POLICY_WIRE_MAX + 16];

static struct hv_policy_record ask(void)
{
	struct hv_policy_record r = {
		.verb = HV_POLICY_ASK,
		.number = { 1, 2, UINT64_MAX, 4, 5 },
	};

	r.text[0].bytes = "frame";
	r.text[0].len = 5;
	return r;
}

static void test_round_trip(void **state)
{
	struct hv_policy_record r = ask(), back;
	int n = hv_policy_wire_write(&r, bytes, NULL);

	(void)state;
	assert_int_equal(n, 4 + 5 * 8 + 4 + 5);
	assert_int_equal(hv_policy_wire_read(bytes, (size_t)n, &back, NULL), 0);
	assert_int_equal(back.verb, HV_POLICY_ASK);
	assert_memory_equal(back.number, r.number, sizeof(r.number));
	assert_int_equal(back.text[0].len, 5);
	assert_memory_equal(back.text[0].bytes, "frame", 5);
	r.text[0].len = HV_POLICY_WIRE_MAX;
	assert_int_equal(hv_policy_wire_write(&r, bytes, NULL), -EMSGSIZE);
}

static void refuse(size_t len, const char *says)
{
	struct hv_policy_record back;
	struct hv_err err;

	assert_int_equal(hv_policy_wire_read(bytes, len, &back, &err), -EPROTO);
	rig_has(err.msg, says);
}

static void test_malformed(void **state)
{
	const struct hv_policy_record r = ask();
	size_t n = (size_t)hv_policy_wire_write(&r, bytes, NULL);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		refuse(i, "no record");
	for (size_t i = 4; i < 4 + 44; i++)
		refuse(i, "cut off");
	for (size_t i = 48; i < n; i++)
		refuse(i, "longer than it");
	refuse(n + 1, "1 bytes too many");
	refuse(HV_POLICY_WIRE_MAX + 1, "no record");
	bytes[44] = (char)0xff;
	refuse(n, "longer than it");
	bytes[3] = 0;
	refuse(n, "unknown verb 0");
	bytes[3] = HV_POLICY_VERBS;
	refuse(n, "unknown verb");
	bytes[2] = 2;
	refuse(n, "version 2 instead of 1");
	bytes[0] = 'X';
	refuse(n, "no record");
}

static void test_socket(void **state)
{
	struct hv_policy_record r = ask(), back;
	struct hv_err err;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(hv_policy_wire_receive(fds[1], bytes, MSG_DONTWAIT, &back, &err), -EAGAIN);
	assert_int_equal(hv_policy_wire_send(fds[0], &r, 0, &err), 0);
	assert_int_equal(hv_policy_wire_receive(fds[1], bytes, 0, &back, &err), 0);
	assert_int_equal(back.number[2], UINT64_MAX);
	/* More than the buffer: its end is not taken for another record. */
	assert_int_equal(send(fds[0], bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(hv_policy_wire_receive(fds[1], bytes, 0, &back, &err), -EPROTO);
	assert_int_equal(hv_policy_wire_receive(fds[1], bytes, MSG_DONTWAIT, &back, &err), -EAGAIN);
	close(fds[1]);
	assert_int_equal(hv_policy_wire_send(fds[0], &r, 0, &err), -EPIPE);
	assert_int_equal(hv_policy_wire_receive(fds[0], bytes, 0, &back, &err), -EPIPE);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_socket),
	};

	return cmocka_run_group_tests_name("policy_wire", tests, NULL, NULL);
}
