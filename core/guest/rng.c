// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "guest/drivers.h"

int hv_grng_start(struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES);

	if (rc == 0)
		rc = hv_gdev_add_queue(dev, 8);
	return rc < 0 ? rc : hv_gdev_start(dev);
}

int hv_grng_read(struct hv_gdev *dev, void *bytes, size_t len)
{
	uint64_t mark = hv_guest_heap_mark(dev->g);
	struct hv_gbuf buf = { hv_guest_alloc(dev->g, len, 8), (uint32_t)len };
	uint8_t *to = bytes;
	int rc = buf.addr ? 0 : -ENOMEM;

	/* A buffer may come back filled in part only. */
	while (rc == 0 && len) {
		uint32_t written = 0;
		void *token;

		buf.len = (uint32_t)len;
		rc = hv_gring_add(&dev->rings[0], NULL, 0, &buf, 1, dev);
		if (rc == 0)
			rc = hv_gdev_kick(dev, 0);
		if (rc < 0)
			break;
		rc = hv_gdev_wait(dev, 0, HV_GUEST_PATIENCE);
		if (rc == 1)
			rc = hv_gring_get(&dev->rings[0], &token, &written);
		else if (rc == 0)
			rc = -ETIMEDOUT;
		if (rc < 0)
			break;
		rc = rc && written && written <= len ? 0 : -EPROTO;
		if (rc < 0)
			break;
		memcpy(to, hv_guest_at(dev->g, buf.addr, written), written);
		to += written;
		len -= written;
	}
	hv_guest_heap_reset(dev->g, mark);
	return rc;
}
