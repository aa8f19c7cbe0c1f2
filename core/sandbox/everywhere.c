// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/sandbox_priv.h"

#define PATIENCE_S 10
#define SLICES 20 /* of a second */

/*
 * Capabilities and Landlock are a thread's own, as the kernel has it. So each thread is sent
 * SIGSYS, which hv_thread_start leaves open, and does it in the handler.
 */
static struct {
	int (*fn)(void *arg);
	void *arg;
	sem_t done;
	_Atomic int failed;
} job;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	int saved = errno, rc;

	(void)signal;
	if (info->si_code == SI_TKILL && info->si_pid == getpid() && job.fn) {
		rc = job.fn(job.arg);
		if (rc)
			atomic_store(&job.failed, rc);
		sem_post(&job.done);
	} else if (info->si_code > 0) {
		sandbox_refused(info, context);
	}
	errno = saved;
}

/* A part of the patience; 0 when somebody has come. */
static int wait_a_bit(void)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000000 / SLICES;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	do
		rc = sem_timedwait(&job.done, &until) ? -errno : 0;
	while (rc == -EINTR);
	return rc;
}

/* Sends a thread there and waits; it may end before it has come, or after. */
static int reach(long tid)
{
	int rc = -ETIMEDOUT;

	if (syscall(SYS_tgkill, getpid(), tid, SIGSYS))
		return -errno;
	for (int i = 0; i < PATIENCE_S * SLICES && rc == -ETIMEDOUT; i++) {
		rc = wait_a_bit();
		if (rc == -ETIMEDOUT && syscall(SYS_tgkill, getpid(), tid, 0))
			rc = sem_trywait(&job.done) ? -ESRCH : 0;
	}
	return rc;
}

struct seen {
	long *tids;
	size_t n;
};

static bool is_seen(const struct seen *seen, long tid)
{
	for (size_t i = 0; i < seen->n; i++)
		if (seen->tids[i] == tid)
			return true;
	return false;
}

static int add_seen(struct seen *seen, long tid)
{
	long *more = realloc(seen->tids, (seen->n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	seen->tids = more;
	more[seen->n++] = tid;
	return 0;
}

/*
 * io_uring's workers are listed as threads but run in the kernel alone, and take no signals. They
 * end when they have had nothing to do for some seconds; younger ones are as restricted as who they
 * work for.
 */
#define PF_IO_WORKER 0x10u

static bool is_kernels(long tid)
{
	char path[48], text[512];
	unsigned int flags = 0;
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* Its name, in parentheses, may hold anything. */
	at = strrchr(text, ')');
	return at && sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & PF_IO_WORKER;
}

/* Every thread not seen yet; how many there were, or -errno. */
static int one_round(struct seen *seen)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0, rc = dir ? 0 : -errno;

	while (!rc && (entry = readdir(dir)) != NULL) {
		long tid = strtol(entry->d_name, NULL, 10);

		if (!tid || is_seen(seen, tid))
			continue;
		rc = add_seen(seen, tid);
		n++;
		if (!rc && !is_kernels(tid))
			rc = reach(tid);
		/* Another thread may get its number. */
		if (rc == -ESRCH) {
			seen->n--;
			rc = 0;
		}
	}
	if (dir)
		closedir(dir);
	return rc ? rc : n;
}

int sandbox_everywhere(int (*fn)(void *arg), void *arg, struct hv_err *err)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	struct seen seen = { 0 };
	int rc = add_seen(&seen, syscall(SYS_gettid)), n;

	sigfillset(&action.sa_mask);
	if (!rc && (sem_init(&job.done, 0, 0) || sigaction(SIGSYS, &action, NULL)))
		rc = -errno;
	job.arg = arg;
	job.fn = fn;
	atomic_store(&job.failed, 0);
	/* A thread that was not reached yet may have started another; one that was reached hands
	 * down what it has become. */
	do
		n = rc ? rc : one_round(&seen);
	while (n > 0);
	rc = n;
	job.fn = NULL;
	free(seen.tids);
	if (rc == -ETIMEDOUT)
		return hv_err_set(err, ETIMEDOUT, "a thread does not stop for it within %d s",
				  PATIENCE_S);
	if (!rc)
		rc = atomic_load(&job.failed);
	if (!rc)
		rc = fn(arg);
	return rc ? hv_err_sys(err, -rc, "restricting the threads") : 0;
}
