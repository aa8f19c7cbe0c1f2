// SPDX-License-Identifier: GPL-2.0-or-later
#include "fault.h"

#include <errno.h>

#include "arch.h"
#include "words.h"

#define ERRNO_LAST 4095
#define RING_ENTRIES 31

enum argument {
	ARG_TIME,
	ARG_TIME_OR_FOREVER,
	ARG_COUNT,
	ARG_ZONE,
	ARG_ERRNO,
	ARG_ENTRIES,
};

static const struct {
	const char *name;
	enum argument argument;
} kinds[FAULT_COUNT] = {
	[FAULT_LATE] = { "late", ARG_TIME },
	[FAULT_LATE_ANSWER] = { "late-answer", ARG_TIME },
	[FAULT_LATE_DRAIN] = { "late-drain", ARG_TIME },
	[FAULT_LOSE_DRAIN] = { "lose-drain", ARG_COUNT },
	[FAULT_LOSE_WAKE] = { "lose-wake", ARG_COUNT },
	[FAULT_NOSTOP] = { "nostop", ARG_TIME_OR_FOREVER },
	[FAULT_DIE] = { "die", ARG_ZONE },
	[FAULT_HANG] = { "hang", ARG_ZONE },
	[FAULT_REFUSE] = { "refuse", ARG_ERRNO },
	[FAULT_VERSION] = { "version", ARG_COUNT },
	[FAULT_SLOTS] = { "slots", ARG_ENTRIES },
};

static struct {
	uint32_t value;
	uint32_t seen;	/* how often fault_is_due was asked */
	uint32_t ms;	/* dooms: how long after */
	uint64_t since; /* dooms: when it was set */
} faults[FAULT_COUNT];

int fault_set(uint64_t fault, uint64_t value, uint64_t ms)
{
	if (!fault || fault >= FAULT_COUNT || value > UINT32_MAX || ms > UINT32_MAX)
		return -EINVAL;
	if (kinds[fault].argument == ARG_ERRNO && value > ERRNO_LAST)
		return -EINVAL;
	if (kinds[fault].argument == ARG_ENTRIES && value > RING_ENTRIES)
		return -EINVAL;
	faults[fault].seen = 0;
	faults[fault].ms = (uint32_t)ms;
	faults[fault].since = read_sysreg(cntpct_el0);
	__atomic_store_n(&faults[fault].value, (uint32_t)value, __ATOMIC_RELEASE);
	return 0;
}

void fault_clear(void)
{
	for (unsigned int i = 0; i < FAULT_COUNT; i++)
		__atomic_store_n(&faults[i].value, 0, __ATOMIC_RELEASE);
}

uint32_t fault_value(enum fault fault)
{
	return __atomic_load_n(&faults[fault].value, __ATOMIC_ACQUIRE);
}

uint32_t fault_take(enum fault fault)
{
	return __atomic_exchange_n(&faults[fault].value, 0, __ATOMIC_ACQ_REL);
}

bool fault_is_due(enum fault fault)
{
	uint32_t every = fault_value(fault);

	return every && __atomic_add_fetch(&faults[fault].seen, 1, __ATOMIC_RELAXED) % every == 0;
}

void fault_wait(enum fault fault, bool (*is_wanted)(void))
{
	uint32_t ms = fault_value(fault);
	uint64_t until = deadline(ms);

	while (ms && !is_past(until) && (!is_wanted || is_wanted()))
		relax();
}

uint64_t fault_doom_at(enum fault fault, uint64_t start)
{
	uint64_t from = start > faults[fault].since ? start : faults[fault].since;

	return from + read_sysreg(cntfrq_el0) / 1000 * faults[fault].ms;
}

/* "200", "200ms", "2s" */
static bool take_ms(struct words *text, uint64_t *ms)
{
	if (!words_number(text, ms))
		return false;
	if (words_take(text, "ms"))
		return true;
	if (words_take(text, "s"))
		*ms *= 1000;
	return true;
}

static bool take_argument(enum argument argument, struct words *text, uint64_t *value, uint64_t *ms)
{
	bool is_given = words_take(text, ":");

	switch (argument) {
	case ARG_TIME_OR_FOREVER:
		if (!is_given) {
			*value = FAULT_FOREVER;
			return true;
		}
		return take_ms(text, value);
	case ARG_TIME:
		return is_given && take_ms(text, value);
	case ARG_ZONE:
		return is_given && words_number(text, value) &&
		       (!words_take(text, ":") || take_ms(text, ms));
	default:
		return is_given && words_number(text, value);
	}
}

int fault_parse(const char *text, size_t len)
{
	struct words name = { text, 0 };
	uint64_t value = 0, ms = 0;
	struct words rest;

	while (name.len < len && text[name.len] != ':')
		name.len++;
	rest = (struct words){ text + name.len, len - name.len };
	for (unsigned int i = 1; i < FAULT_COUNT; i++) {
		if (!words_are(&name, kinds[i].name))
			continue;
		if (!take_argument(kinds[i].argument, &rest, &value, &ms) || rest.len || !value)
			return -EINVAL;
		return fault_set(i, value, ms);
	}
	return -EINVAL;
}
