// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/failures.md for consoles: whatever fails at a log file or a terminal, the guest's output is
 * taken and reaches who reads it, and what the log lacks is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console_rig.h"
#include "fault_sweep.h"
#include "kept_log.h"
#include "told.h"
#include "virtio/policy.h"

#define NAME "rig/hvc0"
#define LINES 12u

static char dir[64], log_path[96], link_path[96];
static struct crig c;

enum outcome {
	NOTHING, /* nothing is lost, nothing is said */
	TOLD,	 /* nothing is lost, and it is told */
	LOST,	 /* some of it is lost, and it is told */
};

static int make_dir(void **state)
{
	(void)state;
	sf_mine();
	snprintf(dir, sizeof(dir), "/tmp/hvsh-faults-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(link_path, sizeof(link_path), "%s/tty", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[96];

	(void)state;
	sf_disarm();
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* What was hit is told, and nothing else is. */
static void check_said(const struct fault *f, bool hit, unsigned int place)
{
	told(hit && f->outcome != NOTHING ? NAME : NULL, sf_name(f->fault), place);
}

/* ---- a log file */

static size_t append_file(const char *path, char *to, size_t used, size_t size)
{
	FILE *f = fopen(path, "r");

	if (!f)
		return used;
	used += fread(to + used, 1, size - 1 - used, f);
	to[used] = '\0';
	fclose(f);
	return used;
}

/* The newest comes last. */
static void read_logs(char *to, size_t size)
{
	char path[PATH_MAX];
	size_t used = 0;

	to[0] = '\0';
	for (unsigned int n = 9; n; n--) {
		snprintf(path, sizeof(path), "%s.%u", log_path, n);
		used = append_file(path, to, used, size);
	}
	append_file(log_path, to, used, size);
}

static void forget_logs(void)
{
	char path[PATH_MAX];

	unlink(log_path);
	for (unsigned int n = 1; n <= 9; n++) {
		snprintf(path, sizeof(path), "%s.%u", log_path, n);
		unlink(path);
	}
}

/* keep 0: one log, emptied when it is full, of which only messages and what clients see are known.
 */
static bool log_once(const struct fault *f, unsigned int place, const void *arg)
{
	unsigned int keep = *(const unsigned int *)arg;
	struct hv_console_port_opts port = { .log = log_path, .log_max = 40, .log_keep = keep };
	char want[LINES * 32] = "", got[LINES * 64], line[32];
	struct hv_console_client *client;
	unsigned int hit;

	forget_logs();
	kept_log_begin();
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "a reader", 0, 0);
	sf_arm(f->fault, place, 1);
	for (unsigned int i = 0; i < LINES; i++) {
		snprintf(line, sizeof(line), "line %u of the output\n", i);
		strcat(want, line);
		crig_puts(&c, line);
	}
	/* Each turn has written its log before the next one takes a line. */
	crig_puts(&c, ".");
	strcat(want, ".");
	hit = sf_disarm();
	crig_expect(client, want);
	hv_console_close(client);
	crig_free(&c);
	read_logs(got, sizeof(got));
	if (keep && strcmp(got, want) && !(hit && f->outcome == LOST))
		fail_msg("%s at place %u: the log is '%s'", sf_name(f->fault), place, got);
	check_said(f, hit, place);
	return hit;
}

static void log_files(void **state)
{
	static const struct fault kept[] = {
		{ { SF_write, EIO }, LOST },	     { { SF_write, ENOSPC }, LOST },
		{ { SF_write, SF_ZERO }, LOST },     { { SF_write, EINTR }, NOTHING },
		{ { SF_write, SF_SHORT }, NOTHING }, { { SF_rename, EACCES }, TOLD },
		{ { SF_open, EMFILE }, TOLD },	     { { SF_open, ENOSPC }, TOLD },
		{ { SF_fstat, EIO }, TOLD },	     { { SF_flock, ENOLCK }, TOLD },
	};
	static const struct fault emptied[] = {
		{ { SF_ftruncate, EIO }, TOLD },
		{ { SF_write, SF_SHORT }, NOTHING },
	};

	(void)state;
	FAULT_SWEEP(log_once, kept, &(unsigned int){ 9 });
	FAULT_SWEEP(log_once, emptied, &(unsigned int){ 0 });
}

/* ---- a terminal */

static void expect_at(int fd, const char *text)
{
	size_t left = strlen(text);
	uint64_t deadline = 0;
	char got[256];

	while (left) {
		ssize_t n = read(fd, got, left);

		if (n <= 0) {
			assert_true(n == 0 || errno == EAGAIN);
			vrig_pause(&deadline, "output on the terminal");
			continue;
		}
		assert_memory_equal(got, text, (size_t)n);
		text += n;
		left -= (size_t)n;
	}
}

static void expect_input(const char *text)
{
	char got[256] = "";
	size_t n = 0;

	while (n < strlen(text))
		n += crig_receive(&c, 0, got + n, 64);
	assert_string_equal(got, text);
}

static int open_terminal(void)
{
	int fd = open(link_path, O_RDWR | O_NOCTTY | O_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

/* Output until some arrives: what came before may be lost. */
static void until_it_works(int fd)
{
	uint64_t deadline = 0;
	char all[4096] = "";
	size_t used = 0;

	while (!strstr(all, "works")) {
		ssize_t n;

		crig_puts(&c, "works");
		n = read(fd, all + used, sizeof(all) - 1 - used);
		used += n > 0 ? (size_t)n : 0;
		if (used > sizeof(all) - 64)
			used = 0;
		vrig_pause(&deadline, "output on the terminal, again");
	}
	while (read(fd, all, sizeof(all)) > 0)
		;
}

static bool pty_once(const struct fault *f, unsigned int place, const void *arg)
{
	struct hv_console_port_opts port = { .pty = true, .pty_link = link_path };
	unsigned int hit;
	int fd;

	(void)arg;
	kept_log_begin();
	crig_init(&c, &port, 1);
	crig_start(&c, 0, 64, 0);
	sf_arm_on(f->fault, place, 1, "console-pty");
	crig_puts(&c, "before");
	fd = open_terminal();
	if (f->outcome == LOST)
		until_it_works(fd);
	else
		expect_at(fd, "before");
	assert_int_equal(write(fd, "typed\r", 6), 6);
	expect_input("typed\r");
	crig_puts(&c, "after");
	if (f->outcome == LOST)
		until_it_works(fd);
	else
		expect_at(fd, "after");
	assert_int_equal(write(fd, "more", 4), 4);
	expect_input("more");
	close(fd);
	hit = sf_disarm();
	/* And comes back. */
	crig_puts(&c, "meanwhile");
	fd = open_terminal();
	until_it_works(fd);
	assert_int_equal(write(fd, "again", 5), 5);
	expect_input("again");
	close(fd);
	crig_free(&c);
	check_said(f, hit, place);
	return hit;
}

static void terminals(void **state)
{
	static const struct fault faults[] = {
		{ { SF_write, EINTR }, NOTHING },	{ { SF_write, EAGAIN }, NOTHING },
		{ { SF_write, SF_SHORT }, NOTHING },	{ { SF_write, SF_ZERO }, NOTHING },
		{ { SF_write, ENOMEM }, LOST },		{ { SF_write, EIO }, NOTHING },
		{ { SF_read, EINTR }, NOTHING },	{ { SF_read, EAGAIN }, NOTHING },
		{ { SF_read, ENOMEM }, NOTHING },	{ { SF_poll, EINTR }, NOTHING },
		{ { SF_poll, ENOMEM }, NOTHING },	{ { SF_epoll_wait, EINTR }, NOTHING },
		{ { SF_epoll_ctl, ENOMEM }, TOLD },	{ { SF_epoll_ctl, ENOSPC }, TOLD },
		{ { SF_event_read, EAGAIN }, NOTHING }, { { SF_event_write, EAGAIN }, NOTHING },
	};

	(void)state;
	FAULT_SWEEP(pty_once, faults, NULL);
}

/* ---- memory for what a policy decides about */

static struct hv_policy *policy;

static bool answer_one(void)
{
	struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	struct hv_question q;

	if (!hv_desk_take(hv_policy_desk(policy), &q))
		return false;
	assert_int_equal(hv_desk_answer(hv_policy_desk(policy), q.ticket, &allow), 0);
	return true;
}

/* Every byte passes in order, however often memory is short. */
static bool policy_once(const struct fault *f, unsigned int place, const void *arg)
{
	unsigned int times = *(const unsigned int *)arg;
	struct hv_policy_opts opts = { .ops = 1u << HV_POLICY_OUT | 1u << HV_POLICY_IN,
				       .overload = HV_POLICY_STALL,
				       .desk = { .depth = 8, .bytes = 1 << 20 } };
	struct hv_console_client *client;
	char got[64] = "";
	struct hv_err err = { 0 };
	uint64_t deadline = 0, lost;
	unsigned int hit;
	uint8_t *buf;
	int head, in;

	kept_log_begin();
	crig_init(&c, NULL, 0);
	crig_start(&c, 0, 64, 0);
	client = crig_open(&c, 0, "a test", 0, UINT64_C(60000000000));
	assert_int_equal(hv_console_claim(client, false, &err), 0);
	assert_int_equal(hv_policy_new(&opts, &policy, &err), 0);
	hv_vdev_set_policy(&c.dev, policy);
	sf_arm(f->fault, place, times);
	for (const char *const *text = (const char *const[]){ "one ", "two ", "three", NULL };
	     *text; text++) {
		memcpy(c.page, *text, strlen(*text));
		head = vrig_add(&c.rig, 1,
				&(struct vrig_buf){ c.page, (uint32_t)strlen(*text), false }, 1);
		vrig_kick(&c.rig, 1);
		for (struct vrig_used used; !vrig_poll(&c.rig, 1, &used);) {
			answer_one();
			vrig_ack(&c.rig);
			vrig_pause(&deadline, "output to be taken");
		}
		assert_true(head >= 0);
		deadline = 0;
	}
	buf = vrig_alloc(&c.rig, 64, 8);
	in = vrig_add(&c.rig, 0, &(struct vrig_buf){ buf, 64, true }, 1);
	assert_true(in >= 0);
	vrig_kick(&c.rig, 0);
	assert_int_equal(hv_console_write(client, "typed", 5, &err), 5);
	for (struct vrig_used used; !vrig_poll(&c.rig, 0, &used);) {
		answer_one();
		vrig_ack(&c.rig);
		vrig_pause(&deadline, "input to arrive");
	}
	assert_memory_equal(buf, "typed", 5);
	hit = sf_disarm();
	assert_int_equal(hv_console_read(client, got, sizeof(got), &lost), 13);
	assert_string_equal(got, "one two three");
	assert_int_equal(atomic_load(&c.dev.stats.dropped), 0);
	check_said(f, hit, place);
	hv_vdev_set_policy(&c.dev, NULL);
	hv_console_close(client);
	crig_free(&c);
	hv_policy_put(policy);
	return hit;
}

static void without_memory(void **state)
{
	static const struct fault faults[] = { { { SF_malloc, ENOMEM }, TOLD } };

	(void)state;
	FAULT_SWEEP(policy_once, faults, &(unsigned int){ 1 });
	FAULT_SWEEP(policy_once, faults, &(unsigned int){ 3 });
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(log_files),
		TEST(terminals),
		TEST(without_memory),
	};

	return cmocka_run_group_tests_name("console: every call fails once", tests, NULL, NULL);
}
