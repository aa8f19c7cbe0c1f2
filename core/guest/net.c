// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>

#include "guest/drivers.h"

#define HEADER 12u /* with num_buffers, as always with VERSION_1 */
#define BUFFER 2048u
#define BUFFERS 64

int hv_gnet_start(struct hv_gnet *net, struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES | UINT64_C(1) << VIRTIO_NET_F_MAC);

	memset(net, 0, sizeof(*net));
	if (rc < 0)
		return rc;
	if (hv_gdev_has(dev, VIRTIO_NET_F_MAC))
		for (unsigned int i = 0; i < sizeof(net->mac); i++)
			net->mac[i] = (uint8_t)hv_gdev_config(dev, i, 1);
	return hv_gpair_start(&net->pair, dev, BUFFER, BUFFERS);
}

int hv_gnet_send(struct hv_gnet *net, const void *frame, size_t len)
{
	uint8_t *bytes;
	int i, rc;

	if (!len || len > HV_GNET_FRAME)
		return -EMSGSIZE;
	i = hv_gpair_take(&net->pair);
	if (i < 0)
		return i;
	bytes = hv_gpair_out(&net->pair, i);
	memset(bytes, 0, HEADER);
	memcpy(bytes + HEADER, frame, len);
	rc = hv_gpair_send(&net->pair, i, HEADER + (uint32_t)len);
	if (rc == 0)
		net->sent++;
	return rc;
}

int hv_gnet_receive(struct hv_gnet *net, void *frame, size_t cap)
{
	unsigned int i;
	uint32_t len;
	int rc = hv_gpair_get(&net->pair, &i, &len);

	if (rc <= 0)
		return rc;
	if (len <= HEADER)
		return -EPROTO;
	if (len - HEADER < cap)
		cap = len - HEADER;
	memcpy(frame, hv_gpair_in(&net->pair, i) + HEADER, cap);
	net->received++;
	rc = hv_gpair_give_back(&net->pair, i);
	return rc < 0 ? rc : (int)cap;
}
