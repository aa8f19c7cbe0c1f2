/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_GMEM_H
#define HV_MEMMAP_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * A zone's RAM as the virtio devices see it: guest physical ranges and where
 * they are mapped in this process. Built before any device uses it and never changed afterwards, so
 * that any thread may translate without a lock.
 */
#define HV_GMEM_MAX 64

struct hv_gmem_range {
	uint64_t ipa, size; /* bytes; ipa + size does not wrap */
	uint8_t *host;
};

struct hv_gmem {
	unsigned int n;
	struct hv_gmem_range range[HV_GMEM_MAX]; /* sorted by ipa, disjoint */
};

/* -EINVAL: empty, wraps, or overlaps one that is there; -ENOSPC: more than HV_GMEM_MAX. */
int hv_gmem_add(struct hv_gmem *mem, uint64_t ipa, uint64_t size, void *host, struct hv_err *err);

/*
 * The one function through which every guest address goes: the host address of
 * [ipa, ipa + len) when it lies inside one range, otherwise NULL. len 0 is NULL.
 */
static inline void *hv_gmem_at(const struct hv_gmem *mem, uint64_t ipa, uint64_t len)
{
	for (unsigned int i = 0; i < mem->n; i++) {
		const struct hv_gmem_range *r = &mem->range[i];
		uint64_t off = ipa - r->ipa;

		if (off < r->size)
			return len && len <= r->size - off ? r->host + off : NULL;
	}
	return NULL;
}

#endif
