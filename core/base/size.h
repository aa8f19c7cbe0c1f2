/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_SIZE_H
#define HV_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_KIB (UINT64_C(1) << 10)
#define HV_MIB (UINT64_C(1) << 20)
#define HV_GIB (UINT64_C(1) << 30)
#define HV_PAGE_SIZE UINT64_C(4096)

/*
 * Reads "4096", "0x1000", "512M", "1GiB", "64 KiB": binary units K M G T, an
 * optional "iB" or "B", any case. -EINVAL: not a size; -ERANGE: over 2^63-1
 * (a Lua integer must hold it).
 */
int hv_size_parse(const char *text, uint64_t *bytes);

/* "768M", "4K", "1.5G" when exact to one decimal, otherwise "0x…" ; returns out. */
#define HV_SIZE_TEXT 24
const char *hv_size_format(uint64_t bytes, char out[HV_SIZE_TEXT]);

static inline bool hv_is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

/* Align must be a power of two. Up saturates at the last aligned value instead of wrapping to 0. */
static inline uint64_t hv_align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

static inline uint64_t hv_align_up(uint64_t value, uint64_t align)
{
	uint64_t up = (value + (align - 1)) & ~(align - 1);

	return up < value ? ~(align - 1) : up;
}

#endif
