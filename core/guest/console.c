// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "guest/drivers.h"

#define BUFFER 4096u
#define BUFFERS 32

int hv_gconsole_start(struct hv_gconsole *con, struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES);

	memset(con, 0, sizeof(*con));
	return rc < 0 ? rc : hv_gpair_start(&con->pair, dev, BUFFER, BUFFERS);
}

int hv_gconsole_write(struct hv_gconsole *con, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		uint32_t n = len < BUFFER ? (uint32_t)len : BUFFER;
		int i = hv_gpair_take(&con->pair), rc;

		if (i < 0)
			return i;
		memcpy(hv_gpair_out(&con->pair, i), from, n);
		rc = hv_gpair_send(&con->pair, i, n);
		if (rc < 0)
			return rc;
		from += n;
		len -= n;
	}
	return 0;
}

int hv_gconsole_read(struct hv_gconsole *con, void *bytes, size_t cap)
{
	unsigned int n;
	int rc;

	if (!con->have) {
		rc = hv_gpair_get(&con->pair, &con->have_buf, &con->have);
		if (rc <= 0) {
			con->have = 0;
			return rc;
		}
		con->have_off = 0;
	}
	n = cap < con->have ? (unsigned int)cap : con->have;
	if (n)
		memcpy(bytes, hv_gpair_in(&con->pair, con->have_buf) + con->have_off, n);
	con->have -= n;
	con->have_off += n;
	if (!con->have) {
		rc = hv_gpair_give_back(&con->pair, con->have_buf);
		if (rc < 0)
			return rc;
	}
	return (int)n;
}
