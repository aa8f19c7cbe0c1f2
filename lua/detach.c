// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The half that works tells the one that waits; -1 = nobody waits. */
static int teller = -1;

/* The other half has ended before it was ready: its failure is ours. */
static int code_of(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int hv_detach_begin(struct hv_err *err)
{
	int ends[2];
	ssize_t n;
	pid_t child;
	unsigned char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return hv_err_sys(err, errno, "-d: making a pipe");
	fflush(NULL);
	child = fork();
	if (child < 0) {
		close(ends[0]);
		close(ends[1]);
		return hv_err_sys(err, errno, "-d: starting a process");
	}
	if (child == 0) {
		close(ends[0]);
		teller = ends[1];
		return -EAGAIN;
	}
	close(ends[1]);
	/* Ctrl-C reaches both: the other half ends by it, and that is waited for. */
	do
		n = read(ends[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(ends[0]);
	return n == 1 ? byte : code_of(child);
}

int hv_detach_pending(void)
{
	return teller >= 0;
}

int hv_detach_ready(int code, const char *log, struct hv_err *err)
{
	unsigned char byte = (unsigned char)code;
	int null, out;

	if (teller < 0)
		return 0;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (null < 0 || out < 0) {
		hv_err_sys(err, errno, "-d: opening %s", null < 0 ? "/dev/null" : log);
		if (null >= 0)
			close(null);
		return -err->code;
	}
	fflush(NULL);
	setsid();
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(null);
	close(out);
	if (write(teller, &byte, 1) < 0)
		hv_err_sys(err, errno, "-d: telling the command");
	close(teller);
	teller = -1;
	return 0;
}
