// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/console_channel.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/dev/console.h"

#define WINDOW (16u << 10) /* bytes a client may be ahead of the guest */
#define CHUNK (32u << 10)
#define PATIENCE UINT64_C(1000000000) /* ns a client may pause before it loses output */

struct console_channel {
	struct hv_channel *ch;
	struct hv_vdev *dev; /* not looked at when the client says that it is gone */
	unsigned int port;
	struct hv_console_client *client;
	int wake;
	struct hv_source *src;
	char *ended;
	bool readonly;
	bool started;	 /* the client listens */
	bool mine;	 /* the keyboard */
	char writer[64]; /* whose it is, when it is not */
	bool say_keyboard, say_flushed;
	uint16_t cols, rows; /* 0 = as the guest has it */
	uint64_t dropped;
	uint32_t granted; /* what the client may still send; with what waits in typed, at most
			     WINDOW */
	size_t n_typed;
	char typed[WINDOW];
};

static bool gone(const struct console_channel *cc)
{
	char none;

	return hv_console_read(cc->client, &none, 0, NULL) == -ENODEV;
}

/* ---- the keyboard */

static void set_mine(struct console_channel *cc, bool mine, const char *writer)
{
	if (cc->mine == mine && (mine || !strcmp(cc->writer, writer)))
		return;
	cc->mine = mine;
	snprintf(cc->writer, sizeof(cc->writer), "%s", writer);
	cc->say_keyboard = true;
}

static void look_whose(struct console_channel *cc, bool force)
{
	struct hv_console_info info;

	if (!cc->readonly && !hv_console_claim(cc->client, force, NULL))
		set_mine(cc, true, "");
	else if (!hv_console_port_info(cc->dev, cc->port, &info))
		set_mine(cc, false, info.writer);
}

static void type(struct console_channel *cc)
{
	ssize_t n = -EPERM;

	if (!cc->n_typed)
		return;
	if (cc->mine)
		n = hv_console_write(cc->client, cc->typed, cc->n_typed, NULL);
	if (n < 0) {
		cc->dropped += cc->n_typed;
		n = (ssize_t)cc->n_typed;
	}
	cc->n_typed -= (size_t)n;
	memmove(cc->typed, cc->typed + n, cc->n_typed);
}

static void grant(struct console_channel *cc)
{
	uint32_t more = WINDOW - cc->granted - (uint32_t)cc->n_typed;

	/* Not with every key. */
	if (!cc->mine || more < WINDOW / 2)
		return;
	cc->granted += more;
	hv_channel_grant(cc->ch, more);
}

static void resize(struct console_channel *cc)
{
	if (!cc->mine || !cc->cols)
		return;
	hv_console_resize(cc->dev, cc->port, cc->cols, cc->rows, NULL);
	cc->cols = cc->rows = 0;
}

/* ---- events */

__attribute__((format(printf, 2, 3))) static bool say(struct console_channel *cc, const char *fmt,
						      ...)
{
	char json[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(json, sizeof(json), fmt, ap);
	va_end(ap);
	return !hv_channel_event(cc->ch, json, (size_t)n, NULL);
}

static bool say_keyboard(struct console_channel *cc)
{
	json_t *root;
	char *text;
	bool said;

	if (cc->mine)
		return say(cc, "{\"event\":\"keyboard\",\"mine\":true}");
	root = json_pack("{s:s,s:b,s:s}", "event", "keyboard", "mine", 0, "who", cc->writer);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	said = text && !hv_channel_event(cc->ch, text, strlen(text), NULL);
	free(text);
	return said;
}

static void say_what_is_due(struct console_channel *cc)
{
	if (cc->say_keyboard && say_keyboard(cc))
		cc->say_keyboard = false;
	if (cc->say_flushed && !cc->n_typed &&
	    say(cc, "{\"event\":\"flushed\",\"dropped\":%" PRIu64 "}", cc->dropped)) {
		cc->say_flushed = false;
		cc->dropped = 0;
	}
}

/* ---- output */

static void destroy(struct console_channel *cc)
{
	hv_source_remove(cc->src);
	hv_console_close(cc->client);
	if (cc->wake >= 0)
		close(cc->wake);
	free(cc->ended);
	free(cc);
}

/* Frees cc when the device has ended and all of its output is sent. */
static void show(struct console_channel *cc)
{
	char chunk[CHUNK];
	uint64_t lost;
	size_t room;
	ssize_t n;

	/* Ends with the client's credit at the latest, which grows in other rounds only. */
	while ((room = hv_channel_room(cc->ch))) {
		n = hv_console_read(cc->client, chunk, room < CHUNK ? room : CHUNK, &lost);
		if (lost)
			say(cc, "{\"event\":\"lost\",\"bytes\":%" PRIu64 "}", lost);
		if (n == -ENODEV) {
			hv_channel_close(cc->ch, cc->ended);
			destroy(cc);
			return;
		}
		if (n <= 0)
			return;
		hv_channel_send(cc->ch, chunk, (size_t)n);
	}
}

/* All that can be done now. May free cc. */
static void step(struct console_channel *cc, bool force)
{
	if (!cc->started)
		return;
	if (gone(cc)) {
		cc->dropped += cc->n_typed;
		cc->n_typed = 0;
		cc->mine = false;
	} else {
		look_whose(cc, force);
		type(cc);
		grant(cc);
		resize(cc);
	}
	say_what_is_due(cc);
	show(cc);
}

static void on_wake(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	uint64_t count;

	(void)src;
	(void)events;
	(void)!read(fd, &count, sizeof(count));
	step(arg, false);
}

/* ---- from the client */

static void on_data(struct hv_channel *ch, const void *bytes, size_t len, void *arg)
{
	struct console_channel *cc = arg;

	(void)ch;
	/* The server lets through what was granted, and that much is free. */
	memcpy(cc->typed + cc->n_typed, bytes, len);
	cc->n_typed += len;
	cc->granted -= (uint32_t)len;
	step(cc, false);
}

static void on_room(struct hv_channel *ch, void *arg)
{
	struct console_channel *cc = arg;

	(void)ch;
	cc->started = true;
	step(cc, false);
}

static void on_event(struct hv_channel *ch, const char *json, size_t len, void *arg)
{
	struct console_channel *cc = arg;
	json_t *root = json_loadb(json, len, 0, NULL);
	const char *event = json_string_value(json_object_get(root, "event"));
	bool take = false;

	(void)ch;
	if (event && !strcmp(event, "resize")) {
		json_int_t cols = json_integer_value(json_object_get(root, "cols"));
		json_int_t rows = json_integer_value(json_object_get(root, "rows"));

		if (cols > 0 && cols <= UINT16_MAX && rows > 0 && rows <= UINT16_MAX) {
			cc->cols = (uint16_t)cols;
			cc->rows = (uint16_t)rows;
		}
	} else if (event && !strcmp(event, "take")) {
		take = !cc->readonly;
	} else if (event && !strcmp(event, "flush")) {
		cc->say_flushed = true;
	}
	json_decref(root);
	step(cc, take);
}

static void on_closed(struct hv_channel *ch, const char *reason, void *arg)
{
	struct console_channel *cc = arg;

	(void)ch;
	(void)reason;
	destroy(cc);
}

static const struct hv_channel_ops ops = {
	.data = on_data,
	.room = on_room,
	.event = on_event,
	.closed = on_closed,
};

static int open_client(struct console_channel *cc, const struct hv_console_channel_opts *opts,
		       pid_t pid, struct hv_err *err)
{
	struct hv_console_client_opts client = { .back = opts->back, .patience = PATIENCE };
	char who[64];
	int rc;

	cc->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cc->wake < 0)
		return hv_err_sys(err, errno, "making a descriptor for a console");
	snprintf(who, sizeof(who), "hvsh console (pid %d)", (int)pid);
	client.who = opts->who ? opts->who : who;
	client.wake = cc->wake;
	rc = opts->ended ? !(cc->ended = strdup(opts->ended))
			 : asprintf(&cc->ended, "%s is gone", cc->dev->name) < 0;
	if (rc) {
		cc->ended = NULL;
		return hv_err_nomem(err);
	}
	return hv_console_open(cc->dev, cc->port, &client, &cc->client, err);
}

int hv_console_channel_open(struct hv_control_conn *conn, struct hv_vdev *dev, unsigned int port,
			    const struct hv_console_channel_opts *opts, struct hv_err *err)
{
	struct console_channel *cc = calloc(1, sizeof(*cc));
	int rc;

	if (!cc)
		return hv_err_nomem(err);
	cc->dev = dev;
	cc->port = port;
	cc->readonly = opts->readonly;
	cc->say_keyboard = true;
	rc = open_client(cc, opts, hv_control_conn_pid(conn), err);
	if (!rc)
		rc = hv_loop_add_fd(hv_control_conn_loop(conn), cc->wake, EPOLLIN, on_wake, cc,
				    &cc->src, err);
	if (!rc)
		rc = hv_channel_open(conn, &ops, cc, &cc->ch, err);
	if (rc) {
		destroy(cc);
		return rc;
	}
	look_whose(cc, opts->force && !opts->readonly);
	return hv_channel_number(cc->ch);
}
