// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/caps.h"
#include "sandbox/opener.h"
#include "sandbox/sandbox_priv.h"

/* Descriptors of the keeper. */
#define INMATE_FD 3
#define LEASH_FD 4
#define FIRST_FREE_FD 10 /* above those, so that none is in the other's way */

#define START_MS 20000
#define END_MS 10000
#define CELLS_MAX 64 /* by one opener */

static const char call_word[] = "cell";

/* ---- starting */

static int pair(int ends[2])
{
	int low[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, low))
		return -errno;
	for (int i = 0; i < 2; i++)
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	close(low[0]);
	close(low[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	return -EMFILE;
}

static int add_files(posix_spawn_file_actions_t *files, int inmate, int leash)
{
	int rc = 0;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && !rc; fd++)
		rc = posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(files, inmate, INMATE_FD);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(files, leash, LEASH_FD);
	return rc;
}

static int spawn(int inmate, int leash, pid_t *pid)
{
	char *const argv[] = { (char *)HV_CELL_NAME, NULL };
	const char *zone = getenv("TZ");
	char tz[256];
	char *envp[] = { NULL, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t set;
	int rc;

	/* Of the environment what a clock needs: there may be passwords in it. */
	if (zone && (size_t)snprintf(tz, sizeof(tz), "TZ=%s", zone) < sizeof(tz))
		envp[0] = tz;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSID);
	rc = add_files(&files, inmate, leash);
	if (!rc)
		rc = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

/* fds: ours, to the inmate and to the keeper. */
static int launch(int fds[2], pid_t *keeper)
{
	int talk[2], leash[2], rc = pair(talk);

	if (rc)
		return rc;
	rc = pair(leash);
	if (!rc) {
		rc = spawn(talk[1], leash[1], keeper);
		close(leash[1]);
		if (rc)
			close(leash[0]);
	}
	close(talk[1]);
	if (rc)
		close(talk[0]);
	fds[0] = talk[0];
	fds[1] = leash[0];
	return rc;
}

/* Whether there is something to be read, or its end. */
static bool comes(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static int start_by_opener(struct hv_cell *cell, struct hv_err *err)
{
	int fds[HV_OPENER_FDS];
	unsigned int n = 0;
	size_t len = 0;
	int rc = hv_opener_call(call_word, sizeof(call_word), NULL, &len, fds, &n, err);

	if (!rc && n != 2)
		rc = hv_err_set(err, EPROTO, "the opener has not started a process");
	if (rc) {
		for (unsigned int i = 0; i < n; i++)
			close(fds[i]);
		return rc;
	}
	cell->fd = fds[0];
	cell->leash = fds[1];
	return 0;
}

/* How the keeper has ended, as of wait(2); -1 = it is the opener's child, which nobody here knows.
 */
static int let_go(struct hv_cell *cell)
{
	int status = -1;

	if (cell->fd >= 0)
		close(cell->fd);
	if (cell->leash >= 0)
		close(cell->leash);
	if (cell->keeper > 0)
		while (waitpid(cell->keeper, &status, 0) < 0 && errno == EINTR)
			;
	*cell = (struct hv_cell){ .fd = -1, .leash = -1 };
	return status;
}

static int silent(struct hv_cell *cell, struct hv_err *err)
{
	/* It may not look at its leash, either. */
	if (cell->keeper > 0)
		kill(cell->keeper, SIGKILL);
	(void)let_go(cell);
	return hv_err_set(err, ETIMEDOUT,
			  "a process for it was started and was not ready within %d s",
			  START_MS / 1000);
}

static int ended(struct hv_cell *cell, struct hv_err *err)
{
	int status = let_go(cell);

	if (status == -1)
		return hv_err_set(err, EIO, "a process for it was started and has ended at once");
	if (WIFSIGNALED(status))
		return hv_err_set(err, EIO,
				  "a process for it was started and was killed at once by signal "
				  "%d (%s)",
				  WTERMSIG(status), strsignal(WTERMSIG(status)));
	return hv_err_set(
		err, EIO,
		"a process for it was started and has ended at once by itself, with status %d",
		WEXITSTATUS(status));
}

int hv_cell_open(struct hv_cell *cell, struct hv_err *err)
{
	int fds[2], rc;

	*cell = (struct hv_cell){ .fd = -1, .leash = -1 };
	if (hv_opener_sealed()) {
		rc = start_by_opener(cell, err);
		if (rc < 0)
			return rc;
	} else {
		rc = launch(fds, &cell->keeper);
		if (rc < 0)
			return hv_err_sys(err, -rc, "starting a process for it");
		cell->fd = fds[0];
		cell->leash = fds[1];
	}
	if (!comes(cell->leash, START_MS))
		return silent(cell, err);
	if (recv(cell->leash, &cell->inmate, sizeof(cell->inmate), 0) != sizeof(cell->inmate))
		return ended(cell, err);
	return 0;
}

void hv_cell_close(struct hv_cell *cell)
{
	(void)let_go(cell);
}

bool hv_cell_ended(const struct hv_cell *cell, int *status)
{
	return comes(cell->leash, END_MS) &&
	       recv(cell->leash, status, sizeof(*status), MSG_DONTWAIT) == sizeof(*status);
}

/* ---- the opener */

static atomic_uint cells;

static void on_child(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		atomic_fetch_sub(&cells, 1);
	errno = saved;
}

bool hv_cell_is_call(const void *arg, size_t len)
{
	return len == sizeof(call_word) && !memcmp(arg, call_word, len);
}

int hv_cell_serve(void *reply, size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *err)
{
	struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	pid_t keeper;
	int rc;

	(void)reply;
	*reply_len = 0;
	sigemptyset(&action.sa_mask);
	sigaction(SIGCHLD, &action, NULL);
	if (atomic_fetch_add(&cells, 1) >= CELLS_MAX) {
		atomic_fetch_sub(&cells, 1);
		return hv_err_set(err, EAGAIN,
				  "%d processes are there already, the most there may be",
				  CELLS_MAX);
	}
	rc = launch(fds, &keeper);
	if (rc < 0) {
		atomic_fetch_sub(&cells, 1);
		return hv_err_sys(err, -rc, "starting a process for it");
	}
	*n_fds = 2;
	return 0;
}

/* ---- the keeper */

static int as_inmate(int (*body)(int fd), pid_t keeper)
{
	close(LEASH_FD);
	prctl(PR_SET_NAME, "hvsh-cell");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		return 1;
	return body(INMATE_FD);
}

static bool is_socket(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET;
}

/* Until the inmate has ended, or who holds the leash wants it to, or is gone. */
static int keep(pid_t inmate, int children)
{
	struct pollfd fds[] = {
		{ .fd = LEASH_FD, .events = POLLIN },
		{ .fd = children, .events = POLLIN },
	};
	int status = 0;

	while (poll(fds, 2, -1) < 0 || (!fds[0].revents && !fds[1].revents))
		;
	if (fds[0].revents)
		kill(inmate, SIGKILL);
	while (waitpid(inmate, &status, 0) < 0 && errno == EINTR)
		;
	(void)!send(LEASH_FD, &status, sizeof(status), MSG_NOSIGNAL | MSG_DONTWAIT);
	return 0;
}

int hv_cell_main(int (*body)(int fd))
{
	pid_t keeper = getpid(), inmate;
	sigset_t set;
	int children;

	if (!is_socket(INMATE_FD) || !is_socket(LEASH_FD)) {
		fprintf(stderr, "%s is started by a service of hvsh alone\n", HV_CELL_NAME);
		return 2;
	}
	sandbox_leave(INMATE_FD, LEASH_FD);
	prctl(PR_SET_NAME, HV_CELL_NAME);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!SANDBOX_SANITIZER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (hv_caps_keep(0))
		return 1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* One that is stopped has not ended. */
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP },
		  NULL);
	inmate = fork();
	if (!inmate)
		_exit(as_inmate(body, keeper));
	close(INMATE_FD);
	children = signalfd(-1, &set, SFD_CLOEXEC);
	if (inmate < 0 || children < 0 ||
	    send(LEASH_FD, &inmate, sizeof(inmate), MSG_NOSIGNAL) < 0) {
		if (inmate > 0)
			kill(inmate, SIGKILL);
		return 1;
	}
	return keep(inmate, children);
}
