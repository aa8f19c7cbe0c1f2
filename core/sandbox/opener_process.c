// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sandbox/caps.h"
#include "sandbox/opener_priv.h"

static struct {
	struct opener_list list;
	bool sealed;
	int missed; /* why something the service allowed is not on the list; its seal is told */
	hv_opener_call_fn *call;
} self;

static bool name_allowed(unsigned int what, const char *name)
{
	return opener_list_names(&self.list, what, name);
}

/* ---- paths: what is checked is what is used, whatever happens to the name in between */

/* The name of what a descriptor is open on. */
static int name_of(int fd, char real[PATH_MAX])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	real[n] = '\0';
	return 0;
}

static int allowed(unsigned int what, const char *asked, const char *real)
{
	return opener_list_allows(&self.list, what, asked, real) ? 0 : -EACCES;
}

/* The folder a name is in: a descriptor, where it leads, and the last part of the name. */
struct place {
	int dir;
	const char *last;
	char real[PATH_MAX]; /* the whole name, links in its folders followed */
};

static int find_place(const char *path, struct place *p)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	size_t len;
	int rc;

	p->last = slash ? slash + 1 : path;
	if (!*p->last || !strcmp(p->last, ".") || !strcmp(p->last, ".."))
		return -EINVAL;
	if (slash) {
		len = slash == path ? 1 : (size_t)(slash - path);
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	p->dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return -errno;
	rc = name_of(p->dir, p->real);
	len = strlen(p->real);
	if (!rc && len + strlen(p->last) + 2 > PATH_MAX)
		rc = -ENAMETOOLONG;
	if (rc) {
		close(p->dir);
		return rc;
	}
	if (p->real[len - 1] != '/')
		p->real[len++] = '/';
	strcpy(p->real + len, p->last);
	return 0;
}

/* A name that is not there yet, or that is itself what is changed. */
static int find_allowed_place(const char *path, struct place *p)
{
	int rc = find_place(path, p);

	if (rc)
		return rc;
	rc = allowed(HV_ALLOW_WRITE, path, p->real);
	if (rc)
		close(p->dir);
	return rc;
}

/* Something there is, by O_PATH, when it is allowed. */
static int find_file(const char *path, unsigned int what, int flags, struct stat *st)
{
	char real[PATH_MAX];
	int fd = open(path, O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW)), rc;

	if (fd < 0)
		return -errno;
	rc = name_of(fd, real);
	if (!rc)
		rc = allowed(what, path, real);
	if (!rc && fstat(fd, st))
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

static int make_file(const char *path, int flags, mode_t mode)
{
	struct place p;
	int rc = find_allowed_place(path, &p), fd;

	if (rc)
		return rc;
	fd = openat(p.dir, p.last, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode);
	rc = fd < 0 ? -errno : fd;
	close(p.dir);
	return rc;
}

/* Does a file that may be written stand in that folder? Then its name can be made durable. */
static bool holds_allowed(const char *real)
{
	size_t len = strlen(real);

	for (size_t i = 0; i < self.list.n; i++) {
		const struct opener_entry *e = &self.list.entries[i];

		if (e->what & HV_ALLOW_WRITE && e->real && !strncmp(e->real, real, len) &&
		    e->real[len] == '/' && !strchr(e->real + len + 1, '/'))
			return true;
	}
	return false;
}

static int open_folder(const char *path)
{
	char real[PATH_MAX];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = name_of(fd, real);
	if (!rc && !holds_allowed(real))
		rc = allowed(HV_ALLOW_READ, path, real);
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

/*
 * Devices that are no disks, FIFOs and sockets do more than hold bytes. Of those a definition can
 * name input devices, graphics cards and IVC channels.
 */
static bool is_bytes(int fd, const struct stat *st)
{
	char real[PATH_MAX];

	if (S_ISCHR(st->st_mode))
		return !name_of(fd, real) &&
		       (!strncmp(real, "/dev/input/", 11) || !strncmp(real, "/dev/dri/", 9) ||
			!strncmp(real, "/dev/hivc", 9));
	return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode);
}

static int open_path(const char *path, int flags, mode_t mode)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
	char link[40];
	struct stat st;
	int found, fd;

	if (flags & O_DIRECTORY)
		return writes ? -EISDIR : open_folder(path);
	found = find_file(path, writes ? HV_ALLOW_WRITE : HV_ALLOW_READ, flags, &st);
	if (found == -ENOENT && flags & O_CREAT)
		return make_file(path, flags, mode);
	if (found < 0)
		return found;
	if ((flags & O_CREAT && flags & O_EXCL) || !is_bytes(found, &st)) {
		close(found);
		return flags & O_EXCL ? -EEXIST : -EACCES;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	fd = open(link, (flags & ~(O_CREAT | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		fd = -errno;
	close(found);
	return fd;
}

static int stat_path(const char *path, struct opener_reply *reply)
{
	struct stat st;
	int fd = find_file(path, HV_ALLOW_READ, 0, &st);

	if (fd < 0)
		return fd;
	close(fd);
	memcpy(reply->data, &st, sizeof(st));
	reply->len = sizeof(st);
	return 0;
}

static int access_path(const char *path, int mode)
{
	char link[40];
	struct stat st;
	int fd = find_file(path, mode & W_OK ? HV_ALLOW_WRITE : HV_ALLOW_READ, 0, &st), rc;

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	rc = mode & X_OK ? -EACCES : access(link, mode) ? -errno : 0;
	close(fd);
	return rc;
}

static int rename_path(const char *from, const char *to)
{
	struct place a, b;
	int rc = find_allowed_place(from, &a);

	if (rc)
		return rc;
	rc = find_allowed_place(to, &b);
	if (!rc) {
		rc = renameat(a.dir, a.last, b.dir, b.last) ? -errno : 0;
		close(b.dir);
	}
	close(a.dir);
	return rc;
}

static int link_path(const char *target, const char *path)
{
	struct place p;
	int rc = strncmp(target, "/dev/pts/", 9) ? -EACCES : find_allowed_place(path, &p);

	if (rc)
		return rc;
	rc = symlinkat(target, p.dir, p.last) ? -errno : 0;
	close(p.dir);
	return rc;
}

static int unlink_path(const char *path)
{
	struct place p;
	int rc = find_allowed_place(path, &p);

	if (rc)
		return rc;
	rc = unlinkat(p.dir, p.last, 0) ? -errno : 0;
	close(p.dir);
	return rc;
}

/* ---- requests */

static bool is_text(const struct opener_request *r, size_t at, uint32_t len)
{
	return len && len <= PATH_MAX && r->data[at] && !r->data[at + len - 1] &&
	       strlen(r->data + at) + 1 == len;
}

static bool is_sound(const struct opener_request *r, size_t size)
{
	const size_t head = offsetof(struct opener_request, data);

	if (size < head || r->len[0] > sizeof(r->data) || r->len[1] > sizeof(r->data) ||
	    size != head + r->len[0] + r->len[1])
		return false;
	switch (r->verb) {
	case OPENER_SEAL:
		return !r->len[0] && !r->len[1];
	case OPENER_CALL:
		return !r->len[1];
	case OPENER_RENAME:
	case OPENER_SYMLINK:
		return is_text(r, 0, r->len[0]) && is_text(r, r->len[0], r->len[1]);
	case OPENER_ALLOW:
	case OPENER_OPEN:
	case OPENER_STAT:
	case OPENER_ACCESS:
	case OPENER_UNLINK:
		return is_text(r, 0, r->len[0]) && !r->len[1];
	default:
		return false;
	}
}

struct answer {
	struct opener_reply reply;
	int fds[HV_OPENER_FDS];
	unsigned int n_fds;
};

static int call(const struct opener_request *r, struct answer *a)
{
	struct hv_err err = { 0 };
	size_t len = sizeof(a->reply.data);
	int rc = self.call ? self.call(r->data, r->len[0], name_allowed, a->reply.data, &len,
				       a->fds, &a->n_fds, &err)
			   : -ENOSYS;

	a->reply.len = rc ? 0 : (uint32_t)len;
	memcpy(a->reply.message, err.msg, sizeof(err.msg));
	return rc;
}

static int perform(const struct opener_request *r, struct answer *a)
{
	const char *path = r->data, *second = r->data + r->len[0];
	int rc;

	switch (r->verb) {
	case OPENER_SEAL:
		self.sealed = !self.missed;
		return self.missed;
	case OPENER_OPEN:
		rc = open_path(path, r->flags, r->mode);
		if (rc < 0)
			return rc;
		a->fds[a->n_fds++] = rc;
		return 0;
	case OPENER_STAT:
		return stat_path(path, &a->reply);
	case OPENER_ACCESS:
		return access_path(path, r->flags);
	case OPENER_RENAME:
		return rename_path(path, second);
	case OPENER_SYMLINK:
		return link_path(path, second);
	case OPENER_UNLINK:
		return unlink_path(path);
	default:
		return call(r, a);
	}
}

static void answer(int service, const struct opener_request *r)
{
	struct answer a = { 0 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * HV_OPENER_FDS)];
	} control = { 0 };
	struct iovec iov = { &a.reply, sizeof(a.reply) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	a.reply.ret = self.sealed || r->verb == OPENER_SEAL ? perform(r, &a) : -EACCES;
	if (a.n_fds) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * a.n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * a.n_fds);
		memcpy(CMSG_DATA(c), a.fds, sizeof(int) * a.n_fds);
	}
	if (sendmsg(service, &msg, MSG_NOSIGNAL) < 0)
		_exit(0);
	for (unsigned int i = 0; i < a.n_fds; i++)
		close(a.fds[i]);
}

static ssize_t receive(int fd, struct opener_request *r)
{
	ssize_t n;

	do
		n = recv(fd, r, sizeof(*r), 0);
	while (n < 0 && errno == EINTR);
	return n;
}

static void from_service(int service)
{
	static struct opener_request r;
	ssize_t n = receive(service, &r);

	/* It is gone, or it sends what it never would: either way its time is over. */
	if (n <= 0 || !is_sound(&r, (size_t)n))
		_exit(0);
	if (r.verb != OPENER_ALLOW)
		answer(service, &r);
	else if (!self.sealed && !self.missed)
		self.missed = opener_list_add(&self.list, (unsigned int)r.flags, r.data);
}

/*
 * A command of the operator: root, or the user of the service. The kernel says which process it is,
 * so that the service cannot allow itself anything.
 */
static void from_command(int listener, pid_t service)
{
	static struct opener_request r;
	const struct timeval limit = { .tv_sec = 2 };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int32_t ret = 0;
	ssize_t n;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.pid != service &&
	    (peer.uid == geteuid() || peer.uid == 0)) {
		while ((n = receive(fd, &r)) > 0 && is_sound(&r, (size_t)n) && !ret) {
			if (r.verb == OPENER_SEAL)
				break;
			ret = r.verb != OPENER_ALLOW
				      ? -EPROTO
				      : opener_list_add(&self.list, (unsigned int)r.flags, r.data);
		}
		(void)!send(fd, &ret, sizeof(ret), MSG_NOSIGNAL);
	}
	close(fd);
}

_Noreturn void opener_main(int service, int listener, pid_t service_pid, hv_opener_call_fn *fn)
{
	struct pollfd fds[] = {
		{ .fd = service, .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
	};

	self.call = fn;
	prctl(PR_SET_NAME, "hvsh-opener");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)hv_caps_keep(HV_CAPS_OPENER);
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			from_service(service);
		if (fds[1].revents)
			from_command(listener, service_pid);
	}
}
