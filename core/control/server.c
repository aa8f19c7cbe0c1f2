// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/file.h"
#include "control/server_priv.h"

#define BACKLOG 16
#define RETRY UINT64_C(1000000000) /* ns until accept is tried again without descriptors */

static int set_address(struct sockaddr_un *to, const char *path, struct hv_err *err)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(to->sun_path))
		return hv_err_set(err, ENAMETOOLONG,
				  "'%s' is too long for a socket: at most %zu bytes", path,
				  sizeof(to->sun_path) - 1);
	memcpy(to->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Who listens on the socket; 0 = nobody. */
static pid_t listener(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	bool answers;

	if (fd < 0)
		return 0;
	answers = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;
	if (answers && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		peer.pid = 0;
	/* With its queue full it is there all the same. */
	if (!answers && errno == EAGAIN)
		answers = true;
	close(fd);
	return answers ? (peer.pid > 0 ? peer.pid : -1) : 0;
}

static int in_use(const char *path, pid_t pid, struct hv_err *err)
{
	if (pid > 0)
		return hv_err_set(err, EADDRINUSE,
				  "process %d listens on %s already; there can be one", (int)pid,
				  path);
	return hv_err_set(err, EADDRINUSE,
			  "another process listens on %s already; there can be one", path);
}

static int take_lock(struct hv_control *ctl, const struct sockaddr_un *at, struct hv_err *err)
{
	char text[16] = "";
	ssize_t n;

	if (asprintf(&ctl->lock_path, "%s.lock", ctl->path) < 0) {
		ctl->lock_path = NULL;
		return hv_err_nomem(err);
	}
	ctl->lock_fd = open(ctl->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ctl->lock_fd < 0)
		return hv_err_sys(err, errno, "opening %s, the lock of the control socket",
				  ctl->lock_path);
	if (flock(ctl->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		pid_t pid;

		if (errno != EWOULDBLOCK)
			return hv_err_sys(err, errno, "locking %s", ctl->lock_path);
		pid = listener(at);
		n = pid > 0 ? 0 : pread(ctl->lock_fd, text, sizeof(text) - 1, 0);
		return in_use(ctl->path, n > 0 ? atoi(text) : pid, err);
	}
	if (ftruncate(ctl->lock_fd, 0) < 0 || dprintf(ctl->lock_fd, "%d\n", (int)getpid()) < 0)
		return hv_err_sys(err, errno, "writing %s", ctl->lock_path);
	return 0;
}

/* The lock is held: what is there is of nobody who knows of the lock. */
static int clear_path(const char *path, const struct sockaddr_un *at, struct hv_err *err)
{
	struct stat st;
	pid_t pid;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : hv_err_sys(err, errno, "looking at %s", path);
	if (!S_ISSOCK(st.st_mode))
		return hv_err_set(err, EEXIST, "%s exists and is no socket; it is left alone",
				  path);
	pid = listener(at);
	if (pid)
		return in_use(path, pid, err);
	if (unlink(path) < 0 && errno != ENOENT)
		return hv_err_sys(err, errno, "removing the old socket %s", path);
	return 0;
}

/* A client that is not let in learns why, if it reads at once. */
static void refuse(int fd, const char *why)
{
	struct hv_buf json = { 0 };
	struct hv_outq out = { 0 };

	hv_hello_write(&json, why);
	if (!json.failed)
		hv_outq_put(&out, fd, HV_FRAME_HELLO, 0, 0, json.data, json.len);
	hv_outq_free(&out);
	hv_buf_free(&json);
	close(fd);
}

static void admit(struct hv_control *ctl, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct hv_err err = { 0 };
	char why[160];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		close(fd);
		return;
	}
	if (peer.uid && peer.uid != geteuid()) {
		hv_log_warn("control: process %d of user %u was refused", (int)peer.pid, peer.uid);
		snprintf(why, sizeof(why), "user %u may not use this service, only %s", peer.uid,
			 geteuid() ? "root and the user who runs it" : "root");
		refuse(fd, why);
		return;
	}
	if (ctl->n_conns == HV_CONTROL_CLIENTS && !hv_conn_end_silent(ctl)) {
		hv_log_warn("control: process %d was refused: there are %d clients", (int)peer.pid,
			    HV_CONTROL_CLIENTS);
		snprintf(why, sizeof(why), "the service has %d clients, as many as it can",
			 HV_CONTROL_CLIENTS);
		refuse(fd, why);
		return;
	}
	if (hv_conn_new(ctl, fd, peer.pid, &err))
		hv_log_error("control: a client could not be taken on: %s", err.msg);
}

static void on_accept(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct hv_control *ctl = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (client >= 0) {
		admit(ctl, client);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* It would be reported again at once. */
		hv_log_error("control: no client can be taken on: %s; trying again each second",
			     strerror(errno));
		hv_fd_set(src, 0, NULL);
		hv_timer_set(ctl->retry, hv_now() + RETRY, 0);
	}
}

static void on_retry(struct hv_source *src, uint64_t times, void *arg)
{
	struct hv_control *ctl = arg;

	(void)src;
	(void)times;
	if (hv_fd_set(ctl->accepting, EPOLLIN, NULL))
		hv_timer_set(ctl->retry, hv_now() + RETRY, 0);
}

static int open_socket(struct hv_control *ctl, const struct sockaddr_un *at, struct hv_err *err)
{
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Before bind: the socket is never there with another mode. */
	if (ctl->fd < 0 || fchmod(ctl->fd, 0600) < 0)
		return hv_err_sys(err, errno, "making the control socket");
	if (bind(ctl->fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
		return hv_err_sys(err, errno, "making the control socket %s", ctl->path);
	ctl->bound = true;
	if (listen(ctl->fd, BACKLOG) < 0)
		return hv_err_sys(err, errno, "listening on %s", ctl->path);
	return 0;
}

int hv_control_listen(struct hv_loop *loop, const char *path, const struct hv_control_ops *ops,
		      void *arg, struct hv_control **out, struct hv_err *err)
{
	struct hv_control *ctl;
	struct sockaddr_un at;
	int rc = set_address(&at, path, err);

	if (rc)
		return rc;
	ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return hv_err_nomem(err);
	ctl->loop = loop;
	ctl->ops = ops;
	ctl->arg = arg;
	ctl->fd = ctl->lock_fd = -1;
	ctl->path = strdup(path);
	rc = ctl->path ? 0 : hv_err_nomem(err);
	if (!rc) {
		hv_file_make_parent(path);
		rc = take_lock(ctl, &at, err);
	}
	if (!rc)
		rc = clear_path(path, &at, err);
	if (!rc)
		rc = open_socket(ctl, &at, err);
	if (!rc)
		rc = hv_loop_add_fd(loop, ctl->fd, EPOLLIN, on_accept, ctl, &ctl->accepting, err);
	if (!rc)
		rc = hv_loop_add_timer(loop, 0, 0, on_retry, ctl, &ctl->retry, err);
	if (rc) {
		hv_control_free(ctl, NULL);
		return rc;
	}
	*out = ctl;
	return 0;
}

void hv_control_free(struct hv_control *ctl, const char *reason)
{
	if (!ctl)
		return;
	hv_source_remove(ctl->accepting);
	hv_source_remove(ctl->retry);
	/* Before the last client has gone nobody new can come. */
	if (ctl->bound)
		unlink(ctl->path);
	if (ctl->fd >= 0)
		close(ctl->fd);
	while (ctl->conns) {
		hv_conn_kill(ctl->conns, true, reason ? reason : "the service ended");
		hv_conn_end(ctl->conns);
	}
	if (ctl->lock_fd >= 0) {
		/* Said by hand: a forked child may still have it open. The file stays, or two could
		 * hold "it". */
		flock(ctl->lock_fd, LOCK_UN);
		close(ctl->lock_fd);
	}
	free(ctl->lock_path);
	free(ctl->path);
	free(ctl);
}
