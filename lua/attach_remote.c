// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/attach_priv.h"

#define ANSWER INT64_C(10000000000) /* ns */

struct remote {
	struct hv_attach attach;
	struct hv_control_client *client;
	struct hv_source *src;
	uint16_t channel; /* 0 = not opened yet */
	size_t granted;	  /* output that may come */
};

static size_t type(void *peer, const void *bytes, size_t len)
{
	struct remote *r = peer;

	return hv_control_send(r->client, r->channel, bytes, len);
}

static void fetch(void *peer, size_t room)
{
	struct remote *r = peer;
	size_t more = room - r->granted;

	/* Not with every byte. */
	if (more < HV_ATTACH_OUTPUT / 2)
		return;
	r->granted += more;
	hv_control_grant(r->client, r->channel, (uint32_t)more);
}

static void resize(void *peer, unsigned int cols, unsigned int rows)
{
	struct remote *r = peer;
	char json[80];
	int n = snprintf(json, sizeof(json), "{\"event\":\"resize\",\"cols\":%u,\"rows\":%u}", cols,
			 rows);

	hv_control_tell(r->client, r->channel, json, (size_t)n);
}

static void flush(void *peer)
{
	static const char json[] = "{\"event\":\"flush\"}";
	struct remote *r = peer;

	hv_control_tell(r->client, r->channel, json, sizeof(json) - 1);
}

static const struct hv_attach_end end = {
	.type = type,
	.fetch = fetch,
	.resize = resize,
	.flush = flush,
};

/* ---- what the service sends */

static void on_event(uint16_t channel, const char *json, size_t len, void *arg)
{
	struct remote *r = arg;
	json_t *root;
	const char *event, *who;

	if (!channel || channel != r->channel)
		return;
	root = json_loadb(json, len, 0, NULL);
	event = json_string_value(json_object_get(root, "event"));
	who = json_string_value(json_object_get(root, "who"));
	if (event && !strcmp(event, "keyboard"))
		hv_attach_keyboard(&r->attach, json_is_true(json_object_get(root, "mine")),
				   who ? who : "");
	else if (event && !strcmp(event, "lost"))
		hv_attach_lost(&r->attach,
			       (uint64_t)json_integer_value(json_object_get(root, "bytes")));
	else if (event && !strcmp(event, "flushed"))
		hv_attach_flushed(&r->attach,
				  (uint64_t)json_integer_value(json_object_get(root, "dropped")));
	json_decref(root);
}

static void on_data(uint16_t channel, const void *bytes, size_t len, void *arg)
{
	struct remote *r = arg;

	if (channel != r->channel)
		return;
	r->granted -= len;
	hv_attach_output(&r->attach, bytes, len);
}

static void on_closed(uint16_t channel, const char *reason, void *arg)
{
	struct remote *r = arg;

	/* Before the reply, it can only be the one that the reply will name. */
	if (!r->channel || channel == r->channel)
		hv_attach_ended(&r->attach, reason);
}

static const struct hv_control_handlers handlers = {
	.event = on_event,
	.data = on_data,
	.closed = on_closed,
};

static void on_socket(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct remote *r = arg;
	struct hv_err err = { 0 };

	(void)fd;
	(void)events;
	if (hv_control_wait(r->client, 0, &err) < 0 && err.code != EINTR)
		hv_attach_failed(&r->attach, &err);
	hv_attach_step(&r->attach);
	hv_fd_set(src, EPOLLIN | (hv_control_unsent(r->client) ? EPOLLOUT : 0u), NULL);
}

/* ---- opening it */

static int read_reply(struct remote *r, const struct hv_buf *reply, struct hv_err *err)
{
	json_t *root = json_loadb(reply->data ? reply->data : "", reply->len, 0, NULL);
	const char *error = json_string_value(json_object_get(root, "error"));
	json_int_t channel = json_integer_value(json_object_get(root, "channel"));
	int rc = 0;

	if (error)
		rc = hv_err_set(err, EREMOTEIO, "%s", error);
	else if (channel < 1 || channel > UINT16_MAX)
		rc = hv_err_set(err, EPROTO, "the service (pid %d) opened no console for %s",
				(int)hv_control_client_pid(r->client), r->attach.name);
	else
		r->channel = (uint16_t)channel;
	json_decref(root);
	return rc;
}

static int ask(struct remote *r, struct hv_err *err)
{
	const struct hv_attach_opts *opts = r->attach.opts;
	uint64_t back = opts->back < INT64_MAX ? opts->back : INT64_MAX;
	json_t *root = json_pack("{s:s,s:s,s:I,s:b,s:b}", "request", "console", "name",
				 r->attach.name, "back", (json_int_t)back, "readonly",
				 opts->readonly, "force", opts->force);
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	struct hv_buf reply = { 0 };
	int rc;

	json_decref(root);
	if (!text)
		return hv_err_set(err, EINVAL, "'%s' is no name of a console", r->attach.name);
	rc = hv_control_call(r->client, text, strlen(text), ANSWER, &reply, err);
	free(text);
	if (!rc)
		rc = read_reply(r, &reply, err);
	hv_buf_free(&reply);
	return rc;
}

int hv_attach_remote(struct hv_control_client *client, const char *name,
		     const struct hv_attach_opts *opts, struct hv_err *err)
{
	struct remote *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return hv_err_nomem(err);
	r->client = client;
	r->attach.name = name;
	r->attach.opts = opts;
	r->attach.end = &end;
	r->attach.peer = r;
	hv_control_set_handlers(client, &handlers, r);
	rc = ask(r, err);
	if (!rc)
		rc = hv_loop_new(&r->attach.loop, err);
	if (!rc)
		rc = hv_loop_add_fd(r->attach.loop, hv_control_client_fd(client), EPOLLIN,
				    on_socket, r, &r->src, err);
	if (!rc)
		rc = hv_attach_run(&r->attach, err);
	hv_control_set_handlers(client, NULL, NULL);
	hv_control_close(client, r->channel, "the client detached");
	hv_loop_free(r->attach.loop);
	free(r);
	return rc;
}
