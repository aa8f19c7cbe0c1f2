/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_EXIT_H
#define MV_EXIT_H

#include <stdint.h>

struct regs;

/* Called by start.S: what a guest did that comes to EL2, and what should never happen at all. */
void guest_exit(struct regs *regs);
void bad_exception(struct regs *regs, uint64_t vector) __attribute__((noreturn));

#endif
