// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "console_rig.h"

static char link_path[PATH_MAX];

static void start(struct crig *c)
{
	struct hv_console_port_opts port = { .pty = true, .pty_link = link_path };

	snprintf(link_path, sizeof(link_path), "%s/hvsh-pty-%d", getenv("TMPDIR") ?: "/tmp",
		 (int)getpid());
	crig_init(c, &port, 1);
	crig_start(c, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
}

static int open_pty(void)
{
	int fd = open(link_path, O_RDWR | O_NOCTTY | O_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

static void read_all(int fd, char *to, size_t len)
{
	uint64_t deadline = 0;

	while (len) {
		ssize_t n = read(fd, to, len);

		if (n > 0) {
			to += n;
			len -= (size_t)n;
		} else {
			assert_true(n == 0 || errno == EAGAIN);
			vrig_pause(&deadline, "output on the pty");
		}
	}
}

static void expect(int fd, const char *text)
{
	char got[256] = "";

	read_all(fd, got, strlen(text));
	assert_string_equal(got, text);
}

static void expect_input(struct crig *c, const char *text)
{
	char got[4096] = "";
	size_t n = 0;

	while (n < strlen(text))
		n += crig_receive(c, 0, got + n, 64);
	assert_string_equal(got, text);
}

static void test_both_ways(void **state)
{
	struct hv_console_info info;
	struct termios t;
	struct crig c;
	int fd;

	(void)state;
	start(&c);
	assert_int_equal(hv_console_port_info(&c.dev, 0, &info), 0);
	assert_memory_equal(info.pty, "/dev/pts/", 9);
	/* Nobody is there yet: it waits. */
	crig_puts(&c, "booted\n");
	fd = open_pty();
	expect(fd, "booted\n");
	assert_int_equal(tcgetattr(fd, &t), 0);
	assert_false(t.c_lflag & (ECHO | ICANON | ISIG));
	assert_int_equal(write(fd, "\x03\r\x04", 3), 3);
	expect_input(&c, "\x03\r\x04");
	crig_puts(&c, "\n\x1b[H");
	expect(fd, "\n\x1b[H");
	/* Comes and goes. */
	close(fd);
	crig_puts(&c, "meanwhile");
	fd = open_pty();
	expect(fd, "meanwhile");
	close(fd);
	crig_free(&c);
	assert_int_not_equal(access(link_path, F_OK), 0);
}

/* echo x > pty: open, write, close, faster than anybody looks. */
static void test_write_and_go(void **state)
{
	struct crig c;

	(void)state;
	start(&c);
	for (int i = 0; i < 50; i++) {
		int fd = open_pty();

		assert_int_equal(write(fd, "echo\n", 5), 5);
		close(fd);
		expect_input(&c, "echo\n");
	}
	crig_free(&c);
}

/* Who claimed the keyboard keeps it; what is typed at the pty comes afterwards. */
static void test_keyboard(void **state)
{
	struct hv_console_client *client;
	struct crig c;
	int fd;

	(void)state;
	start(&c);
	client = crig_open(&c, 0, "script", 0, 0);
	fd = open_pty();
	assert_int_equal(hv_console_claim(client, false, NULL), 0);
	assert_int_equal(write(fd, "pty", 3), 3);
	assert_int_equal(hv_console_write(client, "script", 6, NULL), 6);
	expect_input(&c, "script");
	hv_console_release(client);
	expect_input(&c, "pty");
	/* The same when it is gone by then. */
	assert_int_equal(hv_console_claim(client, true, NULL), 0);
	assert_int_equal(write(fd, "late", 4), 4);
	close(fd);
	hv_console_write(client, "!", 1, NULL);
	expect_input(&c, "!");
	hv_console_release(client);
	expect_input(&c, "late");
	hv_console_close(client);
	crig_free(&c);
}

/* A terminal that takes output in small pieces gets every byte: EAGAIN loses nothing. */
static void test_slow_terminal(void **state)
{
	struct crig c;
	char *bytes = malloc(CRIG_PAGE), *got = malloc(CRIG_PAGE);
	int fd;

	(void)state;
	start(&c);
	fd = open_pty();
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < CRIG_PAGE; i++)
			bytes[i] = (char)(i * 31 + round + (i >> 8));
		crig_send(&c, 1, bytes, CRIG_PAGE);
		for (unsigned int i = 0; i < CRIG_PAGE; i += 512)
			read_all(fd, got + i, 512);
		assert_memory_equal(got, bytes, CRIG_PAGE);
	}
	close(fd);
	crig_free(&c);
	free(bytes);
	free(got);
}

/* More input than port and pty hold: the writer waits, nothing is lost. */
static void test_much_input(void **state)
{
	struct crig c;
	size_t sent = 0, received = 0;
	uint64_t deadline = 0;
	char chunk[1000], got[4096];
	int fd;

	(void)state;
	start(&c);
	fd = open_pty();
	while (received < 300000) {
		ssize_t n;

		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = (char)((sent + i) % 251);
		n = sent < 300000 ? write(fd, chunk, sizeof(chunk)) : 0;
		if (n > 0) {
			sent += (size_t)n;
			continue;
		}
		if (received == sent) {
			vrig_pause(&deadline, "room in the pty");
			continue;
		}
		deadline = 0;
		uint32_t m = crig_receive(&c, 0, got, 1000);
		for (uint32_t i = 0; i < m; i++)
			assert_int_equal(got[i], (char)((received + i) % 251));
		received += m;
		c.rig.ram_used -= 1000; /* gives the buffer back */
	}
	close(fd);
	crig_free(&c);
}

/* 'S' = the thread of that name sleeps. */
static char thread_state(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;
	char path[300], text[128] = "", state = '?';

	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/stat", task->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		if (fgets(text, sizeof(text), f) && strstr(text, name))
			state = strchr(text, ')')[2];
		fclose(f);
	}
	closedir(tasks);
	return state;
}

/* Nobody there, after somebody was: the kernel's endless hang-up does not keep the thread busy. */
static void test_idle(void **state)
{
	uint64_t deadline = 0;
	struct crig c;
	int fd;

	(void)state;
	start(&c);
	fd = open_pty();
	crig_puts(&c, "x");
	expect(fd, "x");
	close(fd);
	for (int asleep = 0; asleep < 300; asleep++)
		if (thread_state("(console-pty)") != 'S') {
			asleep = 0;
			vrig_pause(&deadline, "the pty's thread to sleep");
		}
	crig_free(&c);
}

static void test_link(void **state)
{
	struct hv_console_port_opts port = { .pty = true, .pty_link = link_path };
	struct hv_console_opts opts = { .ports = &port, .n_ports = 1 };
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };
	struct crig c;
	int fd;

	(void)state;
	/* One that a killed service left behind is replaced. */
	start(&c);
	crig_free(&c);
	assert_int_equal(symlink("/dev/pts/9999", link_path), 0);
	start(&c);
	fd = open_pty();
	close(fd);
	crig_free(&c);
	/* Anything else is somebody's. */
	fd = open(link_path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(hv_console_init(&dev, "z/c", &opts, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "is not a link to a pty"));
	assert_int_equal(unlink(link_path), 0);
	/* Replaced by somebody while we ran: not ours to remove. */
	start(&c);
	assert_int_equal(unlink(link_path), 0);
	assert_int_equal(symlink("/dev/null", link_path), 0);
	crig_free(&c);
	assert_int_equal(unlink(link_path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),  cmocka_unit_test(test_write_and_go),
		cmocka_unit_test(test_keyboard),   cmocka_unit_test(test_slow_terminal),
		cmocka_unit_test(test_much_input), cmocka_unit_test(test_idle),
		cmocka_unit_test(test_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
