/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_FAULT_H
#define MV_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deliberate misbehaviour. The numbers are those of the private hypercall; README.md says what each
 * does. */
enum fault {
	FAULT_LATE = 1,
	FAULT_LATE_ANSWER,
	FAULT_LATE_DRAIN,
	FAULT_LOSE_DRAIN,
	FAULT_LOSE_WAKE,
	FAULT_NOSTOP,
	FAULT_DIE,
	FAULT_HANG,
	FAULT_REFUSE,
	FAULT_VERSION,
	FAULT_SLOTS,
};
#define FAULT_COUNT 12

/* A time without end. */
#define FAULT_FOREVER UINT32_MAX

/* -EINVAL for a number that is no fault, or a value that means nothing for it. 0 switches it off.
 */
int fault_set(uint64_t fault, uint64_t value, uint64_t ms);
void fault_clear(void);

/* 0 = off. Any CPU. */
uint32_t fault_value(enum fault fault);

/* The same, and switches it off: for faults that happen once. */
uint32_t fault_take(enum fault fault);

/* Whether this time is one of every Nth. */
bool fault_is_due(enum fault fault);

/* Spends the time of a fault in EL2; ends early once *is_wanted() is false (NULL = never). */
void fault_wait(enum fault fault, bool (*is_wanted)(void));

/* When FAULT_DIE or FAULT_HANG is to happen to a zone started at `start`, as a counter value. */
uint64_t fault_doom_at(enum fault fault, uint64_t start);

/* "late:200ms"; -EINVAL. */
int fault_parse(const char *text, size_t len);

#endif
