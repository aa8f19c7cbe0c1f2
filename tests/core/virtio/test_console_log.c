// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console_rig.h"

static char dir[512];

static const char *path(const char *name)
{
	static char out[600];

	snprintf(out, sizeof(out), "%s/%s", dir, name);
	return out;
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s/hvsh-console-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[600];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static size_t content(const char *name, char *to, size_t size)
{
	FILE *f = fopen(path(name), "r");
	size_t n;

	*to = '\0';
	if (!f)
		return 0;
	n = fread(to, 1, size - 1, f);
	to[n] = '\0';
	fclose(f);
	return n;
}

static void assert_content(const char *name, const char *text)
{
	uint64_t deadline = 0;
	char got[8192], what[256];

	/* Clients see output before the log does. */
	do {
		content(name, got, sizeof(got));
		snprintf(what, sizeof(what), "\"%.80s\" in the %s; it has \"%.80s\"", text, name,
			 got);
		vrig_pause(&deadline, what);
	} while (strcmp(got, text) != 0);
}

/* One, and no other. */
static void wait_error(struct crig *c)
{
	uint64_t deadline = 0;

	while (!atomic_load(&c->errors))
		vrig_pause(&deadline, "the event of the error");
	assert_int_equal(atomic_load(&c->errors), 1);
}

static void start(struct crig *c, uint64_t max, unsigned int keep)
{
	static char log[600];
	struct hv_console_port_opts port = {
		.log = log, .log_max = max, .log_keep = keep, .output = 1024
	};

	snprintf(log, sizeof(log), "%s", path("log"));
	crig_init(c, &port, 1);
	crig_start(c, 0, 64, 0);
}

/* Raw bytes, nobody needs to read; a second service life appends. */
static void test_raw(void **state)
{
	struct hv_console_info info;
	struct crig c;

	(void)state;
	start(&c, 0, 0);
	crig_puts(&c, "one \x1b[1m\r\n");
	assert_content("log", "one \x1b[1m\r\n");
	assert_int_equal(hv_console_port_info(&c.dev, 0, &info), 0);
	assert_string_equal(info.log, path("log"));
	crig_free(&c);
	start(&c, 0, 0);
	crig_puts(&c, "two");
	assert_content("log", "one \x1b[1m\r\ntwo");
	crig_free(&c);
}

/* More than the ring holds, in one chain: the log has it all, readers or not. */
static void test_everything(void **state)
{
	char *bytes = malloc(60001), *got = malloc(70000);
	uint64_t deadline = 0;
	struct crig c;

	(void)state;
	for (int i = 0; i < 60000; i++)
		bytes[i] = (char)('a' + i % 23);
	bytes[60000] = '\0';
	start(&c, 0, 0);
	crig_send(&c, 1, bytes, 60000);
	while (content("log", got, 70000) < 60000)
		vrig_pause(&deadline, "the log");
	assert_string_equal(got, bytes);
	crig_free(&c);
	free(bytes);
	free(got);
}

static void test_rotation(void **state)
{
	struct crig c;

	(void)state;
	start(&c, 10, 2);
	crig_puts(&c, "0123456789abcdefghijABCDEFGHIJxyz");
	crig_puts(&c, "!");
	assert_content("log", "xyz!");
	assert_content("log.1", "ABCDEFGHIJ");
	assert_content("log.2", "abcdefghij");
	assert_int_not_equal(access(path("log.3"), F_OK), 0);
	crig_free(&c);
	/* What was there counts. */
	start(&c, 10, 2);
	crig_puts(&c, "1234567");
	assert_content("log", "7");
	assert_content("log.1", "xyz!123456");
	crig_free(&c);
}

static void test_begin_anew(void **state)
{
	struct crig c;

	(void)state;
	start(&c, 10, 0);
	crig_puts(&c, "0123456789abc");
	assert_content("log", "abc");
	crig_free(&c);
}

/* The file of another console, of this or another service. */
static void test_locked(void **state)
{
	static char log[600];
	struct hv_console_port_opts port = { .log = log };
	struct hv_console_opts opts = { .ports = &port, .n_ports = 1 };
	struct hv_vdev other = { 0 };
	struct hv_err err = { 0 };
	struct crig c;

	(void)state;
	snprintf(log, sizeof(log), "%s", path("log"));
	start(&c, 0, 0);
	assert_int_equal(hv_console_init(&other, "z/other", &opts, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "z/other: its log '"));
	assert_non_null(strstr(err.msg, "is the log of another console"));
	crig_free(&c);
	assert_int_equal(hv_console_init(&other, "z/other", &opts, &err), 0);
	hv_vdev_destroy(&other);
}

/* A rotation that fails is said once, and costs no output. */
static void test_rotation_fails(void **state)
{
	struct crig c;

	(void)state;
	start(&c, 10, 1);
	assert_int_equal(mkdir(path("log.1"), 0700), 0);
	crig_puts(&c, "0123456789abc");
	assert_content("log", "0123456789abc");
	crig_puts(&c, "def");
	assert_content("log", "0123456789abcdef");
	wait_error(&c);
	assert_non_null(strstr(c.message, "cannot rename its log"));
	assert_int_equal(rmdir(path("log.1")), 0);
	crig_puts(&c, "ghijKLM");
	assert_content("log", "KLM");
	assert_content("log.1", "0123456789abcdefghij");
	crig_free(&c);
}

/* A full disk is said once; the console goes on, counts what is missing, and writes again when it
 * can. */
static void test_disk_full(void **state)
{
	struct rlimit old, small = { .rlim_cur = 12 };
	struct hv_console_client *client;
	uint64_t deadline = 0;
	struct crig c;

	(void)state;
	start(&c, 0, 0);
	client = crig_open(&c, 0, "reader", 0, 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	crig_puts(&c, "0123456789");
	crig_puts(&c, "abcdef");
	crig_puts(&c, "ghi");
	crig_expect(client, "0123456789abcdefghi");
	assert_content("log", "0123456789ab");
	while (atomic_load(&c.dev.stats.dropped) < 7)
		vrig_pause(&deadline, "the missing bytes");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	wait_error(&c);
	assert_non_null(strstr(c.message, "cannot write its log"));
	assert_non_null(strstr(c.message, "the console goes on without it"));
	crig_puts(&c, "jkl");
	assert_content("log", "0123456789abjkl");
	assert_int_equal(atomic_load(&c.dev.stats.dropped), 7);
	hv_console_close(client);
	crig_free(&c);
}

/* What was said through the emergency register, even when nobody ever asked. */
static void test_emergency(void **state)
{
	struct hv_console_port_opts port = { .log = path("log") };
	struct crig c;

	(void)state;
	crig_init(&c, &port, 1);
	vrig_set_config(&c.rig, 8, 4, 'A');
	hv_console_collect(&c.dev);
	assert_content("log", "A");
	vrig_set_config(&c.rig, 8, 4, 'B');
	crig_free(&c);
	assert_content("log", "AB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_raw, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_everything, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_rotation, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_begin_anew, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_locked, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_rotation_fails, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_disk_full, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_emergency, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
