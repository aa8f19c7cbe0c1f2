// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "guest/drivers.h"

#define BUFFER 4096u
#define BUFFERS 32
#define RX 0
#define TX 1

static uint64_t buffer(uint64_t first, unsigned int i)
{
	return first + BUFFER * i;
}

/* Tokens are the buffers' numbers; NULL is none. */
static void *token_of(unsigned int i)
{
	return (void *)(uintptr_t)(i + 1);
}

static int offer(struct hv_gconsole *con, unsigned int i)
{
	struct hv_gbuf buf = { buffer(con->in_at, i), BUFFER };

	return hv_gring_add(&con->dev->rings[RX], NULL, 0, &buf, 1, token_of(i));
}

int hv_gconsole_start(struct hv_gconsole *con, struct hv_gdev *dev)
{
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES);

	memset(con, 0, sizeof(*con));
	con->dev = dev;
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = hv_gdev_add_queue(dev, BUFFERS);
	if (rc < 0)
		return rc;
	con->n_in = dev->rings[RX].size;
	con->n_out = dev->rings[TX].size;
	con->in_at = hv_guest_alloc(dev->g, BUFFER * con->n_in, BUFFER);
	con->out_at = hv_guest_alloc(dev->g, BUFFER * con->n_out, BUFFER);
	if (!con->in_at || !con->out_at)
		return -ENOMEM;
	for (unsigned int i = 0; i < con->n_in && rc == 0; i++)
		rc = offer(con, i);
	if (rc == 0)
		rc = hv_gdev_start(dev);
	return rc < 0 ? rc : hv_gdev_kick(dev, RX);
}

/* Takes back what was written out. */
static int collect(struct hv_gconsole *con)
{
	void *token;
	int rc;

	while ((rc = hv_gring_get(&con->dev->rings[TX], &token, NULL)) == 1)
		con->out_busy &= ~(UINT32_C(1) << ((uintptr_t)token - 1));
	return rc;
}

static int free_buffer(struct hv_gconsole *con)
{
	for (;;) {
		int rc = collect(con);

		if (rc < 0)
			return rc;
		for (int i = 0; i < con->n_out; i++)
			if (!(con->out_busy >> i & 1))
				return i;
		rc = hv_gdev_wait(con->dev, TX, HV_GUEST_PATIENCE);
		if (rc <= 0)
			return rc ? rc : -ETIMEDOUT;
	}
}

int hv_gconsole_write(struct hv_gconsole *con, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		uint32_t n = len < BUFFER ? (uint32_t)len : BUFFER;
		int i = free_buffer(con);
		struct hv_gbuf buf;
		int rc;

		if (i < 0)
			return i;
		buf = (struct hv_gbuf){ buffer(con->out_at, (unsigned int)i), n };
		memcpy(hv_guest_at(con->dev->g, buf.addr, n), from, n);
		rc = hv_gring_add(&con->dev->rings[TX], &buf, 1, NULL, 0,
				  token_of((unsigned int)i));
		if (rc == 0)
			rc = hv_gdev_kick(con->dev, TX);
		if (rc < 0)
			return rc;
		con->out_busy |= UINT32_C(1) << i;
		from += n;
		len -= n;
	}
	return 0;
}

int hv_gconsole_read(struct hv_gconsole *con, void *bytes, size_t cap)
{
	uint32_t written;
	void *token;
	unsigned int n;
	int rc;

	if (!con->have) {
		rc = hv_gring_get(&con->dev->rings[RX], &token, &written);
		if (rc <= 0)
			return rc;
		con->have_buf = (unsigned int)((uintptr_t)token - 1);
		con->have_off = 0;
		con->have = written <= BUFFER ? written : 0;
		if (written > BUFFER)
			return -EPROTO;
	}
	n = cap < con->have ? (unsigned int)cap : con->have;
	if (n)
		memcpy(bytes,
		       hv_guest_at(con->dev->g, buffer(con->in_at, con->have_buf) + con->have_off,
				   n),
		       n);
	con->have -= n;
	con->have_off += n;
	if (!con->have) {
		rc = offer(con, con->have_buf);
		if (rc == 0)
			rc = hv_gdev_kick(con->dev, RX);
		if (rc < 0)
			return rc;
	}
	return (int)n;
}
