// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/queue.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/barrier.h"
#include "virtio/device.h"

static_assert(sizeof(struct vring_desc) == 16, "descriptor layout");
static_assert(sizeof(struct vring_used_elem) == 8, "used element layout");

/* The event fields lie behind the rings: used_event after avail's entries, avail_event after
 * used's. */
static uint16_t *avail_field(const struct hv_queue *q, unsigned int index)
{
	return (uint16_t *)q->avail + index;
}
#define AVAIL_FLAGS 0
#define AVAIL_IDX 1
#define AVAIL_RING 2

static uint16_t *used_flags(const struct hv_queue *q)
{
	return &((struct vring_used *)q->used)->flags;
}

static uint16_t *used_idx(const struct hv_queue *q)
{
	return &((struct vring_used *)q->used)->idx;
}

static uint16_t *avail_event(const struct hv_queue *q)
{
	return (uint16_t *)((uint8_t *)q->used + 4 + sizeof(struct vring_used_elem) * q->size);
}

static uint16_t load16(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static void store16(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_RELAXED);
}

static uint16_t load_avail_idx(const struct hv_queue *q)
{
	return le16toh(__atomic_load_n(avail_field(q, AVAIL_IDX), __ATOMIC_ACQUIRE));
}

static uint16_t diff(uint16_t to, uint16_t from)
{
	return (uint16_t)(to - from);
}

static int broken(struct hv_queue *q, const char *why)
{
	q->broken = true;
	q->why = why;
	return -EPROTO;
}

static int latch(const struct hv_gmem *mem, const char *what, uint64_t ipa, uint64_t align,
		 uint64_t len, void **host, struct hv_err *err)
{
	if (ipa % align)
		return hv_err_set(err, EINVAL,
				  "the driver put its %s at 0x%" PRIx64
				  ", which is not a multiple of %" PRIu64,
				  what, ipa, align);
	*host = hv_gmem_at(mem, ipa, len);
	if (!*host)
		return hv_err_set(err, EINVAL,
				  "the driver put its %s at 0x%" PRIx64 ", %" PRIu64
				  " bytes, which is not inside one range of the zone's memory",
				  what, ipa, len);
	return 0;
}

int hv_queue_start(struct hv_queue *q, const struct hv_gmem *mem, uint16_t size, uint64_t desc,
		   uint64_t avail, uint64_t used, uint64_t features, uint16_t avail_start,
		   struct hv_err *err)
{
	struct hv_queue new = {
		.mem = mem,
		.size = size,
		.event_idx = features >> HV_F_EVENT_IDX & 1,
		.indirect = features >> HV_F_INDIRECT_DESC & 1,
		.last_avail = avail_start,
		.looked = avail_start,
		.used_idx = avail_start,
		.published = avail_start,
		.signalled = avail_start,
		.notify_on = true,
	};
	int rc;

	if (!size || size > HV_QUEUE_MAX || size & (size - 1))
		return hv_err_set(err, EINVAL,
				  "a queue of %u entries: it must be a power of two up to %d", size,
				  HV_QUEUE_MAX);
	/* The event fields exist also where they are not negotiated (2.7). */
	rc = latch(mem, "descriptor table", desc, 16, 16u * size, &new.desc, err);
	if (!rc)
		rc = latch(mem, "available ring", avail, 2, 6 + 2u * size, &new.avail, err);
	if (!rc)
		rc = latch(mem, "used ring", used, 4, 6 + 8u * size, &new.used, err);
	if (rc)
		return rc;
	new.iov = calloc(size, sizeof(*new.iov));
	if (!new.iov)
		return hv_err_nomem(err);
	*q = new;
	return 0;
}

void hv_queue_leave(struct hv_queue *q)
{
	free(q->iov);
	free(q->heads);
	free(q->owed);
	*q = (struct hv_queue){ 0 };
}

void hv_queue_stop(struct hv_queue *q)
{
	if (q->keep)
		__atomic_store_n(&q->keep->on, 0, __ATOMIC_RELEASE);
	hv_queue_leave(q);
}

/* ---- what outlives the process */

/*
 * Between two stores of one thread: a process that is killed has done all before some point and
 * none after it, so that only the compiler could bring them out of order.
 */
static void then(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

int hv_queue_keep(struct hv_queue *q, struct hv_queue_keep *keep, struct hv_err *err)
{
	if (!keep || !q->size)
		return 0;
	q->heads = calloc(q->size, sizeof(*q->heads));
	if (!q->heads)
		return hv_err_nomem(err);
	__atomic_store_n(&keep->on, 0, __ATOMIC_RELEASE);
	then();
	memset(keep->taken, 0, sizeof(keep->taken));
	memset(keep->done, 0, sizeof(keep->done));
	keep->used = keep->pushed = q->used_idx;
	keep->progress = 0;
	then();
	__atomic_store_n(&keep->on, 1, __ATOMIC_RELEASE);
	q->keep = keep;
	return 0;
}

static void note_taken(struct hv_queue *q, uint16_t head)
{
	if (!++q->order)
		q->order = 1;
	q->keep->taken[head] = q->order;
	q->heads[q->last_avail & (uint16_t)(q->size - 1)] = head;
	then();
}

/* The guest has been shown the completions from `from` on. */
static void note_shown(struct hv_queue_keep *keep, uint16_t size, uint16_t from, uint16_t to)
{
	then();
	for (uint16_t i = from; i != to; i++)
		keep->taken[keep->done[i & (uint16_t)(size - 1)] & (uint16_t)(size - 1)] = 0;
	then();
	keep->used = to;
}

struct owed {
	uint32_t order;
	uint16_t head;
};

static int by_order(const void *a, const void *b)
{
	uint32_t x = ((const struct owed *)a)->order, y = ((const struct owed *)b)->order;

	return x < y ? -1 : x > y;
}

/* The counter may have wrapped: it is counted from half a round before any of them. */
static int list_owed(struct hv_queue *q, const struct hv_queue_keep *keep, struct hv_err *err)
{
	struct owed *list = calloc(q->size, sizeof(*list));
	uint32_t base = 0;

	q->owed = calloc(q->size, sizeof(*q->owed));
	if (!list || !q->owed) {
		free(list);
		return hv_err_nomem(err);
	}
	for (uint16_t head = 0; head < q->size; head++) {
		uint32_t order = keep->taken[head];

		if (!order)
			continue;
		if (!q->n_owed)
			base = order - UINT32_C(0x80000000);
		list[q->n_owed++] = (struct owed){ order - base, head };
	}
	qsort(list, q->n_owed, sizeof(*list), by_order);
	for (uint16_t i = 0; i < q->n_owed; i++)
		q->owed[i] = list[i].head;
	q->order = q->n_owed ? list[q->n_owed - 1].order + base : 0;
	free(list);
	return 0;
}

static int misfit(struct hv_err *err, const char *what)
{
	return hv_err_set(err, ESTALE, "%s: the guest's ring and what is kept of it do not fit",
			  what);
}

/* Sets both indexes from what is kept and what the guest was shown. */
static int find_place(struct hv_queue *q, struct hv_queue_keep *keep, struct hv_err *err)
{
	uint16_t shown = le16toh(__atomic_load_n(used_idx(q), __ATOMIC_ACQUIRE)), ahead;
	uint16_t used = keep->used, pushed = keep->pushed;
	int rc;

	if (diff(pushed, used) > q->size || (shown != used && shown != pushed))
		return misfit(err, "used index");
	if (shown != used)
		note_shown(keep, q->size, used, shown);
	keep->pushed = shown;
	rc = list_owed(q, keep, err);
	if (rc)
		return rc;
	ahead = diff(load_avail_idx(q), shown);
	if (ahead > q->size || q->n_owed > ahead)
		return misfit(err, "available index");
	q->used_idx = q->published = q->signalled = shown;
	q->last_avail = q->looked = (uint16_t)(shown + q->n_owed);
	return 0;
}

int hv_queue_adopt(struct hv_queue *q, const struct hv_gmem *mem, uint16_t size, uint64_t desc,
		   uint64_t avail, uint64_t used, uint64_t features, struct hv_queue_keep *keep,
		   struct hv_err *err)
{
	struct hv_queue new;
	int rc = hv_queue_start(&new, mem, size, desc, avail, used, features, 0, err);

	if (rc)
		return rc;
	new.heads = calloc(size, sizeof(*new.heads));
	rc = new.heads ? find_place(&new, keep, err) : hv_err_nomem(err);
	if (rc) {
		hv_queue_leave(&new);
		return rc;
	}
	new.keep = keep;
	*q = new;
	return 0;
}

void hv_queue_look(struct hv_queue *q)
{
	uint16_t idx;

	if (!q->size || q->broken)
		return;
	idx = load_avail_idx(q);
	if (diff(idx, q->used_idx) > q->size || diff(idx, q->last_avail) > q->size)
		broken(q, "its available index runs ahead by more than the queue holds");
	else
		q->looked = idx;
}

bool hv_queue_is_full(const struct hv_queue *q)
{
	return q->size && !q->broken && diff(load_avail_idx(q), q->published) >= q->size;
}

bool hv_queue_moved(const struct hv_queue *q)
{
	return q->size && !q->broken && load_avail_idx(q) != q->looked;
}

/*
 * The guest may change a descriptor at any time: what is checked must be what is used, so it is
 * copied once and the compiler is kept from fetching it again.
 */
static struct vring_desc fetch(const uint8_t *table, unsigned int index)
{
	struct vring_desc d;

	memcpy(&d, table + sizeof(d) * index, sizeof(d));
	__asm__ volatile("" ::: "memory");
	d.addr = le64toh(d.addr);
	d.len = le32toh(d.len);
	d.flags = le16toh(d.flags);
	d.next = le16toh(d.next);
	return d;
}

static int add_buffer(struct hv_queue *q, struct hv_chain *chain, const struct vring_desc *d)
{
	bool in = d->flags & VRING_DESC_F_WRITE;
	void *host;

	if (!in && chain->n_in)
		return broken(q, "a buffer to read comes after one to write");
	if (!d->len)
		return 0;
	host = hv_gmem_at(q->mem, d->addr, d->len);
	if (!host)
		return broken(q, "a buffer is not inside the zone's memory");
	chain->iov[chain->n_out + chain->n_in] =
		(struct iovec){ .iov_base = host, .iov_len = d->len };
	if (in) {
		chain->n_in++;
		chain->in_len += d->len;
	} else {
		chain->n_out++;
		chain->out_len += d->len;
	}
	return 0;
}

/* Checks an indirect descriptor; the table it names replaces the ring's. */
static int enter_table(struct hv_queue *q, const struct vring_desc *d, const uint8_t **table,
		       unsigned int *entries)
{
	if (!q->indirect)
		return broken(q, "an indirect table, which was not negotiated");
	if (d->flags & VRING_DESC_F_NEXT)
		return broken(q, "an indirect table that is not the end of its chain");
	if (!d->len || d->len % sizeof(*d) || d->len / sizeof(*d) > q->size)
		return broken(q, "an indirect table of a bad length");
	*table = hv_gmem_at(q->mem, d->addr, d->len);
	if (!*table)
		return broken(q, "an indirect table that is not inside the zone's memory");
	*entries = d->len / (unsigned int)sizeof(*d);
	return 0;
}

static int walk(struct hv_queue *q, struct hv_chain *chain)
{
	const uint8_t *table = q->desc;
	unsigned int entries = q->size, index = chain->head, seen = 0;
	bool inside = false;

	for (;;) {
		struct vring_desc d;

		if (index >= entries)
			return broken(q, "a descriptor number beyond its table");
		d = fetch(table, index);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (inside)
				return broken(q, "an indirect table inside another");
			if (enter_table(q, &d, &table, &entries))
				return -EPROTO;
			inside = true;
			index = 0;
			continue;
		}
		if (++seen > q->size)
			return broken(q, "a chain longer than the queue, or a loop");
		if (add_buffer(q, chain, &d))
			return -EPROTO;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 1;
		index = d.next;
	}
}

static int pop_owed(struct hv_queue *q, struct hv_chain *chain)
{
	if (q->broken)
		return -EPROTO;
	*chain = (struct hv_chain){ .head = q->owed[q->next_owed], .iov = q->iov };
	if (walk(q, chain) < 0)
		return -EPROTO;
	q->next_owed++;
	return 1;
}

int hv_queue_pop(struct hv_queue *q, struct hv_chain *chain)
{
	uint16_t slot;

	if (!q->size)
		return 0;
	if (q->next_owed < q->n_owed)
		return pop_owed(q, chain);
	if (q->last_avail == q->looked)
		hv_queue_look(q);
	if (q->broken)
		return -EPROTO;
	if (q->last_avail == q->looked)
		return 0;
	slot = q->last_avail & (uint16_t)(q->size - 1);
	*chain = (struct hv_chain){
		.head = load16(avail_field(q, AVAIL_RING + slot)),
		.iov = q->iov,
	};
	if (walk(q, chain) < 0)
		return -EPROTO;
	if (q->keep)
		note_taken(q, chain->head);
	if (q->owed)
		q->since_owed++;
	q->last_avail++;
	return 1;
}

void hv_queue_unpop(struct hv_queue *q)
{
	if (!q->size || q->last_avail == q->used_idx)
		return;
	if (q->owed && !q->since_owed) {
		/* It stays in flight, as it was adopted. */
		if (q->next_owed)
			q->next_owed--;
		return;
	}
	if (q->owed)
		q->since_owed--;
	q->last_avail--;
	if (q->keep)
		q->keep->taken[q->heads[q->last_avail & (uint16_t)(q->size - 1)]] = 0;
}

bool hv_queue_empty(const struct hv_queue *q)
{
	return !q->size || q->broken ||
	       (q->next_owed == q->n_owed && q->last_avail == q->looked &&
		load_avail_idx(q) == q->last_avail);
}

unsigned int hv_queue_waiting(const struct hv_queue *q)
{
	uint16_t n;

	if (!q->size || q->broken)
		return 0;
	n = (uint16_t)(diff(load_avail_idx(q), q->last_avail) + q->n_owed - q->next_owed);
	return n < q->size ? n : q->size;
}

void hv_queue_push(struct hv_queue *q, uint16_t head, uint32_t written)
{
	struct vring_used *used = q->used;
	uint16_t slot;

	if (!q->size)
		return;
	slot = q->used_idx++ & (uint16_t)(q->size - 1);
	used->ring[slot].id = htole32(head);
	used->ring[slot].len = htole32(written);
	if (q->keep)
		q->keep->done[slot] = head;
}

bool hv_queue_flush(struct hv_queue *q)
{
	uint16_t before, event;
	bool first;

	if (!q->size || q->published == q->used_idx)
		return false;
	if (q->keep) {
		q->keep->pushed = q->used_idx;
		then();
	}
	__atomic_store_n(used_idx(q), htole16(q->used_idx), __ATOMIC_RELEASE);
	if (q->keep)
		note_shown(q->keep, q->size, q->published, q->used_idx);
	q->published = q->used_idx;
	/* The guest says when it wants to be interrupted, then looks at used.idx: the reverse
	 * order. */
	hv_full_barrier();
	if (!q->event_idx)
		return !(load16(avail_field(q, AVAIL_FLAGS)) & VRING_AVAIL_F_NO_INTERRUPT);
	event = load16(avail_field(q, AVAIL_RING + q->size));
	before = q->signalled;
	first = !q->signalled_valid;
	q->signalled = q->used_idx;
	q->signalled_valid = true;
	/* Did used.idx step over the event, anywhere between the last decision and now? */
	return first || diff(diff(q->used_idx, event), 1) < diff(q->used_idx, before);
}

void hv_queue_notify_off(struct hv_queue *q)
{
	if (!q->size || !q->notify_on)
		return;
	q->notify_on = false;
	/* With EVENT_IDX the event stays where it is, and falls behind with the next chain. */
	if (!q->event_idx)
		store16(used_flags(q), VRING_USED_F_NO_NOTIFY);
}

bool hv_queue_notify_on(struct hv_queue *q)
{
	if (!q->size || q->broken)
		return false;
	q->notify_on = true;
	if (q->event_idx)
		store16(avail_event(q), q->looked);
	else
		store16(used_flags(q), 0);
	/* The guest shows its chains, then looks whether to kick. */
	hv_full_barrier();
	return hv_queue_moved(q);
}

static size_t copy(const struct iovec *iov, unsigned int n, size_t off, void *to, const void *from,
		   size_t len)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		size_t part = iov[i].iov_len;
		uint8_t *at = iov[i].iov_base;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len - done)
			part = len - done;
		if (to)
			memcpy((uint8_t *)to + done, at + off, part);
		else
			memcpy(at + off, (const uint8_t *)from + done, part);
		done += part;
		off = 0;
	}
	return done;
}

size_t hv_iov_read(const struct iovec *iov, unsigned int n, size_t off, void *to, size_t len)
{
	return to ? copy(iov, n, off, to, NULL, len) : 0;
}

size_t hv_iov_write(const struct iovec *iov, unsigned int n, size_t off, const void *from,
		    size_t len)
{
	return from ? copy(iov, n, off, NULL, from, len) : 0;
}

unsigned int hv_iov_slice(const struct iovec *iov, unsigned int n, size_t off, size_t len,
			  struct iovec *out)
{
	unsigned int m = 0;

	for (unsigned int i = 0; i < n && len; i++) {
		size_t part = iov[i].iov_len;

		if (off >= part) {
			off -= part;
			continue;
		}
		part -= off;
		if (part > len)
			part = len;
		out[m++] = (struct iovec){ .iov_base = (uint8_t *)iov[i].iov_base + off,
					   .iov_len = part };
		len -= part;
		off = 0;
	}
	return m;
}
