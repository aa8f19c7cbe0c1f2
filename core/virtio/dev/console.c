// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/console.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/console_priv.h"

#define QUEUE_SIZE 256
#define CONTROL_SIZE 64

/* One port's turn in one direction: then the others', and the guest hears of what is done. */
#define TURN_BYTES 65536
#define TURN_CHAINS 256

/* ---- the worker */

/* Part of the chain at hand, or all of it. Returns how much of it; 0 = not now. */
static size_t send_part(struct hv_console_port *port, struct hv_worker *w, size_t most)
{
	struct hv_vdev *dev = port->con->dev;
	size_t len = port->chain.out_len - port->chain_off, room;
	uint64_t now = hv_now(), when;

	room = hv_console_port_room(port, now, &when);
	if (!room) {
		hv_worker_wake(w, when);
		return 0;
	}
	if (len > room)
		len = room;
	if (len > most)
		len = most;
	when = hv_limit_take(&dev->limit, !port->chain_off, len, now);
	if (when) {
		hv_worker_wake(w, when);
		return 0;
	}
	return hv_console_port_add(port, port->chain.iov, port->chain.n_out, port->chain_off, len,
				   now);
}

/* Guest → output. */
static int send(struct hv_console_port *port, struct hv_worker *w)
{
	struct hv_vdev *dev = port->con->dev;
	struct hv_vq *vq = &dev->queues[hv_console_q_in(port->index) + 1];
	size_t budget = TURN_BYTES;
	int done = 0;

	vq->quiet = !port->index && hv_console_policy_emergency(port->con, w);
	for (int chains = 0; budget && !vq->quiet && chains < TURN_CHAINS; chains++) {
		if (!port->sending) {
			if (hv_queue_pop(&vq->ring, &port->chain) <= 0)
				break;
			port->sending = true;
			port->chain_off = hv_queue_noted(&vq->ring, port->chain.head);
			if (port->chain_off >= port->chain.out_len)
				port->chain_off = 0;
			port->begun = hv_now();
		}
		if (port->chain.out_len) {
			size_t n = hv_console_policy_minds(port, w, HV_POLICY_OUT)
					   ? hv_console_policy_send(port, w, budget)
					   : send_part(port, w, budget);

			if (!n) {
				vq->quiet = true;
				break;
			}
			port->chain_off += n;
			budget -= n < budget ? n : budget;
			hv_stat_add(&dev->stats.write_bytes, n);
		}
		done++;
		if (port->chain_off < port->chain.out_len)
			continue;
		hv_queue_push(&vq->ring, port->chain.head, 0);
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_latency(&dev->stats, hv_now() - port->begun, 1);
		port->sending = false;
	}
	hv_console_port_sync(port);
	hv_queue_note(&vq->ring, port->chain.head, port->sending ? (uint32_t)port->chain_off : 0);
	hv_vq_flush(vq);
	return done;
}

/* Input → guest. */
static int receive(struct hv_console_port *port, struct hv_worker *w)
{
	struct hv_vdev *dev = port->con->dev;
	struct hv_vq *vq = &dev->queues[hv_console_q_in(port->index)];
	bool multiport = hv_vdev_has(dev, VIRTIO_CONSOLE_F_MULTIPORT);
	size_t budget = TURN_BYTES;
	struct hv_chain chain;
	int done = 0;

	/* Linux throws away what comes before a program has opened a port. */
	if (multiport && !atomic_load(&port->guest_open)) {
		vq->quiet = true;
		return 0;
	}
	while (budget && done < TURN_CHAINS) {
		size_t n;

		if (hv_console_policy_minds(port, w, HV_POLICY_IN)) {
			if (!hv_console_policy_receive(port, w, vq, TURN_CHAINS, &done))
				break;
			continue;
		}
		vq->quiet = !hv_console_port_typed(port);
		if (vq->quiet || hv_queue_pop(&vq->ring, &chain) <= 0)
			break;
		n = chain.in_len < budget ? chain.in_len : budget;
		n = hv_console_port_take(port, chain.iov + chain.n_out, chain.n_in, n);
		hv_queue_push(&vq->ring, chain.head, (uint32_t)n);
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_add(&dev->stats.read_bytes, n);
		budget -= n;
		done++;
	}
	hv_vq_flush(vq);
	return done;
}

static int console_start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct hv_console *con = dev->state;

	(void)w;
	(void)err;
	for (unsigned int i = 0; i < con->n_ports; i++) {
		struct hv_console_port *port = &con->ports[i];
		unsigned int in = hv_console_q_in(i);
		const struct hv_queue *q;

		if (in + 1 >= dev->n_queues)
			break;
		/* A chain half taken goes on if its queue does; a new queue has none out. */
		q = &dev->queues[in + 1].ring;
		if (!q->size || q->last_avail == q->used_idx)
			port->sending = false;
		if (!port->sending)
			hv_console_policy_forget(port);
	}
	if (!hv_vdev_has(dev, VIRTIO_CONSOLE_F_MULTIPORT))
		atomic_store(&con->ports[0].guest_open, true);
	return 0;
}

static int console_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_console *con = dev->state;
	bool multiport = hv_vdev_has(dev, VIRTIO_CONSOLE_F_MULTIPORT);
	int done = 0;

	pthread_mutex_lock(&con->feed);
	w->wake_at = hv_console_drain(con);
	hv_console_policy_turn(con, w);
	if (multiport)
		done += hv_console_control(con);
	for (unsigned int i = 0; i < (multiport ? con->n_ports : 1); i++) {
		done += send(&con->ports[i], w);
		done += receive(&con->ports[i], w);
	}
	done += hv_console_policy_end(con, w);
	pthread_mutex_unlock(&con->feed);
	return done;
}

static void console_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_console *con = dev->state;
	bool ends = hv_vdev_ending(dev);

	hv_console_policy_stop(con, w, ends);
	/* When one queue of several ends, what was agreed about the ports stays. */
	if (ends)
		hv_console_control_reset(con);
}

/* ---- registers: bridge thread */

static void console_config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	struct hv_console *con = dev->state;
	uint32_t geometry = atomic_load(&con->ports[0].geometry);
	struct virtio_console_config config = {
		.cols = htole16((uint16_t)(geometry >> 16)),
		.rows = htole16((uint16_t)geometry),
		.max_nr_ports = htole32(con->n_ports),
	};

	memcpy(to, (const uint8_t *)&config + off, len);
}

/* Device lock held. A byte for each port, and what is to be said of it. */
struct kept {
	uint8_t ports[HV_CONSOLE_PORTS][2];
};

enum { KEPT_READY = 1, KEPT_OPEN = 2 };

static void keep(struct hv_vdev *dev, void *to)
{
	struct hv_console *con = dev->state;
	struct kept kept = { 0 };

	for (unsigned int i = 0; con && i < con->n_ports; i++) {
		struct hv_console_port *port = &con->ports[i];

		kept.ports[i][0] = (uint8_t)((atomic_load(&port->guest_ready) ? KEPT_READY : 0) |
					     (atomic_load(&port->guest_open) ? KEPT_OPEN : 0));
		/* In the order in which the worker takes them from the one to the other. */
		kept.ports[i][1] = (uint8_t)atomic_load(&port->to_say);
		kept.ports[i][1] |= (uint8_t)atomic_load(&port->saying);
	}
	memcpy(to, &kept, sizeof(kept));
}

static void restore(struct hv_vdev *dev, const void *from)
{
	struct hv_console *con = dev->state;
	struct kept kept;

	memcpy(&kept, from, sizeof(kept));
	for (unsigned int i = 0; i < con->n_ports; i++) {
		struct hv_console_port *port = &con->ports[i];

		atomic_store(&port->guest_ready, (kept.ports[i][0] & KEPT_READY) != 0);
		atomic_store(&port->guest_open, (kept.ports[i][0] & KEPT_OPEN) != 0);
		atomic_store(&port->to_say, kept.ports[i][1] & HV_SAY_ALL);
	}
}

/* The emergency register is there before the driver is ready, and takes one byte at a time. */
static void console_config_write(struct hv_vdev *dev, unsigned int off, const void *from,
				 unsigned int len)
{
	struct hv_console *con = dev->state;
	unsigned int head = atomic_load_explicit(&con->emergency_head, memory_order_relaxed);
	unsigned int tail = atomic_load_explicit(&con->emergency_tail, memory_order_acquire);

	if (off != offsetof(struct virtio_console_config, emerg_wr) || !len)
		return;
	if (head - tail == HV_CONSOLE_EMERGENCY) {
		hv_stat_add(&dev->stats.dropped, 1);
		return;
	}
	con->emergency[head % HV_CONSOLE_EMERGENCY] = *(const uint8_t *)from;
	atomic_store_explicit(&con->emergency_head, head + 1, memory_order_release);
	hv_stat_add(&dev->stats.write_bytes, 1);
	hv_vdev_poke(dev);
	if (dev->event && !atomic_exchange(&con->announced, true))
		dev->event(dev, HV_EV_INPUT, NULL, dev->event_arg);
}

/* ---- main thread */

static void console_destroy(struct hv_vdev *dev)
{
	struct hv_console *con = dev->state;

	if (!con)
		return;
	hv_console_pty_free(con->pty);
	con->dev = NULL;
	pthread_mutex_lock(&con->feed);
	for (struct hv_console_client *c = con->ports[0].clients; c; c = c->next)
		hv_console_set_patience(c, 0);
	hv_console_drain(con);
	pthread_mutex_unlock(&con->feed);
	for (unsigned int i = 0; i < con->n_ports; i++) {
		hv_console_log_close(&con->ports[i].log);
		hv_console_port_end(&con->ports[i]);
	}
	hv_console_put(con);
	dev->state = NULL;
}

static const struct hv_vdev_ops console_ops = {
	.type = "console",
	.device_id = VIRTIO_ID_CONSOLE,
	.config_size = sizeof(struct virtio_console_config),
	.config_read = console_config_read,
	.config_write = console_config_write,
	.start = console_start,
	.work = console_work,
	.stop = console_stop,
	.keeps = true,
	.kept_size = sizeof(struct kept),
	.keep = keep,
	.restore = restore,
	.destroy = console_destroy,
};

static int check_ports(const struct hv_console_port_opts *ports, unsigned int n, struct hv_err *err)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct hv_console_port_opts *o = &ports[i];

		if (o->name && (!*o->name || strlen(o->name) > HV_CONSOLE_NAME_MAX))
			return hv_err_set(err, EINVAL, "port %u: a name has 1 to %d bytes", i,
					  HV_CONSOLE_NAME_MAX);
		for (unsigned int j = 0; o->name && j < i; j++)
			if (ports[j].name && !strcmp(o->name, ports[j].name))
				return hv_err_set(err, EINVAL,
						  "ports %u and %u have the same name '%s'", j, i,
						  o->name);
		if (o->pty_link && !o->pty)
			return hv_err_set(err, EINVAL, "port %u: a link '%s' to a pty, but no pty",
					  i, o->pty_link);
		if (o->log_keep > HV_CONSOLE_LOG_KEEP_MAX)
			return hv_err_set(err, EINVAL, "port %u: %u old logs; at most %d", i,
					  o->log_keep, HV_CONSOLE_LOG_KEEP_MAX);
	}
	return 0;
}

static int init_port(struct hv_console *con, unsigned int index,
		     const struct hv_console_port_opts *o, struct hv_err *err)
{
	struct hv_console_port *port = &con->ports[index];
	int rc;

	port->con = con;
	port->index = index;
	port->data = o->data;
	atomic_store(&port->geometry, (uint32_t)o->cols << 16 | o->rows);
	pthread_mutex_init(&port->lock, NULL);
	con->n_ports = index + 1;
	if (o->name && !(port->name = strdup(o->name)))
		return hv_err_nomem(err);
	rc = hv_console_ring_init(&port->out, o->output ? o->output : HV_CONSOLE_OUTPUT, err);
	if (!rc)
		rc = hv_console_ring_init(&port->in, o->input ? o->input : HV_CONSOLE_INPUT, err);
	if (!rc && o->log)
		rc = hv_console_log_open(&port->log, o->log, o->log_max, o->log_keep, err);
	if (!rc && o->pty && !con->pty)
		rc = hv_console_pty_new(con, &con->pty, err);
	if (!rc && o->pty)
		rc = hv_console_pty_add(con->pty, index, o->pty_link, err);
	return rc;
}

static int init_vdev(struct hv_vdev *dev, const char *name, struct hv_console *con,
		     struct hv_err *err)
{
	uint16_t max[HV_VDEV_QUEUES];
	unsigned int n = con->multiport ? 2 * con->n_ports + 2 : 2;
	uint64_t offered =
		HV_FEATURE(VIRTIO_CONSOLE_F_SIZE) | HV_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE);
	int rc;

	if (con->multiport)
		offered |= HV_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT);
	for (unsigned int i = 0; i < n; i++)
		max[i] = i == HV_CONSOLE_Q_CONTROL_IN || i == HV_CONSOLE_Q_CONTROL_OUT
				 ? CONTROL_SIZE
				 : QUEUE_SIZE;
	rc = hv_vdev_init(dev, &console_ops, name, n, max, NULL, offered, err);
	/* Of each pair the first is to the guest. */
	for (unsigned int i = 0; !rc && i < n; i += 2)
		dev->queues[i].stock = true;
	return rc;
}

int hv_console_init(struct hv_vdev *dev, const char *name, const struct hv_console_opts *opts,
		    struct hv_err *err)
{
	static const struct hv_console_port_opts plain;
	const struct hv_console_port_opts *ports = opts->ports ? opts->ports : &plain;
	unsigned int n = opts->ports ? opts->n_ports : 1;
	struct hv_console *con;
	int rc;

	if (!n || n > HV_CONSOLE_PORTS)
		return hv_err_set(err, EINVAL, "%s: %u ports; a console has 1 to %d", name, n,
				  HV_CONSOLE_PORTS);
	rc = check_ports(ports, n, err);
	if (rc) {
		hv_err_prefix(err, "%s: ", name);
		return rc;
	}
	con = calloc(1, sizeof(*con));
	if (!con)
		return hv_err_nomem(err);
	atomic_store(&con->refs, 1);
	pthread_mutex_init(&con->feed, NULL);
	con->multiport = n > 1 || ports[0].name || ports[0].data;
	con->device_name = strdup(name);
	rc = con->device_name ? 0 : hv_err_nomem(err);
	for (unsigned int i = 0; !rc && i < n; i++)
		rc = init_port(con, i, &ports[i], err);
	if (rc)
		hv_err_prefix(err, "%s: ", name);
	if (!rc)
		rc = init_vdev(dev, name, con, err);
	if (rc) {
		hv_console_pty_free(con->pty);
		hv_console_put(con);
		return rc;
	}
	con->dev = dev;
	dev->state = con;
	dev->origin = opts->origin;
	rc = con->pty ? hv_console_pty_start(con->pty, err) : 0;
	if (rc) {
		hv_err_prefix(err, "%s: ", name);
		hv_vdev_destroy(dev);
	}
	return rc;
}

int hv_console_resize(struct hv_vdev *dev, unsigned int index, uint16_t cols, uint16_t rows,
		      struct hv_err *err)
{
	struct hv_console *con = dev->state;
	struct hv_console_port *port;

	if (index >= con->n_ports)
		return hv_err_set(err, EINVAL, "%s has no port %u; it has 0 to %u", dev->name,
				  index, con->n_ports - 1);
	port = &con->ports[index];
	if (!index)
		hv_vdev_config_begin(dev);
	atomic_store(&port->geometry, (uint32_t)cols << 16 | rows);
	if (!index)
		hv_vdev_config_end(dev);
	atomic_fetch_or(&port->to_say, HV_SAY_SIZE);
	hv_vdev_poke(dev);
	return 0;
}

int hv_console_find(struct hv_vdev *dev, const char *name)
{
	struct hv_console *con = dev->state;

	for (unsigned int i = 0; i < con->n_ports; i++)
		if (con->ports[i].name && !strcmp(con->ports[i].name, name))
			return (int)i;
	return -ENOENT;
}

unsigned int hv_console_ports(struct hv_vdev *dev)
{
	return ((struct hv_console *)dev->state)->n_ports;
}

int hv_console_port_info(struct hv_vdev *dev, unsigned int index, struct hv_console_info *info)
{
	struct hv_console *con = dev->state;
	struct hv_console_port *port;
	uint32_t geometry;

	if (index >= con->n_ports)
		return -EINVAL;
	port = &con->ports[index];
	geometry = atomic_load(&port->geometry);
	*info = (struct hv_console_info){
		.name = port->name,
		.log = port->log.path,
		.pty = con->pty ? hv_console_pty_path(con->pty, index) : NULL,
		.data = port->data,
		.guest_open = atomic_load(&port->guest_open),
		.cols = (uint16_t)(geometry >> 16),
		.rows = (uint16_t)geometry,
	};
	pthread_mutex_lock(&port->lock);
	info->output = port->out.head;
	info->input = (size_t)(port->in.head - port->in.tail);
	for (const struct hv_console_client *c = port->clients; c; c = c->next)
		info->clients++;
	if (port->writer)
		memcpy(info->writer, port->writer->who, sizeof(info->writer));
	pthread_mutex_unlock(&port->lock);
	return 0;
}
