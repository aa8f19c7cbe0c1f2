// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "guest/drivers.h"

#define HEADER 12u /* with num_buffers, as always with VERSION_1 */
#define BUFFER 2048u
#define BUFFERS 64
#define RX 0
#define TX 1

static uint64_t buffer(uint64_t first, unsigned int i)
{
	return first + BUFFER * i;
}

static void *token_of(unsigned int i)
{
	return (void *)(uintptr_t)(i + 1);
}

static int offer(struct hv_gnet *net, unsigned int i)
{
	struct hv_gbuf buf = { buffer(net->in_at, i), BUFFER };

	return hv_gring_add(&net->dev->rings[RX], NULL, 0, &buf, 1, token_of(i));
}

int hv_gnet_start(struct hv_gnet *net, struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES | UINT64_C(1) << VIRTIO_NET_F_MAC);

	memset(net, 0, sizeof(*net));
	net->dev = dev;
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = hv_gdev_add_queue(dev, BUFFERS);
	if (rc < 0)
		return rc;
	if (hv_gdev_has(dev, VIRTIO_NET_F_MAC))
		for (unsigned int i = 0; i < sizeof(net->mac); i++)
			net->mac[i] = (uint8_t)hv_gdev_config(dev, i, 1);
	net->n_in = dev->rings[RX].size;
	net->n_out = dev->rings[TX].size;
	net->in_at = hv_guest_alloc(dev->g, BUFFER * net->n_in, BUFFER);
	net->out_at = hv_guest_alloc(dev->g, BUFFER * net->n_out, BUFFER);
	if (!net->in_at || !net->out_at)
		return -ENOMEM;
	for (unsigned int i = 0; i < net->n_in && rc == 0; i++)
		rc = offer(net, i);
	if (rc == 0)
		rc = hv_gdev_start(dev);
	return rc < 0 ? rc : hv_gdev_kick(dev, RX);
}

static int free_buffer(struct hv_gnet *net)
{
	for (;;) {
		void *token;
		int rc;

		while ((rc = hv_gring_get(&net->dev->rings[TX], &token, NULL)) == 1)
			net->out_busy &= ~(UINT64_C(1) << ((uintptr_t)token - 1));
		if (rc < 0)
			return rc;
		for (int i = 0; i < net->n_out; i++)
			if (!(net->out_busy >> i & 1))
				return i;
		rc = hv_gdev_wait(net->dev, TX, HV_GUEST_PATIENCE);
		if (rc <= 0)
			return rc ? rc : -ETIMEDOUT;
	}
}

int hv_gnet_send(struct hv_gnet *net, const void *frame, size_t len)
{
	struct hv_gbuf buf;
	uint8_t *bytes;
	int i, rc;

	if (!len || len > HV_GNET_FRAME)
		return -EMSGSIZE;
	i = free_buffer(net);
	if (i < 0)
		return i;
	buf = (struct hv_gbuf){ buffer(net->out_at, (unsigned int)i), HEADER + (uint32_t)len };
	bytes = hv_guest_at(net->dev->g, buf.addr, buf.len);
	memset(bytes, 0, HEADER);
	memcpy(bytes + HEADER, frame, len);
	rc = hv_gring_add(&net->dev->rings[TX], &buf, 1, NULL, 0, token_of((unsigned int)i));
	if (rc < 0)
		return rc;
	net->out_busy |= UINT64_C(1) << i;
	net->sent++;
	return hv_gdev_kick(net->dev, TX);
}

int hv_gnet_receive(struct hv_gnet *net, void *frame, size_t cap)
{
	uint32_t written;
	void *token;
	unsigned int i;
	int rc = hv_gring_get(&net->dev->rings[RX], &token, &written);

	if (rc <= 0)
		return rc;
	if (written <= HEADER || written > BUFFER)
		return -EPROTO;
	written -= HEADER;
	i = (unsigned int)((uintptr_t)token - 1);
	if (written < cap)
		cap = written;
	memcpy(frame, hv_guest_at(net->dev->g, buffer(net->in_at, i) + HEADER, cap), cap);
	net->received++;
	rc = offer(net, i);
	if (rc == 0)
		rc = hv_gdev_kick(net->dev, RX);
	return rc < 0 ? rc : (int)cap;
}
