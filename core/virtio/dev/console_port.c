// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/dev/console_priv.h"

int hv_console_ring_init(struct hv_console_ring *ring, size_t size, struct hv_err *err)
{
	size_t rounded = 256;

	if (size > HV_CONSOLE_BUFFER_MAX)
		return hv_err_set(err, EINVAL, "a buffer of %zu bytes; at most %u", size,
				  HV_CONSOLE_BUFFER_MAX);
	while (rounded < size)
		rounded *= 2;
	ring->bytes = malloc(rounded);
	if (!ring->bytes)
		return hv_err_nomem(err);
	ring->size = rounded;
	return 0;
}

static void ring_copy(const struct hv_console_ring *ring, uint64_t at, void *to, size_t len)
{
	size_t start = (size_t)at & (ring->size - 1), first = ring->size - start;

	if (first > len)
		first = len;
	memcpy(to, ring->bytes + start, first);
	memcpy((uint8_t *)to + first, ring->bytes, len - first);
}

static size_t smaller(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

void hv_console_put(struct hv_console *con)
{
	if (atomic_fetch_sub(&con->refs, 1) > 1)
		return;
	for (unsigned int i = 0; i < con->n_ports; i++) {
		struct hv_console_port *port = &con->ports[i];

		for (unsigned int k = 0; k < HV_POLICY_STREAM_KINDS; k++)
			free(port->piece[k].bytes);
		pthread_mutex_destroy(&port->lock);
		hv_console_log_close(&port->log);
		free(port->out.bytes);
		free(port->in.bytes);
		free(port->name);
	}
	pthread_mutex_destroy(&con->feed);
	free(con->device_name);
	free(con);
}

/* Port's lock held. */
static bool wake(struct hv_console_port *port, unsigned int what)
{
	uint64_t one = 1;
	bool any = false;

	for (struct hv_console_client *c = port->clients; c; c = c->next) {
		if (!(c->wants & what))
			continue;
		c->wants &= ~what;
		any = true;
		if (c->wake >= 0)
			(void)!write(c->wake, &one, sizeof(one));
	}
	return any;
}

void hv_console_port_end(struct hv_console_port *port)
{
	pthread_mutex_lock(&port->lock);
	wake(port, HV_WANT_OUTPUT | HV_WANT_ROOM | HV_WANT_TURN);
	pthread_mutex_unlock(&port->lock);
}

static void announce(struct hv_console *con)
{
	struct hv_vdev *dev = con->dev;

	if (dev && dev->event && !atomic_exchange(&con->announced, true))
		dev->event(dev, HV_EV_INPUT, NULL, dev->event_arg);
}

/* ---- output: from the guest */

/* Of the clients that may be waited for, how much the slowest leaves free. Lock held. */
static size_t room(struct hv_console_port *port, uint64_t now, uint64_t *deadline)
{
	size_t least = port->out.size;
	uint64_t since = port->held ? port->held_since : now;

	for (struct hv_console_client *c = port->clients; c; c = c->next) {
		uint64_t behind = port->out.head - c->cursor, from, until;

		if (!c->patience || c->slipping)
			continue;
		from = c->progress_at > since ? c->progress_at : since;
		if (__builtin_add_overflow(from, c->patience, &until))
			until = UINT64_MAX;
		if (behind >= port->out.size && now >= until) {
			c->slipping = true;
			continue;
		}
		if (behind >= port->out.size && until < *deadline)
			*deadline = until;
		least = smaller(least, behind < port->out.size ? port->out.size - behind : 0);
	}
	if (!least && !port->held)
		port->held_since = now;
	port->held = port->waiting = !least;
	return least;
}

size_t hv_console_port_room(struct hv_console_port *port, uint64_t now, uint64_t *deadline)
{
	size_t free_bytes;

	*deadline = UINT64_MAX;
	pthread_mutex_lock(&port->lock);
	free_bytes = room(port, now, deadline);
	pthread_mutex_unlock(&port->lock);
	return free_bytes;
}

static void log_new(struct hv_console_port *port)
{
	struct hv_console_ring *out = &port->out;
	struct hv_vdev *dev = port->con->dev;
	struct hv_err err = { 0 };

	while (port->log.path && port->logged < out->head) {
		size_t start = (size_t)port->logged & (out->size - 1);
		size_t len = smaller(out->head - port->logged, out->size - start);
		uint64_t missing = port->log.missing;
		int rc = hv_console_log_write(&port->log, out->bytes + start, len, &err);

		port->logged += len;
		if (!dev) {
			if (rc)
				hv_log_error("%s: %s", port->con->device_name, err.msg);
			continue;
		}
		if (rc && !missing)
			hv_vdev_error(dev, "%s; %s", err.msg,
				      port->log.missing ? "the console goes on without it"
							: "it grows on meanwhile");
		if (rc) {
			hv_stat_add(&dev->stats.dropped, port->log.missing - missing);
		} else if (missing) {
			hv_log_warn("%s: its log '%s' can be written again; %" PRIu64
				    " bytes are missing in it",
				    port->con->device_name, port->log.path, missing);
			port->log.missing = 0;
		}
	}
	port->logged = out->head;
}

size_t hv_console_port_add(struct hv_console_port *port, const struct iovec *iov, unsigned int n,
			   size_t off, size_t len, uint64_t now)
{
	struct hv_console_ring *out = &port->out;
	uint64_t deadline = UINT64_MAX;
	size_t start, first;

	if (len > out->size)
		len = out->size;
	/* What the log has not seen is not overwritten. */
	if (port->log.path && out->head - port->logged + len > out->size)
		log_new(port);
	pthread_mutex_lock(&port->lock);
	len = smaller(len, room(port, now, &deadline));
	start = (size_t)out->head & (out->size - 1);
	first = smaller(len, out->size - start);
	hv_iov_read(iov, n, off, out->bytes + start, first);
	hv_iov_read(iov, n, off + first, out->bytes, len - first);
	out->head += len;
	pthread_mutex_unlock(&port->lock);
	return len;
}

void hv_console_port_sync(struct hv_console_port *port)
{
	if (port->said == port->out.head)
		return;
	port->said = port->out.head;
	pthread_mutex_lock(&port->lock);
	wake(port, HV_WANT_OUTPUT);
	pthread_mutex_unlock(&port->lock);
	announce(port->con);
	log_new(port);
}

uint64_t hv_console_drain(struct hv_console *con)
{
	uint64_t deadline = UINT64_MAX;
	unsigned int head = atomic_load_explicit(&con->emergency_head, memory_order_acquire);
	unsigned int tail = atomic_load_explicit(&con->emergency_tail, memory_order_relaxed);

	/* They are put to it by the worker, once the driver is there. */
	if (con->dev && hv_vdev_has_policy(con->dev, HV_POLICY_OUT))
		return 0;
	while (tail != head) {
		unsigned int start = tail % HV_CONSOLE_EMERGENCY;
		struct iovec iov = { .iov_base = con->emergency + start,
				     .iov_len =
					     smaller(head - tail, HV_CONSOLE_EMERGENCY - start) };
		uint64_t now = hv_now();
		size_t n = hv_console_port_room(&con->ports[0], now, &deadline);

		if (n)
			n = hv_console_port_add(&con->ports[0], &iov, 1, 0, iov.iov_len, now);
		if (!n)
			break;
		tail += (unsigned int)n;
		atomic_store_explicit(&con->emergency_tail, tail, memory_order_release);
	}
	hv_console_port_sync(&con->ports[0]);
	return tail == head ? 0 : deadline;
}

static void collect(struct hv_console *con)
{
	if (!con->dev || atomic_load_explicit(&con->emergency_head, memory_order_relaxed) ==
				 atomic_load_explicit(&con->emergency_tail, memory_order_relaxed))
		return;
	/* Who has the lock may wait for a disk; the worker looks again when it has done. */
	if (pthread_mutex_trylock(&con->feed)) {
		hv_vdev_poke(con->dev);
		return;
	}
	hv_console_drain(con);
	pthread_mutex_unlock(&con->feed);
}

void hv_console_collect(struct hv_vdev *dev)
{
	struct hv_console *con = dev->state;

	atomic_store(&con->announced, false);
	collect(con);
}

/* ---- input: to the guest */

bool hv_console_port_typed(struct hv_console_port *port)
{
	bool typed;

	pthread_mutex_lock(&port->lock);
	typed = port->in.head != port->in.tail;
	pthread_mutex_unlock(&port->lock);
	return typed;
}

size_t hv_console_port_take(struct hv_console_port *port, const struct iovec *iov, unsigned int n,
			    size_t len)
{
	struct hv_console_ring *in = &port->in;
	size_t start, first;
	bool any = false;

	pthread_mutex_lock(&port->lock);
	len = smaller(len, in->head - in->tail);
	start = (size_t)in->tail & (in->size - 1);
	first = smaller(len, in->size - start);
	hv_iov_write(iov, n, 0, in->bytes + start, first);
	hv_iov_write(iov, n, first, in->bytes, len - first);
	in->tail += len;
	if (in->head - in->tail <= in->size / 2)
		any = wake(port, HV_WANT_ROOM);
	pthread_mutex_unlock(&port->lock);
	if (any)
		announce(port->con);
	return len;
}

/* ---- clients */

int hv_console_open(struct hv_vdev *dev, unsigned int index,
		    const struct hv_console_client_opts *opts, struct hv_console_client **out,
		    struct hv_err *err)
{
	struct hv_console *con = dev->state;
	struct hv_console_client *client;
	struct hv_console_port *port;

	if (index >= con->n_ports)
		return hv_err_set(err, EINVAL, "%s has no port %u; it has 0 to %u", dev->name,
				  index, con->n_ports - 1);
	client = calloc(1, sizeof(*client));
	if (!client)
		return hv_err_nomem(err);
	port = &con->ports[index];
	client->port = port;
	client->wake = opts->wake;
	client->patience = opts->patience;
	client->progress_at = hv_now();
	snprintf(client->who, sizeof(client->who), "%s", opts->who ? opts->who : "somebody");
	atomic_fetch_add(&con->refs, 1);
	collect(con);
	pthread_mutex_lock(&port->lock);
	client->cursor =
		port->out.head - smaller(opts->back, smaller(port->out.head, port->out.size));
	client->next = port->clients;
	port->clients = client;
	pthread_mutex_unlock(&port->lock);
	*out = client;
	return 0;
}

/* A client has made room or gone: the worker, if it waits for it, looks again. Lock held. */
static bool let_go(struct hv_console_port *port)
{
	bool waiting = port->waiting;

	port->waiting = false;
	return waiting;
}

static void poke(struct hv_console *con)
{
	if (con->dev)
		hv_vdev_poke(con->dev);
}

void hv_console_close(struct hv_console_client *client)
{
	struct hv_console_client **link;
	struct hv_console_port *port;
	bool freed = false, held;

	if (!client)
		return;
	port = client->port;
	pthread_mutex_lock(&port->lock);
	for (link = &port->clients; *link != client; link = &(*link)->next)
		;
	*link = client->next;
	if (port->writer == client) {
		port->writer = NULL;
		freed = wake(port, HV_WANT_TURN);
	}
	held = let_go(port);
	pthread_mutex_unlock(&port->lock);
	if (freed)
		announce(port->con);
	if (held)
		poke(port->con);
	hv_console_put(port->con);
	free(client);
}

ssize_t hv_console_read(struct hv_console_client *client, void *to, size_t len, uint64_t *lost)
{
	struct hv_console_port *port = client->port;
	struct hv_console *con = port->con;
	uint64_t oldest, gone = 0;
	bool held = false;
	size_t n;

	/* Before the look: what comes after it is announced anew. */
	atomic_store(&con->announced, false);
	collect(con);
	pthread_mutex_lock(&port->lock);
	oldest = port->out.head > port->out.size ? port->out.head - port->out.size : 0;
	if (client->cursor < oldest) {
		gone = oldest - client->cursor;
		client->cursor = oldest;
	}
	n = smaller(len, port->out.head - client->cursor);
	ring_copy(&port->out, client->cursor, to, n);
	client->cursor += n;
	if (n && client->patience) {
		client->progress_at = hv_now();
		client->slipping = false;
	}
	if (!n && len)
		client->wants |= HV_WANT_OUTPUT;
	if (n && port->out.head - client->cursor <= port->out.size / 2)
		held = let_go(port);
	pthread_mutex_unlock(&port->lock);
	if (held)
		poke(con);
	if (lost)
		*lost = gone;
	return n || con->dev ? (ssize_t)n : -ENODEV;
}

void hv_console_set_patience(struct hv_console_client *client, uint64_t patience)
{
	struct hv_console_port *port = client->port;
	bool held;

	pthread_mutex_lock(&port->lock);
	client->patience = patience;
	client->progress_at = hv_now();
	client->slipping = false;
	held = let_go(port);
	pthread_mutex_unlock(&port->lock);
	if (held)
		poke(port->con);
}

/* Lock held, somebody else is the writer or nobody. */
static int not_the_writer(const struct hv_console_port *port, int code, struct hv_err *err)
{
	if (!port->writer)
		return hv_err_set(err, code, "%s: nobody has the keyboard; claim it first",
				  port->con->device_name);
	return hv_err_set(err, code, "%s: %s has the keyboard", port->con->device_name,
			  port->writer->who);
}

int hv_console_claim(struct hv_console_client *client, bool force, struct hv_err *err)
{
	struct hv_console_port *port = client->port;
	bool taken = false;
	int rc = 0;

	atomic_store(&port->con->announced, false);
	pthread_mutex_lock(&port->lock);
	if (port->writer && port->writer != client && !force) {
		client->wants |= HV_WANT_TURN;
		rc = not_the_writer(port, EBUSY, err);
	} else {
		/* Who had it may wait for room: that changes nothing for it now but whom it asks.
		 */
		taken = port->writer && port->writer != client && wake(port, HV_WANT_ROOM);
		port->writer = client;
	}
	pthread_mutex_unlock(&port->lock);
	if (taken)
		announce(port->con);
	return rc;
}

void hv_console_release(struct hv_console_client *client)
{
	struct hv_console_port *port = client->port;
	bool any = false;

	pthread_mutex_lock(&port->lock);
	if (port->writer == client) {
		port->writer = NULL;
		any = wake(port, HV_WANT_TURN);
	}
	pthread_mutex_unlock(&port->lock);
	if (any)
		announce(port->con);
}

static size_t free_input(const struct hv_console_port *port)
{
	return port->in.size - (size_t)(port->in.head - port->in.tail);
}

size_t hv_console_room(struct hv_console_client *client)
{
	struct hv_console_port *port = client->port;
	size_t n;

	atomic_store(&port->con->announced, false);
	pthread_mutex_lock(&port->lock);
	n = free_input(port);
	if (!n)
		client->wants |= HV_WANT_ROOM;
	pthread_mutex_unlock(&port->lock);
	return n;
}

ssize_t hv_console_write(struct hv_console_client *client, const void *from, size_t len,
			 struct hv_err *err)
{
	struct hv_console_port *port = client->port;
	struct hv_console_ring *in = &port->in;
	struct hv_console *con = port->con;
	size_t n, start, first;
	int rc;

	if (!con->dev)
		return hv_err_set(err, ENODEV, "%s is gone", con->device_name);
	atomic_store(&con->announced, false);
	pthread_mutex_lock(&port->lock);
	if (port->writer != client) {
		rc = not_the_writer(port, EPERM, err);
		pthread_mutex_unlock(&port->lock);
		return rc;
	}
	n = smaller(len, free_input(port));
	start = (size_t)in->head & (in->size - 1);
	first = smaller(n, in->size - start);
	memcpy(in->bytes + start, from, first);
	memcpy(in->bytes, (const uint8_t *)from + first, n - first);
	in->head += n;
	if (n < len)
		client->wants |= HV_WANT_ROOM;
	pthread_mutex_unlock(&port->lock);
	if (n)
		hv_vdev_poke(con->dev);
	return (ssize_t)n;
}
