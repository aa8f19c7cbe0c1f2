// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/ring.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/barrier.h"

int hv_gring_init(struct hv_gring *ring, struct hv_guest *g, uint16_t size, bool indirect,
		  bool event_idx)
{
	memset(ring, 0, sizeof(*ring));
	ring->g = g;
	ring->size = size;
	ring->indirect = indirect;
	ring->event_idx = event_idx;
	ring->desc_at = hv_guest_alloc(g, 16u * size, 16);
	ring->avail_at = hv_guest_alloc(g, 6 + 2u * size, 2);
	ring->used_at = hv_guest_alloc(g, 6 + 8u * size, 4);
	if (indirect)
		ring->tables_at = hv_guest_alloc(g, 16u * HV_GRING_SEGMENTS * size, 16);
	ring->tokens = calloc(size, sizeof(ring->tokens[0]));
	ring->lengths = calloc(size, sizeof(ring->lengths[0]));
	if (!ring->desc_at || !ring->avail_at || !ring->used_at || (indirect && !ring->tables_at) ||
	    !ring->tokens || !ring->lengths) {
		hv_gring_free(ring);
		return -ENOMEM;
	}
	ring->desc = hv_guest_at(g, ring->desc_at, 16u * size);
	ring->avail = hv_guest_at(g, ring->avail_at, 6 + 2u * size);
	ring->used = hv_guest_at(g, ring->used_at, 6 + 8u * size);
	for (uint16_t i = 0; i < size; i++)
		ring->desc[i].next = htole16((uint16_t)(i + 1));
	ring->n_free = size;
	return 0;
}

void hv_gring_free(struct hv_gring *ring)
{
	free(ring->tokens);
	free(ring->lengths);
	ring->tokens = NULL;
	ring->lengths = NULL;
}

static void describe(struct vring_desc *d, const struct hv_gbuf *buf, uint16_t flags)
{
	d->addr = htole64(buf->addr);
	d->len = htole32(buf->len);
	d->flags = htole16(flags);
}

static const struct hv_gbuf *part(const struct hv_gbuf *out, unsigned int n_out,
				  const struct hv_gbuf *in, unsigned int i)
{
	return i < n_out ? &out[i] : &in[i - n_out];
}

static uint16_t flags_of(unsigned int i, unsigned int n_out, unsigned int n)
{
	return (uint16_t)((i >= n_out ? VRING_DESC_F_WRITE : 0) |
			  (i + 1 < n ? VRING_DESC_F_NEXT : 0));
}

static void fill_table(struct hv_gring *ring, uint16_t head, const struct hv_gbuf *out,
		       unsigned int n_out, const struct hv_gbuf *in, unsigned int n)
{
	struct hv_gbuf table = { ring->tables_at + 16u * HV_GRING_SEGMENTS * head, 16 * n };
	struct vring_desc *d = hv_guest_at(ring->g, table.addr, table.len);

	for (unsigned int i = 0; i < n; i++) {
		describe(&d[i], part(out, n_out, in, i), flags_of(i, n_out, n));
		d[i].next = htole16((uint16_t)(i + 1));
	}
	describe(&ring->desc[head], &table, VRING_DESC_F_INDIRECT);
}

static uint16_t next_of(const struct hv_gring *ring, uint16_t i)
{
	return le16toh(ring->desc[i].next);
}

int hv_gring_add(struct hv_gring *ring, const struct hv_gbuf *out, unsigned int n_out,
		 const struct hv_gbuf *in, unsigned int n_in, void *token)
{
	unsigned int n = n_out + n_in;
	bool indirect = ring->indirect && n > 1;
	unsigned int used = indirect ? 1 : n;
	uint16_t head = ring->free_head, last = head;

	if (!n || n > (indirect ? HV_GRING_SEGMENTS : ring->size))
		return -EINVAL;
	if (used > ring->n_free)
		return -ENOSPC;
	if (indirect) {
		fill_table(ring, head, out, n_out, in, n);
	} else {
		for (unsigned int i = 0; i < n; i++) {
			last = i ? next_of(ring, last) : head;
			describe(&ring->desc[last], part(out, n_out, in, i), flags_of(i, n_out, n));
		}
	}
	ring->free_head = next_of(ring, last);
	ring->n_free = (uint16_t)(ring->n_free - used);
	ring->tokens[head] = token;
	ring->lengths[head] = (uint16_t)used;
	ring->avail->ring[ring->avail_idx & (ring->size - 1)] = htole16(head);
	ring->avail_idx++;
	return 0;
}

static uint16_t *avail_event(const struct hv_gring *ring)
{
	return (uint16_t *)&ring->used->ring[ring->size];
}

bool hv_gring_publish(struct hv_gring *ring)
{
	uint16_t old = ring->kicked, event;

	__atomic_store_n(&ring->avail->idx, htole16(ring->avail_idx), __ATOMIC_RELEASE);
	/* The index before the look at what the device wants (2.7.13.4). */
	hv_full_barrier();
	ring->kicked = ring->avail_idx;
	if (ring->avail_idx == old)
		return false;
	if (!ring->event_idx)
		return !(le16toh(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED)) &
			 VRING_USED_F_NO_NOTIFY);
	event = le16toh(__atomic_load_n(avail_event(ring), __ATOMIC_RELAXED));
	return vring_need_event(event, ring->avail_idx, old);
}

static void give_back(struct hv_gring *ring, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < ring->lengths[head]; i++)
		last = next_of(ring, last);
	ring->desc[last].next = htole16(ring->free_head);
	ring->free_head = head;
	ring->n_free = (uint16_t)(ring->n_free + ring->lengths[head]);
	ring->tokens[head] = NULL;
}

int hv_gring_get(struct hv_gring *ring, void **token, uint32_t *written)
{
	uint16_t idx = le16toh(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE));
	struct vring_used_elem elem;
	uint32_t id;

	if (idx == ring->last_used)
		return 0;
	elem = ring->used->ring[ring->last_used & (ring->size - 1)];
	id = le32toh(elem.id);
	if ((uint16_t)(idx - ring->last_used) > ring->size || id >= ring->size || !ring->tokens[id])
		return -EPROTO;
	*token = ring->tokens[id];
	if (written)
		*written = le32toh(elem.len);
	give_back(ring, (uint16_t)id);
	ring->last_used++;
	return 1;
}

static uint16_t *used_event(const struct hv_gring *ring)
{
	return &ring->avail->ring[ring->size];
}

bool hv_gring_listen(struct hv_gring *ring)
{
	if (ring->event_idx)
		__atomic_store_n(used_event(ring), htole16(ring->last_used), __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->avail->flags, 0, __ATOMIC_RELAXED);
	/* What came before the device could see that is found here. */
	hv_full_barrier();
	return le16toh(__atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE)) != ring->last_used;
}

void hv_gring_mute(struct hv_gring *ring)
{
	if (ring->event_idx)
		__atomic_store_n(used_event(ring), htole16((uint16_t)(ring->last_used - 1)),
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->avail->flags, htole16(VRING_AVAIL_F_NO_INTERRUPT),
				 __ATOMIC_RELAXED);
}
