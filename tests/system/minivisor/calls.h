/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_CALLS_H
#define MV_CALLS_H

#include <stdint.h>

struct zone;

/* hvisor's hypercalls and minivisor's private ones; returns what the guest finds in x0. */
int64_t hypercall(struct zone *zone, uint64_t code, uint64_t arg0, uint64_t arg1);

/* PSCI as a guest sees it: its own CPUs, its own end. May not return. */
int64_t guest_psci(struct zone *zone, const uint64_t args[4]);

#endif
