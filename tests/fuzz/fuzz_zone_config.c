// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a zone config: decoding and explaining survive, and what decodes can be encoded
 * again with the same meaning.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/zone_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_pair(enum hv_layout layout, enum hv_arch arch, const uint8_t *data, size_t size)
{
	static struct hv_abi_zone first, second;
	static uint8_t again[HV_ZONE_CONFIG_MAX];
	struct hv_buf out = { 0 };
	struct hv_err err = { 0 };

	if (hv_zone_config_explain((int)layout, (int)arch, data, size, &out, &err) || !out.len)
		abort();
	hv_buf_free(&out);
	if (hv_zone_config_decode(layout, arch, data, size, &first, &err)) {
		if (!err.code || !err.msg[0])
			abort();
		return;
	}
	if (hv_zone_config_encode(layout, arch, &first, again, sizeof(again), &err) != (int)size ||
	    hv_zone_config_decode(layout, arch, again, size, &second, &err) ||
	    memcmp(&first, &second, sizeof(first)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_buf out = { 0 };
	struct hv_err err = { 0 };
	bool tried = false;

	if (hv_zone_config_explain(-1, -1, data, size, &out, &err) && !err.msg[0])
		abort();
	hv_buf_free(&out);
	for (unsigned int i = 0; i < HV_LAYOUT_COUNT * HV_ARCH_COUNT; i++) {
		enum hv_layout layout = (enum hv_layout)(i / HV_ARCH_COUNT);
		enum hv_arch arch = (enum hv_arch)(i % HV_ARCH_COUNT);

		if (size && hv_zone_config_size(layout, arch) == size) {
			try_pair(layout, arch, data, size);
			tried = true;
		}
	}
	/* Mutation rarely meets a size: other inputs are cut or filled up to one they choose. */
	if (!tried && size) {
		enum hv_layout layout = (enum hv_layout)(size % HV_LAYOUT_COUNT);
		enum hv_arch arch = (enum hv_arch)(data[0] % HV_ARCH_COUNT);
		size_t right = hv_zone_config_size(layout, arch);
		uint8_t *exact = calloc(1, right ? right : 1);

		if (exact && right) {
			memcpy(exact, data, size < right ? size : right);
			try_pair(layout, arch, exact, right);
		}
		free(exact);
	}
	return 0;
}
