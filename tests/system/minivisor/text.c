// SPDX-License-Identifier: GPL-2.0-or-later
#include "text.h"

#include <stdarg.h>

#include "arch.h"
#include "board.h"

#define UART_FLAGS (UART_BASE + 0x18)
#define UART_FULL 0x20

static struct lock line_lock;
static bool is_on = true;

void *memset(void *to, int byte, size_t size)
{
	uint8_t *p = to;

	while (size--)
		*p++ = (uint8_t)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	const uint8_t *q = from;
	uint8_t *p = to;

	while (size--)
		*p++ = *q++;
	return to;
}

void text_log(bool on)
{
	is_on = on;
}

static void put(char c)
{
	while (read32(UART_FLAGS) & UART_FULL)
		;
	write32(UART_BASE, (uint8_t)c);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_number(uint64_t value, unsigned int base)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (base == 16)
		put_text("0x");
	while (n)
		put(digits[--n]);
}

static void put_signed(int64_t value)
{
	if (value < 0)
		put('-');
	put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void put_line(const char *fmt, va_list ap)
{
	/* Zone0 may be in the middle of a line of its own. */
	put_text("\r\n[mv] ");
	for (; *fmt; fmt++) {
		bool is_long;

		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		is_long = *++fmt == 'l';
		fmt += is_long;
		switch (*fmt) {
		case 's':
			put_text(va_arg(ap, const char *));
			break;
		case 'c':
			put((char)va_arg(ap, int));
			break;
		case 'd':
			put_signed(is_long ? va_arg(ap, long) : va_arg(ap, int));
			break;
		default:
			put_number(is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned int),
				   *fmt == 'x' ? 16 : 10);
		}
	}
	put_text("\r\n");
}

void shout(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	lock_take(&line_lock);
	put_line(fmt, ap);
	lock_release(&line_lock);
	va_end(ap);
}

void say(const char *fmt, ...)
{
	va_list ap;

	if (!is_on)
		return;
	va_start(ap, fmt);
	lock_take(&line_lock);
	put_line(fmt, ap);
	lock_release(&line_lock);
	va_end(ap);
}
