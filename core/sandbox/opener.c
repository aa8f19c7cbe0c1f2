// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/opener_priv.h"
#include "sandbox/sandbox_priv.h"

static struct {
	pthread_mutex_t lock;
	struct opener_list list; /* until the seal */
	_Atomic int fd;
	char *socket;
	_Atomic bool sealed;
} opener = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

/* ---- what is allowed */

void hv_opener_allow(unsigned int what, const char *path)
{
	if (!*path || strlen(path) >= PATH_MAX)
		return;
	pthread_mutex_lock(&opener.lock);
	if (!opener.sealed)
		(void)opener_list_add(&opener.list, what, path);
	pthread_mutex_unlock(&opener.lock);
}

int hv_opener_each(int (*fn)(unsigned int what, const char *path, void *arg), void *arg)
{
	int rc = 0;

	pthread_mutex_lock(&opener.lock);
	for (size_t i = 0; i < opener.list.n && !rc; i++)
		rc = fn(opener.list.entries[i].what, opener.list.entries[i].path, arg);
	pthread_mutex_unlock(&opener.lock);
	return rc;
}

/* ---- packets */

static int send_request(int fd, uint32_t verb, int flags, mode_t mode, const void *first,
			size_t n_first, const void *second, size_t n_second)
{
	struct opener_request head = {
		.verb = verb,
		.flags = flags,
		.mode = mode,
		.len = { (uint32_t)n_first, (uint32_t)n_second },
	};
	struct iovec iov[] = {
		{ &head, offsetof(struct opener_request, data) },
		{ (void *)first, n_first },
		{ (void *)second, n_second },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	ssize_t n;

	if (n_first > PATH_MAX || n_second > PATH_MAX)
		return -ENAMETOOLONG;
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int receive(int fd, struct opener_reply *reply, int *fds, unsigned int *n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * HV_OPENER_FDS)];
	} control;
	struct iovec iov = { reply, sizeof(*reply) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*n_fds = 0;
	for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			*n_fds = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(c), *n_fds * sizeof(int));
		}
	if (n == sizeof(*reply))
		return 0;
	return n < 0 ? -errno : -EPIPE;
}

/* Asks; reply->ret or -errno of the asking itself. fds may be NULL when none can come. */
static int ask(uint32_t verb, int flags, mode_t mode, const void *first, size_t n_first,
	       const void *second, size_t n_second, struct opener_reply *reply, int *fds,
	       unsigned int *n_fds)
{
	int rc, none[HV_OPENER_FDS];
	unsigned int count = 0;

	pthread_mutex_lock(&opener.lock);
	rc = opener.fd < 0
		     ? -EPIPE
		     : send_request(opener.fd, verb, flags, mode, first, n_first, second, n_second);
	if (!rc)
		rc = receive(opener.fd, reply, fds ? fds : none, &count);
	pthread_mutex_unlock(&opener.lock);
	if (n_fds)
		*n_fds = count;
	return rc ? rc : reply->ret;
}

/* ---- its life */

static int listen_at(const char *path, struct hv_err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (strlen(path) >= sizeof(at.sun_path))
		return hv_err_set(err, ENAMETOOLONG, "%s: too long for a socket", path);
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return hv_err_sys(err, errno, "%s", path);
	/* The control socket beside it is taken: what is there is left over. */
	unlink(path);
	mask = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, 8) ? -errno : 0;
	umask(mask);
	if (rc) {
		close(fd);
		return hv_err_sys(err, -rc, "%s", path);
	}
	return fd;
}

static _Noreturn void child(int fd, int listener, pid_t service, hv_opener_call_fn *call)
{
	sigset_t none;

	/* It ends with the service, by nothing else that is meant for both. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, sig == SIGPIPE || sig == SIGINT || sig == SIGHUP || sig == SIGTERM ||
					    sig == SIGQUIT
				    ? SIG_IGN
				    : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sandbox_leave(fd, listener);
	setsid();
	opener_main(fd, listener, service, call);
}

int hv_opener_start(const char *socket, hv_opener_call_fn *call, struct hv_err *err)
{
	int ends[2], listener = -1, rc = 0;
	pid_t service = getpid(), pid;

	if (opener.fd >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return hv_err_sys(err, errno, "making sockets for the opener");
	if (socket) {
		opener.socket = strdup(socket);
		rc = listener = opener.socket ? listen_at(socket, err) : hv_err_nomem(err);
	}
	pid = rc < 0 ? -1 : fork();
	if (!pid)
		child(ends[1], listener, service, call);
	if (pid < 0 && rc >= 0)
		rc = hv_err_sys(err, errno, "starting the opener");
	if (listener >= 0)
		close(listener);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		free(opener.socket);
		opener.socket = NULL;
		return rc;
	}
	opener.fd = ends[0];
	return 0;
}

bool hv_opener_started(void)
{
	return opener.fd >= 0;
}

int hv_opener_seal(struct hv_err *err)
{
	struct opener_reply reply;
	int rc = 0;

	if (opener.sealed)
		return 0;
	pthread_mutex_lock(&opener.lock);
	for (size_t i = 0; i < opener.list.n && !rc; i++) {
		const struct opener_entry *e = &opener.list.entries[i];

		rc = send_request(opener.fd, OPENER_ALLOW, (int)e->what, 0, e->path,
				  strlen(e->path) + 1, NULL, 0);
	}
	pthread_mutex_unlock(&opener.lock);
	if (!rc)
		rc = ask(OPENER_SEAL, 0, 0, NULL, 0, NULL, 0, &reply, NULL, NULL);
	if (rc)
		return hv_err_sys(err, -rc, "the opener cannot be told what is allowed");
	pthread_mutex_lock(&opener.lock);
	opener.sealed = true;
	opener_list_clear(&opener.list);
	pthread_mutex_unlock(&opener.lock);
	return 0;
}

bool hv_opener_sealed(void)
{
	return opener.sealed;
}

void hv_opener_unlisten(void)
{
	if (opener.socket)
		unlink(opener.socket);
	free(opener.socket);
	opener.socket = NULL;
}

void hv_opener_stop(void)
{
	pthread_mutex_lock(&opener.lock);
	if (opener.fd >= 0)
		close(opener.fd);
	opener.fd = -1;
	free(opener.socket);
	opener.socket = NULL;
	opener.sealed = false;
	opener_list_clear(&opener.list);
	pthread_mutex_unlock(&opener.lock);
}

/* ---- instead of system calls */

/* Not our rights, but maybe the opener's. */
static bool can_ask(void)
{
	return opener.sealed && (errno == EACCES || errno == EPERM);
}

/* The errno that this process met counts where the opener refuses. */
static int end(int rc, int before, const char *path)
{
	if (rc == -EACCES)
		hv_log_warn(
			"the sandbox keeps the service from %s: no definition named it when the "
			"sandbox closed (--allow and --no-sandbox lift that)",
			path);
	else if (rc == -EPIPE)
		hv_log_error("%s: the process that opens files for the service is gone", path);
	errno = rc == -EACCES || rc == -EPIPE ? before : -rc;
	return -1;
}

int hv_opener_open(const char *path, int flags, mode_t mode)
{
	struct opener_reply reply;
	int fd = open(path, flags, mode), before = errno, fds[HV_OPENER_FDS], rc;
	unsigned int n;

	/* One that must not have been there, as beside a file that is replaced, comes only once. */
	if (fd >= 0 && !opener.sealed && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		hv_opener_allow((flags & O_ACCMODE) == O_RDONLY ? HV_ALLOW_READ : HV_ALLOW_WRITE,
				path);
	if (fd >= 0 || !can_ask())
		return fd;
	rc = ask(OPENER_OPEN, flags, mode, path, strlen(path) + 1, NULL, 0, &reply, fds, &n);
	if (!rc && n == 1)
		return fds[0];
	return end(rc ? rc : -EPIPE, before, path);
}

int hv_opener_read(const char *path)
{
	struct opener_reply reply;
	int fds[HV_OPENER_FDS], rc;
	unsigned int n;

	if (!opener.sealed)
		return hv_opener_open(path, O_RDONLY | O_CLOEXEC, 0);
	rc = ask(OPENER_OPEN, O_RDONLY, 0, path, strlen(path) + 1, NULL, 0, &reply, fds, &n);
	return !rc && n == 1 ? fds[0] : open(path, O_RDONLY | O_CLOEXEC);
}

int hv_opener_stat(const char *path, struct stat *st)
{
	struct opener_reply reply;
	int rc = stat(path, st), before = errno;

	if (!rc || !can_ask())
		return rc;
	rc = ask(OPENER_STAT, 0, 0, path, strlen(path) + 1, NULL, 0, &reply, NULL, NULL);
	if (rc)
		return end(rc, before, path);
	memcpy(st, reply.data, sizeof(*st));
	return 0;
}

int hv_opener_access(const char *path, int mode)
{
	struct opener_reply reply;
	int rc = access(path, mode), before = errno;

	if (!rc || !can_ask())
		return rc;
	rc = ask(OPENER_ACCESS, mode, 0, path, strlen(path) + 1, NULL, 0, &reply, NULL, NULL);
	return rc ? end(rc, before, path) : 0;
}

static int ask_two(uint32_t verb, const char *a, const char *b)
{
	struct opener_reply reply;
	int before = errno;
	int rc = ask(verb, 0, 0, a, strlen(a) + 1, b, b ? strlen(b) + 1 : 0, &reply, NULL, NULL);

	return rc ? end(rc, before, b ? b : a) : 0;
}

int hv_opener_rename(const char *from, const char *to)
{
	int rc = rename(from, to);

	return !rc || !can_ask() ? rc : ask_two(OPENER_RENAME, from, to);
}

int hv_opener_symlink(const char *target, const char *path)
{
	int rc = symlink(target, path);

	if (!rc)
		hv_opener_allow(HV_ALLOW_WRITE, path);
	return !rc || !can_ask() ? rc : ask_two(OPENER_SYMLINK, target, path);
}

int hv_opener_unlink(const char *path)
{
	int rc = unlink(path);

	return !rc || !can_ask() ? rc : ask_two(OPENER_UNLINK, path, NULL);
}

int hv_opener_call(const void *arg, size_t len, void *out, size_t *out_len, int *fds,
		   unsigned int *n_fds, struct hv_err *err)
{
	struct opener_reply reply = { 0 };
	int rc;

	if (!opener.sealed)
		return hv_err_set(err, ENOSYS, "no opener runs");
	rc = ask(OPENER_CALL, 0, 0, arg, len, NULL, 0, &reply, fds, n_fds);
	if (!rc && reply.len <= *out_len && reply.len <= sizeof(reply.data)) {
		if (reply.len)
			memcpy(out, reply.data, reply.len);
		*out_len = reply.len;
		return 0;
	}
	reply.message[sizeof(reply.message) - 1] = '\0';
	if (rc < 0 && *reply.message)
		return hv_err_set(err, -rc, "%s", reply.message);
	return hv_err_sys(err, rc ? -rc : EPROTO, "the opener does not answer");
}

/* ---- commands */

int hv_opener_grant(const char *socket_path, const struct hv_opener_grant *grants, size_t n,
		    struct hv_err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int32_t ret = 0;
	int fd, rc = 0;

	if (strlen(socket_path) >= sizeof(at.sun_path))
		return hv_err_set(err, ENAMETOOLONG, "%s: too long for a socket", socket_path);
	strcpy(at.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return hv_err_sys(err, errno, "%s", socket_path);
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0) {
		rc = errno == ENOENT || errno == ECONNREFUSED
			     ? hv_err_set(err, ENOENT, "%s: no service listens", socket_path)
			     : hv_err_sys(err, errno, "%s", socket_path);
		close(fd);
		return rc;
	}
	for (size_t i = 0; i < n && !rc; i++)
		rc = send_request(fd, OPENER_ALLOW, (int)grants[i].what, 0, grants[i].path,
				  strlen(grants[i].path) + 1, NULL, 0);
	if (!rc)
		rc = send_request(fd, OPENER_SEAL, 0, 0, NULL, 0, NULL, 0);
	if (!rc)
		rc = recv(fd, &ret, sizeof(ret), 0) == sizeof(ret) ? ret : -EACCES;
	close(fd);
	return rc ? hv_err_sys(err, -rc, "%s: the service's opener refuses", socket_path) : 0;
}
