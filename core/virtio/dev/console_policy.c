// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/console_priv.h"
#include "virtio/device.h"

/* When memory is short nobody says that there is some again. */
#define RETRY_NS UINT64_C(10000000)

/* The cookie of a piece is where it is. */
static struct hv_console_port *port_of(struct hv_console *con, const struct hv_console_piece *piece,
				       enum hv_policy_stream *kind)
{
	for (unsigned int i = 0; i < con->n_ports; i++)
		for (unsigned int k = 0; k < HV_POLICY_STREAM_KINDS; k++)
			if (piece == &con->ports[i].piece[k]) {
				*kind = (enum hv_policy_stream)k;
				return &con->ports[i];
			}
	return NULL;
}

static void deny(struct hv_console_port *port, struct hv_console_piece *piece)
{
	hv_stat_add(&port->con->dev->stats.dropped, piece->len);
	piece->len = 0;
	piece->state = HV_PIECE_ALLOWED;
}

static void decide(struct hv_console_port *port, struct hv_console_piece *piece,
		   enum hv_verdict verdict)
{
	switch (verdict) {
	case HV_VERDICT_GO:
		piece->state = HV_PIECE_ALLOWED;
		break;
	case HV_VERDICT_DENY:
		deny(port, piece);
		break;
	case HV_VERDICT_WAIT:
		piece->state = HV_PIECE_ASKED;
		break;
	case HV_VERDICT_STALL:
		piece->state = HV_PIECE_UNASKED;
		break;
	}
}

static void ask(struct hv_console_port *port, struct hv_worker *w, enum hv_policy_stream kind)
{
	struct hv_console_piece *piece = &port->piece[kind];
	const struct hv_question question = {
		.kind = kind,
		.at = port->index,
		.size = piece->len,
		.data = piece->bytes,
		.len = piece->len,
		.room = 2 * HV_CONSOLE_PIECE,
	};

	if (hv_vdev_policy_changed(w->dev, w))
		piece->state = HV_PIECE_UNASKED;
	else if (hv_policy_concerns(w, kind, 0, piece->len))
		decide(port, piece, hv_policy_ask(w, &question, piece));
	else
		piece->state = HV_PIECE_ALLOWED;
}

/* NULL: the worker looks again soon; until then the bytes stay where they are. */
static uint8_t *make_room(struct hv_worker *w, size_t len)
{
	uint8_t *bytes = malloc(len ? len : 1);

	if (bytes)
		return bytes;
	hv_worker_wake(w, hv_now() + RETRY_NS);
	hv_vdev_warn(w->dev, "not enough memory for what its policy decides about: it waits");
	return NULL;
}

/* Makes a piece of these bytes, which are its own from now on, and asks. */
static void add(struct hv_console_port *port, struct hv_worker *w, enum hv_policy_stream kind,
		uint8_t *bytes, size_t len)
{
	port->piece[kind] = (struct hv_console_piece){ .from = len, .len = len, .bytes = bytes };
	ask(port, w, kind);
}

static bool ready(const struct hv_console_piece *piece)
{
	return piece->state == HV_PIECE_ALLOWED && (!piece->due || piece->due <= hv_now());
}

static void done_with(struct hv_console_piece *piece)
{
	free(piece->bytes);
	*piece = (struct hv_console_piece){ 0 };
}

/* ---- output */

/* What is left of the piece. Whether it is all there. */
static bool send_piece(struct hv_console_port *port, struct hv_worker *w)
{
	struct hv_console_piece *piece = &port->piece[HV_POLICY_OUT];

	if (!ready(piece))
		return false;
	while (piece->off < piece->len) {
		struct iovec iov = { piece->bytes + piece->off, piece->len - piece->off };
		uint64_t now = hv_now(), when;
		size_t n = hv_console_port_room(port, now, &when);

		if (n)
			n = hv_console_port_add(port, &iov, 1, 0, iov.iov_len, now);
		if (!n) {
			hv_worker_wake(w, when);
			return false;
		}
		piece->off += n;
	}
	done_with(piece);
	return true;
}

size_t hv_console_policy_send(struct hv_console_port *port, struct hv_worker *w, size_t most)
{
	struct hv_console_piece *piece = &port->piece[HV_POLICY_OUT];
	size_t len = port->chain.out_len - port->chain_off, from;
	uint8_t *bytes;
	uint64_t when;

	if (!piece->state) {
		if (len > most)
			len = most;
		if (len > HV_CONSOLE_PIECE)
			len = HV_CONSOLE_PIECE;
		/* First, so that what has no room now is not counted twice. */
		bytes = make_room(w, len);
		if (!bytes)
			return 0;
		when = hv_limit_take(&w->dev->limit, !port->chain_off, len, hv_now());
		if (when) {
			free(bytes);
			hv_worker_wake(w, when);
			return 0;
		}
		hv_iov_read(port->chain.iov, port->chain.n_out, port->chain_off, bytes, len);
		add(port, w, HV_POLICY_OUT, bytes, len);
	}
	from = piece->from;
	return send_piece(port, w) ? from : 0;
}

void hv_console_policy_forget(struct hv_console_port *port)
{
	if (!port->piece[HV_POLICY_OUT].emergency)
		done_with(&port->piece[HV_POLICY_OUT]);
}

bool hv_console_policy_emergency(struct hv_console *con, struct hv_worker *w)
{
	struct hv_console_port *port = &con->ports[0];
	struct hv_console_piece *piece = &port->piece[HV_POLICY_OUT];
	unsigned int head, tail, start;
	struct iovec iov;
	uint8_t *bytes;

	if (piece->state)
		return piece->emergency && !send_piece(port, w);
	if (!hv_policy_minds(&w->policy, HV_POLICY_OUT))
		return false;
	head = atomic_load_explicit(&con->emergency_head, memory_order_acquire);
	tail = atomic_load_explicit(&con->emergency_tail, memory_order_relaxed);
	if (head == tail)
		return false;
	start = tail % HV_CONSOLE_EMERGENCY;
	iov = (struct iovec){ con->emergency + start, head - tail };
	if (iov.iov_len > HV_CONSOLE_EMERGENCY - start)
		iov.iov_len = HV_CONSOLE_EMERGENCY - start;
	bytes = make_room(w, iov.iov_len);
	if (!bytes)
		return true;
	memcpy(bytes, iov.iov_base, iov.iov_len);
	add(port, w, HV_POLICY_OUT, bytes, iov.iov_len);
	piece->emergency = true;
	atomic_store_explicit(&con->emergency_tail, tail + (unsigned int)iov.iov_len,
			      memory_order_release);
	return piece->state && !send_piece(port, w);
}

/* ---- input */

bool hv_console_policy_receive(struct hv_console_port *port, struct hv_worker *w, struct hv_vq *vq,
			       int most, int *done)
{
	struct hv_console_piece *piece = &port->piece[HV_POLICY_IN];
	struct hv_vdev *dev = port->con->dev;
	struct hv_chain chain;
	size_t n;

	vq->quiet = true;
	if (!piece->state) {
		struct iovec iov = { NULL, HV_CONSOLE_PIECE };

		if (!hv_console_port_typed(port))
			return false;
		iov.iov_base = make_room(w, HV_CONSOLE_PIECE);
		if (!iov.iov_base)
			return false;
		n = hv_console_port_take(port, &iov, 1, HV_CONSOLE_PIECE);
		add(port, w, HV_POLICY_IN, iov.iov_base, n);
	}
	if (!ready(piece))
		return false;
	while (piece->off < piece->len && *done < most) {
		if (hv_queue_pop(&vq->ring, &chain) <= 0) {
			vq->quiet = false;
			return false;
		}
		n = hv_iov_write(chain.iov + chain.n_out, chain.n_in, 0, piece->bytes + piece->off,
				 piece->len - piece->off);
		hv_queue_push(&vq->ring, chain.head, (uint32_t)n);
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_add(&dev->stats.read_bytes, n);
		piece->off += n;
		(*done)++;
	}
	if (piece->off < piece->len)
		return false;
	done_with(piece);
	return true;
}

/* ---- turns */

void hv_console_policy_turn(struct hv_console *con, struct hv_worker *w)
{
	struct hv_policy_answer answer;
	uint64_t now = w->policy.asked ? hv_now() : 0;

	while (hv_policy_next(w, now, &answer)) {
		struct hv_console_piece *piece = answer.cookie;
		enum hv_policy_stream kind;
		struct hv_console_port *port = port_of(con, piece, &kind);

		decide(port, piece, answer.verdict);
		piece->due = answer.delay_ns ? hv_now() + answer.delay_ns : 0;
		if (answer.data) {
			free(piece->bytes);
			piece->bytes = answer.data;
			piece->len = answer.len;
		}
	}
	for (unsigned int i = 0; i < con->n_ports; i++)
		for (unsigned int k = 0; k < HV_POLICY_STREAM_KINDS; k++)
			if (con->ports[i].piece[k].state == HV_PIECE_UNASKED)
				ask(&con->ports[i], w, (enum hv_policy_stream)k);
}

bool hv_console_policy_end(struct hv_console *con, struct hv_worker *w)
{
	hv_worker_wake(w, hv_policy_deadline(w));
	for (unsigned int i = 0; i < con->n_ports; i++)
		for (unsigned int k = 0; k < HV_POLICY_STREAM_KINDS; k++)
			if (con->ports[i].piece[k].state == HV_PIECE_ALLOWED &&
			    !ready(&con->ports[i].piece[k]))
				hv_worker_wake(w, con->ports[i].piece[k].due);
	/* The old policy's answers may be due yet: they wake us. */
	return hv_vdev_policy_changed(con->dev, w) && !w->policy.asked;
}

void hv_console_policy_stop(struct hv_console *con, struct hv_worker *w, bool ending)
{
	hv_policy_leave(w);
	for (unsigned int i = 0; i < con->n_ports; i++)
		for (unsigned int k = 0; k < HV_POLICY_STREAM_KINDS; k++) {
			struct hv_console_piece *piece = &con->ports[i].piece[k];

			if (ending)
				done_with(piece);
			else if (piece->state == HV_PIECE_ASKED)
				piece->state = HV_PIECE_UNASKED;
		}
}
