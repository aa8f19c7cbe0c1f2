// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "sandbox/opener.h"
#include "virtio/dev/console_priv.h"

#define CHUNK 4096
#define RETRY_MS 100		      /* what the kernel had no memory for */
#define PATIENCE UINT64_C(1000000000) /* ns that a terminal may pause before it loses output */

/*
 * A pty is a client of its port like any other. While nobody has its other end open the
 * kernel reports a hang-up without end, so it is left alone then, and the next open is heard of
 * through inotify. It types for as long as a read takes and then gives the keyboard back, so that
 * it never keeps others from it; while another one has it, what is typed stays in the terminal.
 */
struct pty {
	int master;
	char *path, *link;
	struct hv_console_client *client;
	bool open;	  /* somebody has the other end */
	bool full;	  /* the terminal does not take more */
	bool again;	  /* what was written last failed, and was tried once more */
	bool refuses;	  /* what was written last failed, and that is said */
	bool unsure;	  /* whether `open` is true: it is looked at again soon */
	bool unwatched;	  /* the kernel did not take `watched`, and that is said */
	bool no_turn;	  /* another one has the keyboard, or the input is full */
	uint32_t watched; /* epoll events, 0 = none */
	size_t n, at;	  /* output that was read and not written yet */
	char chunk[CHUNK];
	size_t n_typed; /* input that was read and not accepted yet */
	char typed[CHUNK];
};

struct hv_console_pty {
	struct hv_console *con;
	pthread_t thread;
	bool running;
	_Atomic bool quit;
	int epoll, inotify, wake;
	struct pty *ports[HV_CONSOLE_PORTS]; /* NULL = has none */
};

int hv_console_pty_new(struct hv_console *con, struct hv_console_pty **out, struct hv_err *err)
{
	struct hv_console_pty *p = calloc(1, sizeof(*p));

	if (!p)
		return hv_err_nomem(err);
	*out = p;
	p->con = con;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll < 0 || p->inotify < 0 || p->wake < 0)
		return hv_err_sys(err, errno, "cannot make the descriptors its pty needs");
	return 0;
}

/* A link of ours, or of one like us that was killed, leads to a pty. */
static bool is_our_link(const char *link, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return path ? !strcmp(target, path) : !strncmp(target, "/dev/pts/", 9);
}

static int make_link(struct pty *pty, const char *link, struct hv_err *err)
{
	if (is_our_link(link, NULL))
		hv_opener_unlink(link);
	if (hv_opener_symlink(pty->path, link) < 0)
		return errno == EEXIST ? hv_err_set(err, EEXIST,
						    "'%s' exists and is not a link to a pty; it "
						    "is left alone",
						    link)
				       : hv_err_sys(err, errno,
						    "cannot make the link '%s' to its pty", link);
	pty->link = strdup(link);
	if (!pty->link) {
		hv_opener_unlink(link);
		return hv_err_nomem(err);
	}
	return 0;
}

/* Bytes pass as they are: the guest does the echoing and the line editing. */
static int make_raw(const char *path, struct hv_err *err)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;
	int rc = 0;

	if (fd < 0)
		return hv_err_sys(err, errno, "cannot open its pty '%s'", path);
	if (tcgetattr(fd, &t) < 0) {
		rc = -errno;
	} else {
		cfmakeraw(&t);
		if (tcsetattr(fd, TCSANOW, &t) < 0)
			rc = -errno;
	}
	close(fd);
	return rc ? hv_err_sys(err, -rc, "cannot set up its pty '%s'", path) : 0;
}

int hv_console_pty_add(struct hv_console_pty *p, unsigned int port, const char *link,
		       struct hv_err *err)
{
	struct pty *pty = calloc(1, sizeof(*pty));
	char path[64];
	int rc;

	if (!pty)
		return hv_err_nomem(err);
	p->ports[port] = pty;
	pty->master = posix_openpt(O_RDWR | O_NOCTTY);
	if (pty->master < 0 || fcntl(pty->master, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(pty->master, F_SETFL, O_RDWR | O_NONBLOCK) < 0 || grantpt(pty->master) < 0 ||
	    unlockpt(pty->master) < 0)
		return hv_err_sys(err, errno, "cannot make a pty");
	rc = ptsname_r(pty->master, path, sizeof(path));
	if (rc)
		return hv_err_sys(err, rc, "cannot make a pty");
	pty->path = strdup(path);
	if (!pty->path)
		return hv_err_nomem(err);
	rc = make_raw(path, err);
	if (rc)
		return rc;
	if (inotify_add_watch(p->inotify, path, IN_OPEN) < 0)
		return hv_err_sys(err, errno, "cannot watch its pty '%s'", path);
	return link ? make_link(pty, link, err) : 0;
}

const char *hv_console_pty_path(const struct hv_console_pty *p, unsigned int port)
{
	return p->ports[port] ? p->ports[port]->path : NULL;
}

/* ---- the thread */

static void look_whether_open(struct pty *pty)
{
	struct pollfd fd = { .fd = pty->master, .events = POLLIN | POLLOUT };
	bool open;
	int rc;

	do {
		rc = poll(&fd, 1, 0);
	} while (rc < 0 && errno == EINTR);
	open = !(fd.revents & POLLHUP);
	pty->unsure = rc < 0;
	if (pty->unsure || open == pty->open)
		return;
	pty->open = open;
	pty->full = pty->no_turn = false;
	/* Output waits only for a terminal that is there. */
	hv_console_set_patience(pty->client, open ? PATIENCE : 0);
}

/* A write has failed. Returns whether to go on. */
static bool refused(struct pty *pty, int error)
{
	look_whether_open(pty);
	/* Closed meanwhile: what is left is for who opens it next. */
	if (!pty->open)
		return false;
	/* Or closed and open again already. */
	if (error == EIO && !pty->again) {
		pty->again = true;
		return true;
	}
	if (!pty->refuses)
		hv_log_warn("%s: %s takes no output: %s; it is lost there",
			    pty->client->port->con->device_name, pty->path, strerror(error));
	pty->refuses = true;
	pty->at = pty->n;
	return true;
}

/* Output → terminal. Returns whether there is more to do at once. */
static bool show(struct pty *pty)
{
	for (int turns = 0; turns < 16; turns++) {
		uint64_t lost;
		ssize_t n;

		if (pty->at == pty->n) {
			n = hv_console_read(pty->client, pty->chunk, sizeof(pty->chunk), &lost);
			/* At most once per patience, or per open. */
			if (lost)
				hv_log_warn("%s: whoever reads %s was too slow: %" PRIu64
					    " bytes of output are lost there",
					    pty->client->port->con->device_name, pty->path, lost);
			if (n <= 0)
				return false;
			pty->n = (size_t)n;
			pty->at = 0;
		}
		n = write(pty->master, pty->chunk + pty->at, pty->n - pty->at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			pty->full = !n || errno == EAGAIN;
			return !pty->full && refused(pty, errno);
		}
		pty->at += (size_t)n;
		pty->refuses = pty->again = false;
	}
	return true;
}

/* Terminal → input. Returns whether there may be more. */
static bool type(struct pty *pty)
{
	ssize_t n = 0;

	if (hv_console_claim(pty->client, false, NULL)) {
		pty->no_turn = true;
		return false;
	}
	if (!pty->n_typed) {
		n = read(pty->master, pty->typed, sizeof(pty->typed));
		pty->n_typed = n > 0 ? (size_t)n : 0;
	}
	if (pty->n_typed) {
		n = hv_console_write(pty->client, pty->typed, pty->n_typed, NULL);
		if (n > 0)
			memmove(pty->typed, pty->typed + n, pty->n_typed - (size_t)n);
		pty->n_typed -= n > 0 ? (size_t)n : 0;
		/* The input is full, or somebody took the keyboard: we are woken. */
		pty->no_turn = pty->n_typed;
	}
	hv_console_release(pty->client);
	return n > 0 && !pty->no_turn;
}

/* Who writes and goes at once is not seen to have it open; what was written is there all the same.
 */
static void type_rest(struct pty *pty)
{
	while (!pty->open && type(pty))
		;
}

/* False: the kernel does not do so now. */
static bool watch(struct hv_console_pty *p, struct pty *pty)
{
	uint32_t events = 0;
	struct epoll_event ev;

	if (pty->open && !pty->no_turn)
		events |= EPOLLIN;
	if (pty->open && pty->full)
		events |= EPOLLOUT;
	/* Even without either, a hang-up is to be noticed. */
	if (pty->open)
		events |= EPOLLRDHUP;
	if (events == pty->watched)
		return true;
	ev = (struct epoll_event){ .events = events, .data = { .ptr = pty } };
	if (!epoll_ctl(p->epoll,
		       !events	      ? EPOLL_CTL_DEL
		       : pty->watched ? EPOLL_CTL_MOD
				      : EPOLL_CTL_ADD,
		       pty->master, &ev)) {
		pty->watched = events;
		pty->unwatched = false;
		return true;
	}
	if (!pty->unwatched)
		hv_log_warn("%s: cannot wait for what is typed at %s: %s; it is tried again",
			    pty->client->port->con->device_name, pty->path, strerror(errno));
	pty->unwatched = true;
	return false;
}

static void handle(struct hv_console_pty *p, const struct epoll_event *ev)
{
	struct pty *pty = ev->data.ptr;
	char opens[4096];
	uint64_t count;

	if (ev->data.ptr == &p->wake) {
		(void)!read(p->wake, &count, sizeof(count));
		for (unsigned int i = 0; i < HV_CONSOLE_PORTS; i++)
			if (p->ports[i]) {
				p->ports[i]->no_turn = false;
				/* What is left of the last read makes no event. */
				if (p->ports[i]->n_typed)
					type(p->ports[i]);
				type_rest(p->ports[i]);
			}
	} else if (ev->data.ptr == &p->inotify) {
		while (read(p->inotify, opens, sizeof(opens)) > 0)
			;
		for (unsigned int i = 0; i < HV_CONSOLE_PORTS; i++)
			if (p->ports[i]) {
				look_whether_open(p->ports[i]);
				type_rest(p->ports[i]);
			}
	} else {
		if (ev->events & EPOLLOUT)
			pty->full = false;
		/* A hang-up comes with what was typed before it. */
		if (!(ev->events & EPOLLIN) || !type(pty))
			if (ev->events & (EPOLLHUP | EPOLLERR))
				look_whether_open(pty);
	}
}

static void *pty_main(void *arg)
{
	struct hv_console_pty *p = arg;
	struct epoll_event ev[HV_CONSOLE_PORTS + 2];
	bool more = false, settled = true, quit;

	do {
		int n = epoll_wait(p->epoll, ev, HV_CONSOLE_PORTS + 2,
				   more	     ? 0
				   : settled ? -1
					     : RETRY_MS);

		quit = atomic_load(&p->quit);
		for (int i = 0; i < n; i++)
			handle(p, &ev[i]);
		more = false;
		settled = true;
		for (unsigned int i = 0; i < HV_CONSOLE_PORTS; i++) {
			struct pty *pty = p->ports[i];

			if (!pty)
				continue;
			if (pty->unsure)
				look_whether_open(pty);
			if (pty->open && !pty->full)
				more |= show(pty);
			settled &= watch(p, pty) && !pty->unsure;
		}
		/* At the end terminals get what they can take at once. */
	} while (!quit || more);
	return NULL;
}

int hv_console_pty_start(struct hv_console_pty *p, struct hv_err *err)
{
	struct epoll_event wake = { .events = EPOLLIN, .data = { .ptr = &p->wake } };
	struct epoll_event opens = { .events = EPOLLIN, .data = { .ptr = &p->inotify } };
	struct hv_console_client_opts opts = { .who = "the pty",
					       .back = HV_CONSOLE_ALL,
					       .wake = p->wake };
	int rc = 0;

	for (unsigned int i = 0; !rc && i < HV_CONSOLE_PORTS; i++) {
		char who[80];

		if (!p->ports[i])
			continue;
		snprintf(who, sizeof(who), "whoever types at %s", p->ports[i]->path);
		opts.who = who;
		rc = hv_console_open(p->con->dev, i, &opts, &p->ports[i]->client, err);
	}
	if (rc)
		return rc;
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &wake) < 0 ||
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->inotify, &opens) < 0)
		return hv_err_sys(err, errno, "cannot watch the descriptors of its pty");
	rc = hv_thread_start(&p->thread, pty_main, p, "console-pty");
	if (rc < 0)
		return hv_err_sys(err, -rc, "cannot start the thread of its pty");
	p->running = true;
	return 0;
}

static void pty_free(struct pty *pty)
{
	hv_console_close(pty->client);
	if (pty->link && is_our_link(pty->link, pty->path))
		hv_opener_unlink(pty->link);
	if (pty->master >= 0)
		close(pty->master);
	free(pty->path);
	free(pty->link);
	free(pty);
}

void hv_console_pty_free(struct hv_console_pty *p)
{
	uint64_t one = 1;

	if (!p)
		return;
	if (p->running) {
		atomic_store(&p->quit, true);
		(void)!write(p->wake, &one, sizeof(one));
		pthread_join(p->thread, NULL);
	}
	for (unsigned int i = 0; i < HV_CONSOLE_PORTS; i++)
		if (p->ports[i])
			pty_free(p->ports[i]);
	if (p->wake >= 0)
		close(p->wake);
	if (p->inotify >= 0)
		close(p->inotify);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p);
}
