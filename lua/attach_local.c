// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lua/attach_priv.h"
#include "virtio/dev/console.h"

#define PATIENCE UINT64_C(1000000000) /* ns the terminal may pause before it loses output */

struct local {
	struct hv_attach attach;
	struct hv_vdev *dev; /* not looked at once the console has ended */
	unsigned int port;
	struct hv_console_client *client;
	int wake;
	struct hv_source *src;
	bool known, mine;
	uint16_t cols, rows; /* to be told to the guest; 0 = nothing new */
	char writer[64];
};

static bool gone(const struct local *l)
{
	char none;

	return hv_console_read(l->client, &none, 0, NULL) == -ENODEV;
}

/* The guest has the size of who types. */
static void tell_size(struct local *l)
{
	if (!l->mine || !l->cols || gone(l))
		return;
	hv_console_resize(l->dev, l->port, l->cols, l->rows, NULL);
	l->cols = l->rows = 0;
}

static void look_whose(struct local *l, bool force)
{
	struct hv_console_info info = { .writer = "" };
	bool mine;

	if (gone(l))
		return;
	mine = !l->attach.opts->readonly && !hv_console_claim(l->client, force, NULL);
	if (!mine)
		hv_console_port_info(l->dev, l->port, &info);
	if (l->known && mine == l->mine && (mine || !strcmp(info.writer, l->writer)))
		return;
	l->known = true;
	l->mine = mine;
	snprintf(l->writer, sizeof(l->writer), "%s", info.writer);
	hv_attach_keyboard(&l->attach, mine, info.writer);
	tell_size(l);
}

static size_t type(void *peer, const void *bytes, size_t len)
{
	struct local *l = peer;
	ssize_t n = hv_console_write(l->client, bytes, len, NULL);

	if (n == -EPERM)
		look_whose(l, false);
	return n > 0 ? (size_t)n : 0;
}

static void fetch(void *peer, size_t room)
{
	struct local *l = peer;
	char bytes[HV_ATTACH_OUTPUT];
	uint64_t lost, one = 1;
	ssize_t n;

	if (!l->known)
		look_whose(l, l->attach.opts->force);
	do {
		n = hv_console_read(l->client, bytes, room, &lost);
		if (lost)
			hv_attach_lost(&l->attach, lost);
		if (n > 0) {
			hv_attach_output(&l->attach, bytes, (size_t)n);
			room -= (size_t)n;
		}
	} while (n > 0 && room);
	/* Only who has found nothing is woken by what comes next. */
	if (n > 0)
		(void)!write(l->wake, &one, sizeof(one));
	if (n == -ENODEV)
		hv_attach_ended(&l->attach, "the console has ended");
}

static void resize(void *peer, unsigned int cols, unsigned int rows)
{
	struct local *l = peer;

	l->cols = (uint16_t)cols;
	l->rows = (uint16_t)rows;
	tell_size(l);
}

static void flush(void *peer)
{
	struct local *l = peer;

	/* What write took is with the device. */
	hv_attach_flushed(&l->attach, 0);
}

static const struct hv_attach_end end = {
	.type = type,
	.fetch = fetch,
	.resize = resize,
	.flush = flush,
};

static void on_wake(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct local *l = arg;
	uint64_t count;

	(void)src;
	(void)events;
	(void)!read(fd, &count, sizeof(count));
	look_whose(l, false);
	hv_attach_step(&l->attach);
}

int hv_attach_local(struct hv_vdev *dev, unsigned int port, struct hv_loop *loop,
		    const struct hv_attach_opts *opts, struct hv_err *err)
{
	struct local *l = calloc(1, sizeof(*l));
	struct hv_console_client_opts client = { .back = opts->back, .patience = PATIENCE };
	char who[64], *name = strdup(dev->name);
	int rc = 0;

	if (!l || !name) {
		free(l);
		free(name);
		return hv_err_nomem(err);
	}
	l->attach.loop = loop;
	l->attach.name = name;
	l->attach.opts = opts;
	l->attach.end = &end;
	l->attach.peer = l;
	l->dev = dev;
	l->port = port;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake < 0)
		rc = hv_err_sys(err, errno, "making a descriptor for a console");
	snprintf(who, sizeof(who), "the terminal of hvsh (pid %d)", (int)getpid());
	client.who = who;
	client.wake = l->wake;
	if (!rc)
		rc = hv_console_open(dev, port, &client, &l->client, err);
	if (!rc)
		rc = hv_loop_add_fd(loop, l->wake, EPOLLIN, on_wake, l, &l->src, err);
	if (!rc)
		rc = hv_attach_run(&l->attach, err);
	hv_source_remove(l->src);
	hv_console_close(l->client);
	if (l->wake >= 0)
		close(l->wake);
	free(name);
	free(l);
	return rc;
}
