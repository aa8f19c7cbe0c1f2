// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/pair.h"

#include <errno.h>
#include <string.h>

#include "guest/drivers.h"

#define RX 0
#define TX 1

/* Tokens are the buffers' numbers; NULL is none. */
static void *token_of(unsigned int i)
{
	return (void *)(uintptr_t)(i + 1);
}

static unsigned int number_of(const void *token)
{
	return (unsigned int)((uintptr_t)token - 1);
}

static int offer(struct hv_gpair *pair, unsigned int i)
{
	struct hv_gbuf buf = { pair->in_at + (uint64_t)pair->size * i, pair->size };

	return hv_gring_add(&pair->dev->rings[RX], NULL, 0, &buf, 1, token_of(i));
}

int hv_gpair_start(struct hv_gpair *pair, struct hv_gdev *dev, uint32_t size, uint16_t n)
{
	int rc = 0;

	*pair = (struct hv_gpair){ .dev = dev, .size = size };
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = hv_gdev_add_queue(dev, n);
	if (rc < 0)
		return rc;
	pair->n_in = dev->rings[RX].size;
	pair->n_out = dev->rings[TX].size;
	pair->in_at = hv_guest_alloc(dev->g, (uint64_t)size * pair->n_in, size);
	pair->out_at = hv_guest_alloc(dev->g, (uint64_t)size * pair->n_out, size);
	if (!pair->in_at || !pair->out_at)
		return -ENOMEM;
	for (unsigned int i = 0; i < pair->n_in && rc == 0; i++)
		rc = offer(pair, i);
	if (rc == 0)
		rc = hv_gdev_start(dev);
	return rc < 0 ? rc : hv_gdev_kick(dev, RX);
}

int hv_gpair_get(struct hv_gpair *pair, unsigned int *i, uint32_t *len)
{
	void *token;
	int rc = hv_gring_get(&pair->dev->rings[RX], &token, len);

	if (rc <= 0)
		return rc;
	*i = number_of(token);
	return *len <= pair->size ? 1 : -EPROTO;
}

uint8_t *hv_gpair_in(const struct hv_gpair *pair, unsigned int i)
{
	return hv_guest_at(pair->dev->g, pair->in_at + (uint64_t)pair->size * i, pair->size);
}

int hv_gpair_give_back(struct hv_gpair *pair, unsigned int i)
{
	int rc = offer(pair, i);

	return rc < 0 ? rc : hv_gdev_kick(pair->dev, RX);
}

int hv_gpair_take(struct hv_gpair *pair)
{
	for (;;) {
		void *token;
		int rc;

		while ((rc = hv_gring_get(&pair->dev->rings[TX], &token, NULL)) == 1)
			pair->out_busy &= ~(UINT64_C(1) << number_of(token));
		if (rc < 0)
			return rc;
		for (int i = 0; i < pair->n_out; i++)
			if (!(pair->out_busy >> i & 1))
				return i;
		rc = hv_gdev_wait(pair->dev, TX, HV_GUEST_PATIENCE);
		if (rc <= 0)
			return rc ? rc : -ETIMEDOUT;
	}
}

uint8_t *hv_gpair_out(const struct hv_gpair *pair, int i)
{
	return hv_guest_at(pair->dev->g, pair->out_at + (uint64_t)pair->size * (unsigned int)i,
			   pair->size);
}

int hv_gpair_send(struct hv_gpair *pair, int i, uint32_t len)
{
	struct hv_gbuf buf = { pair->out_at + (uint64_t)pair->size * (unsigned int)i, len };
	int rc = hv_gring_add(&pair->dev->rings[TX], &buf, 1, NULL, 0, token_of((unsigned int)i));

	if (rc < 0)
		return rc;
	pair->out_busy |= UINT64_C(1) << i;
	return hv_gdev_kick(pair->dev, TX);
}
