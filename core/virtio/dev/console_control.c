// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <linux/virtio_console.h>
#include <string.h>

#include "virtio/dev/console_priv.h"

/*
 * The control queues of MULTIPORT (5.3.6.2). What is to be said is a set of bits per port, so that
 * neither a guest that asks without end nor one that never listens costs memory.
 */
#define TURN 64 /* messages each way */

static struct hv_console_port *port_of(struct hv_console *con, uint32_t id)
{
	return id < con->n_ports ? &con->ports[id] : NULL;
}

static void say(struct hv_console_port *port, unsigned int what)
{
	atomic_fetch_or(&port->to_say, what);
}

void hv_console_control_reset(struct hv_console *con)
{
	for (unsigned int i = 0; i < con->n_ports; i++) {
		atomic_store(&con->ports[i].to_say, 0);
		atomic_store(&con->ports[i].saying, 0);
		atomic_store(&con->ports[i].guest_ready, false);
		atomic_store(&con->ports[i].guest_open, false);
	}
}

static void port_ready(struct hv_console_port *port, bool ready)
{
	atomic_store(&port->guest_ready, ready);
	if (!ready) {
		atomic_store(&port->guest_open, false);
		hv_vdev_warn(port->con->dev, "the guest has no use for port %u", port->index);
		return;
	}
	if (!port->data)
		say(port, HV_SAY_CONSOLE);
	if (port->name)
		say(port, HV_SAY_NAME);
	say(port, HV_SAY_OPEN | HV_SAY_SIZE);
}

static void hear(struct hv_console *con, const struct virtio_console_control *msg)
{
	uint32_t id = le32toh(msg->id);
	unsigned int event = le16toh(msg->event), value = le16toh(msg->value);
	struct hv_console_port *port = port_of(con, id);

	if (event == VIRTIO_CONSOLE_DEVICE_READY) {
		if (!value)
			hv_vdev_warn(con->dev, "the guest's driver could not set itself up");
		for (unsigned int i = 0; value && i < con->n_ports; i++)
			say(&con->ports[i], HV_SAY_ADD);
	} else if (!port) {
		hv_vdev_warn(con->dev, "the guest speaks of port %u, which it does not have", id);
	} else if (event == VIRTIO_CONSOLE_PORT_READY) {
		port_ready(port, value);
	} else if (event == VIRTIO_CONSOLE_PORT_OPEN) {
		atomic_store(&port->guest_open, value != 0);
	} else {
		hv_vdev_warn(con->dev, "the guest sent a control message of unknown kind %u",
			     event);
	}
}

static int listen(struct hv_console *con)
{
	struct hv_vq *vq = &con->dev->queues[HV_CONSOLE_Q_CONTROL_OUT];
	struct virtio_console_control msg;
	struct hv_chain chain;
	int n = 0;

	while (n < TURN && hv_queue_pop(&vq->ring, &chain) > 0) {
		if (hv_iov_read(chain.iov, chain.n_out, 0, &msg, sizeof(msg)) == sizeof(msg))
			hear(con, &msg);
		else
			hv_vdev_warn(con->dev, "the guest sent a control message cut short");
		hv_queue_push(&vq->ring, chain.head, 0);
		n++;
	}
	if (n)
		hv_vdev_kept(con->dev);
	hv_vq_flush(vq);
	return n;
}

struct message {
	struct virtio_console_control head;
	uint8_t more[256];
} __attribute__((packed));

static const uint16_t event_of[] = {
	VIRTIO_CONSOLE_PORT_ADD,  VIRTIO_CONSOLE_CONSOLE_PORT, VIRTIO_CONSOLE_PORT_NAME,
	VIRTIO_CONSOLE_PORT_OPEN, VIRTIO_CONSOLE_RESIZE,
};

static size_t compose(const struct hv_console_port *port, unsigned int what, struct message *m)
{
	uint32_t geometry = atomic_load(&port->geometry);
	uint16_t size[2] = { htole16((uint16_t)(geometry >> 16)), htole16((uint16_t)geometry) };
	size_t more = 0;

	m->head = (struct virtio_console_control){
		.id = htole32(port->index),
		.event = htole16(event_of[__builtin_ctz(what)]),
		.value = htole16(1),
	};
	if (what == HV_SAY_NAME) {
		more = strnlen(port->name, sizeof(m->more));
		memcpy(m->more, port->name, more);
	} else if (what == HV_SAY_SIZE) {
		/* Columns first (5.3.6.2); Linux before 6.15 takes them for rows. */
		more = sizeof(size);
		memcpy(m->more, size, more);
	}
	return sizeof(m->head) + more;
}

/* What may be said to this port's driver now, the first of it; 0 = nothing. */
static unsigned int due(struct hv_console *con, struct hv_console_port *port)
{
	unsigned int what = atomic_load(&port->to_say);

	if (!hv_vdev_has(con->dev, VIRTIO_CONSOLE_F_SIZE))
		what &= ~(unsigned int)HV_SAY_SIZE;
	if (!atomic_load(&port->guest_ready))
		what &= HV_SAY_ADD;
	return what & -what;
}

/* Until now the next process would have said it as well: a driver that hears it twice does nothing.
 */
static void shown(struct hv_console *con)
{
	for (unsigned int i = 0; i < con->n_ports; i++)
		atomic_store(&con->ports[i].saying, 0);
	hv_vdev_kept(con->dev);
}

static int speak(struct hv_console *con)
{
	struct hv_vq *vq = &con->dev->queues[HV_CONSOLE_Q_CONTROL_IN];
	struct hv_chain chain;
	struct message m;
	int n = 0;

	vq->quiet = true;
	for (unsigned int i = 0; i < con->n_ports; i++) {
		struct hv_console_port *port = &con->ports[i];
		unsigned int what;

		while ((what = due(con, port))) {
			size_t len;

			if (n == TURN || hv_queue_pop(&vq->ring, &chain) <= 0) {
				vq->quiet = false;
				goto out;
			}
			n++;
			/* Taken off first: a new size set meanwhile is said again. */
			atomic_fetch_or(&port->saying, what);
			atomic_fetch_and(&port->to_say, ~what);
			len = compose(port, what, &m);
			if (chain.in_len < len) {
				hv_vdev_warn(con->dev,
					     "the guest's buffer of %zu bytes is too "
					     "small for a control message of %zu",
					     chain.in_len, len);
				say(port, what);
				hv_queue_push(&vq->ring, chain.head, 0);
				continue;
			}
			hv_iov_write(chain.iov + chain.n_out, chain.n_in, 0, &m, len);
			hv_queue_push(&vq->ring, chain.head, (uint32_t)len);
		}
	}
out:
	hv_vq_flush(vq);
	if (n)
		shown(con);
	return n;
}

int hv_console_control(struct hv_console *con)
{
	return listen(con) + speak(con);
}
