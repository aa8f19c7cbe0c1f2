// SPDX-License-Identifier: GPL-2.0-or-later
#include "memmap/gmem.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Rings are aligned in guest addresses; the same must then hold for ours. */
#define CONGRUENT 16

int hv_gmem_add(struct hv_gmem *mem, uint64_t ipa, uint64_t size, void *host, struct hv_err *err)
{
	unsigned int i;

	if (!size)
		return hv_err_set(err, EINVAL, "guest memory at 0x%" PRIx64 " is empty", ipa);
	if (ipa + size < ipa)
		return hv_err_set(err, EINVAL,
				  "guest memory at 0x%" PRIx64 ", 0x%" PRIx64
				  " bytes, goes over the end of the address space",
				  ipa, size);
	if (!host || ((uintptr_t)host - ipa) % CONGRUENT)
		return hv_err_set(err, EINVAL,
				  "guest memory at 0x%" PRIx64 " is mapped with another alignment",
				  ipa);
	for (i = 0; i < mem->n && mem->range[i].ipa < ipa; i++)
		;
	if ((i && mem->range[i - 1].ipa + mem->range[i - 1].size > ipa) ||
	    (i < mem->n && ipa + size > mem->range[i].ipa))
		return hv_err_set(err, EINVAL,
				  "guest memory at 0x%" PRIx64 ", 0x%" PRIx64
				  " bytes, overlaps other memory of the guest",
				  ipa, size);
	if (mem->n == HV_GMEM_MAX)
		return hv_err_set(err, ENOSPC, "a guest has at most %d ranges of memory",
				  HV_GMEM_MAX);
	memmove(&mem->range[i + 1], &mem->range[i], (mem->n - i) * sizeof(mem->range[0]));
	mem->range[i] = (struct hv_gmem_range){ .ipa = ipa, .size = size, .host = host };
	mem->n++;
	return 0;
}
