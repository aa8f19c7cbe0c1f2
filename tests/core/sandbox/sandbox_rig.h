/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_TESTS_SANDBOX_RIG_H
#define HV_TESTS_SANDBOX_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/opener.h"
#include "sandbox/sandbox.h"

/*
 * A sandbox cannot be left: each test closes it around a process of its own. There nothing of
 * cmocka works; CHECK says what was wrong and ends the process.
 */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "# %s:%d: %s (errno %d)\n", __FILE__, __LINE__,            \
				#condition, errno);                                                \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* What the process says when this kernel, or this emulator, has not what the test is about. */
#define RIG_SKIP 77

/* The folder of the test: removed with all that is in it. */
static char rig_dir[64];

static inline int rig_make_dir(void **state)
{
	(void)state;
	strcpy(rig_dir, "/tmp/hvsh-sandbox-XXXXXX");
	return mkdtemp(rig_dir) ? 0 : -1;
}

static inline int rig_remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", rig_dir);
	return system(command) ? -1 : 0;
}

static inline const char *rig_path(const char *name)
{
	static char paths[8][128];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", rig_dir, name);
	return path;
}

static inline void rig_write(const char *name, const char *text)
{
	FILE *f = fopen(rig_path(name), "we");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static inline void rig_close_sandbox(void)
{
	struct hv_err err = { 0 };
	int rc = hv_sandbox_close(&err);

	if (rc)
		fprintf(stderr, "# %s\n", err.msg);
	CHECK(!rc);
}

/* Runs body in a process; its status as of wait(2). */
static inline int rig_status(void (*body)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(120);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline void rig_run(void (*body)(void))
{
	int status = rig_status(body);

	if (WIFEXITED(status) && WEXITSTATUS(status) == RIG_SKIP)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Sanitizers need system calls that the service does not: their builds have a filter with holes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RIG_STRICT false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RIG_STRICT false
#endif
#endif
#ifndef RIG_STRICT
#define RIG_STRICT true
#endif

static inline void rig_need(bool there, const char *what)
{
	if (there)
		return;
	fprintf(stderr, "# left out: %s is not to be had here\n", what);
	_exit(RIG_SKIP);
}

#endif
