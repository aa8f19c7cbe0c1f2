/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_TEXT_H
#define MV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The compiler calls these by itself. */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);

/*
 * One line on the UART behind "[mv] ": %s, %c, %d, %u, %x with their l forms; x is written with 0x.
 * Any CPU. `say` is silent with log=off, `shout` is not.
 */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void shout(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void text_log(bool on);

#endif
