// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/duration.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "h", UINT64_C(3600000000000) }, { "m", UINT64_C(60000000000) },
	{ "s", UINT64_C(1000000000) },	  { "ms", UINT64_C(1000000) },
	{ "us", UINT64_C(1000) },	  { "ns", UINT64_C(1) },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))
#define SECONDS (&units[2])

static const struct unit *find_unit(const char *name)
{
	for (size_t i = 0; i < N_UNITS; i++)
		if (!strcmp(units[i].name, name))
			return &units[i];
	return NULL;
}

/*
 * Adds the digits behind the point, each worth a tenth of the one before. False when one of them is
 * worth less than a nanosecond.
 */
static bool add_fraction(const char *digits, size_t n, uint64_t unit, uint64_t *ns)
{
	uint64_t value = 0, scale = 1;

	while (n && digits[n - 1] == '0')
		n--;
	/* More digits than this are finer than a nanosecond of an hour. */
	if (n > 13)
		return false;
	for (size_t i = 0; i < n; i++) {
		value = value * 10 + (uint64_t)(digits[i] - '0');
		scale *= 10;
	}
	/* 10^13 hours of nanoseconds take more than 64 bits. */
	for (; scale > 1 && unit % 10 == 0; scale /= 10)
		unit /= 10;
	if (value * unit % scale)
		return false;
	*ns += value * unit / scale;
	return true;
}

int hv_duration_parse(const char *text, uint64_t *ns, struct hv_err *err)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0;
	const char *end = text + whole, *digits = NULL;
	const struct unit *unit = SECONDS;
	uint64_t value = 0;
	bool over = false;

	if (whole && *end == '.' && isdigit((unsigned char)end[1])) {
		digits = end + 1;
		fraction = strspn(digits, "0123456789");
		end = digits + fraction;
	}
	if (*end)
		unit = find_unit(end + strspn(end, " "));
	if (!whole || !unit)
		return hv_err_set(err, EINVAL,
				  "\"%.40s\" is no duration (as in 10s, 250ms, 1.5s, 2m, 1h)",
				  text);
	for (size_t i = 0; i < whole; i++)
		over = over || __builtin_mul_overflow(value, UINT64_C(10), &value) ||
		       __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value);
	over = over || __builtin_mul_overflow(value, unit->ns, &value) || value > INT64_MAX;
	if (over)
		return hv_err_set(err, ERANGE, "\"%.40s\" is too long: at most 292 years", text);
	if (!add_fraction(digits, fraction, unit->ns, &value))
		return hv_err_set(err, ERANGE, "\"%.40s\" is finer than a nanosecond", text);
	if (value > INT64_MAX)
		return hv_err_set(err, ERANGE, "\"%.40s\" is too long: at most 292 years", text);
	*ns = value;
	return 0;
}

const char *hv_duration_format(uint64_t ns, char out[HV_DURATION_TEXT])
{
	const struct unit *unit;
	unsigned int thousandths;
	int len;

	if (!ns) {
		snprintf(out, HV_DURATION_TEXT, "0s");
		return out;
	}
	/* Thousandths of hours and minutes are for nobody; halves are. */
	for (unit = units; unit < SECONDS; unit++)
		if (ns >= unit->ns && ns % (unit->ns / 2) == 0)
			break;
	if (unit == SECONDS)
		while (unit->ns > 1 && (ns < unit->ns || ns % (unit->ns / 1000)))
			unit++;
	thousandths = (unsigned int)(ns % unit->ns / (unit->ns > 1 ? unit->ns / 1000 : 1));
	len = snprintf(out, HV_DURATION_TEXT, "%" PRIu64, ns / unit->ns);
	if (thousandths) {
		len += snprintf(out + len, HV_DURATION_TEXT - (size_t)len, ".%03u", thousandths);
		while (out[len - 1] == '0')
			len--;
	}
	snprintf(out + len, HV_DURATION_TEXT - (size_t)len, "%s", unit->name);
	return out;
}
