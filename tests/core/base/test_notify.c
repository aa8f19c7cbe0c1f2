// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/notify.h"

static struct hv_err err;

static int listener(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(at.sun_path, path, len);
	if (*path == '@')
		at.sun_path[0] = '\0';
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static void hears(const char *path)
{
	char text[64];
	int fd = listener(path);
	ssize_t n;

	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(hv_notify("READY=1\nSTATUS=all is well", &err), 0);
	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	assert_int_equal(n, 26);
	assert_memory_equal(text, "READY=1\nSTATUS=all is well", 26);
	close(fd);
}

static void test_sockets(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/hvsh-notify-%d", (int)getpid());
	hears(path);
	unlink(path);
	snprintf(path, sizeof(path), "@hvsh-notify-%d", (int)getpid());
	hears(path);
}

static void test_nobody(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(hv_notify("READY=1", &err), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(hv_notify("READY=1", &err), 0);
}

static void test_wrong(void **state)
{
	char name[200];

	(void)state;
	setenv("NOTIFY_SOCKET", "/tmp/hvsh-there-is-no-such-socket", 1);
	assert_int_equal(hv_notify("READY=1", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "NOTIFY_SOCKET=/tmp/hvsh-there-is-no-such-socket"));
	setenv("NOTIFY_SOCKET", "run/notify", 1);
	assert_int_equal(hv_notify("READY=1", &err), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(hv_notify("READY=1", &err), -EINVAL);
}

static uint64_t watchdog(const char *usec, const char *pid)
{
	if (usec)
		setenv("WATCHDOG_USEC", usec, 1);
	else
		unsetenv("WATCHDOG_USEC");
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	else
		unsetenv("WATCHDOG_PID");
	return hv_notify_watchdog();
}

static void test_watchdog(void **state)
{
	char me[16];

	(void)state;
	snprintf(me, sizeof(me), "%d", (int)getpid());
	assert_int_equal(watchdog(NULL, NULL), 0);
	assert_int_equal(watchdog("30000000", NULL), UINT64_C(15000000000));
	assert_int_equal(watchdog("30000000", me), UINT64_C(15000000000));
	assert_int_equal(watchdog("30000000", "1"), 0);
	assert_int_equal(watchdog("30000000", "none"), 0);
	assert_int_equal(watchdog("30s", me), 0);
	assert_int_equal(watchdog("-1", me), 0);
	assert_int_equal(watchdog("18446744073709551615", me), 0);
	assert_int_equal(watchdog("99999999999999999999", me), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
