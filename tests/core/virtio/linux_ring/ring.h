/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LINUX_RING_H
#define TESTS_LINUX_RING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Between the two halves of the test, which cannot include each other's headers: machine.c is our
 * device with a guest's view of it, driver.c is compiled against Linux's headers. Guest addresses
 * are this process's own.
 */

/* machine.c: 32-bit registers; a write waits while its answer is deferred. */
uint32_t machine_read(uint64_t off);
void machine_write(uint64_t off, uint32_t value);
/* Waits until the device interrupts; false: it never does. */
bool machine_wait_irq(void);

enum {
	RUN_INDIRECT = 1,
	RUN_EVENT_IDX = 2,
	RUN_RESET = 4, /* ends lives with requests in flight */
};
/* driver.c: 0, or the number of things that went wrong, said on stderr. */
int driver_run(unsigned int flags, unsigned int requests);

#endif
