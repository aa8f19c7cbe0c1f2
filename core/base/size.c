// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int hv_size_parse(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	unsigned int shift = 0;
	const char *unit;
	bool overflow;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, strncasecmp(text, "0x", 2) ? 10 : 16);
	overflow = errno == ERANGE;
	if (*end == ' ') {
		end += strspn(end, " ");
		if (!*end)
			return -EINVAL;
	}
	unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned int)(unit - units + 1);
		end++;
	}
	if (unit && !strncasecmp(end, "iB", 2))
		end += 2;
	else if (*end == 'B' || *end == 'b')
		end++;
	if (*end)
		return -EINVAL;
	if (overflow || value > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*bytes = value << shift;
	return 0;
}

const char *hv_size_format(uint64_t bytes, char out[HV_SIZE_TEXT])
{
	static const char units[] = "TGMK";

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int shift = 40 - 10 * i;
		uint64_t whole = bytes >> shift;
		uint64_t rest = bytes & ((UINT64_C(1) << shift) - 1);

		if (!whole)
			continue;
		if (!rest) {
			snprintf(out, HV_SIZE_TEXT, "%" PRIu64 "%c", whole, units[i]);
			return out;
		}
		if (rest == UINT64_C(1) << (shift - 1)) {
			snprintf(out, HV_SIZE_TEXT, "%" PRIu64 ".5%c", whole, units[i]);
			return out;
		}
	}
	snprintf(out, HV_SIZE_TEXT, bytes < 1024 ? "%" PRIu64 : "0x%" PRIx64, bytes);
	return out;
}
