/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_WORDS_H
#define MV_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of text that is read from its front; it needs no terminator. */
struct words {
	const char *at;
	size_t len;
};

/* Whether it is exactly that. */
static inline bool words_are(const struct words *text, const char *other)
{
	size_t i = 0;

	while (i < text->len && other[i] && other[i] == text->at[i])
		i++;
	return i == text->len && !other[i];
}

/* Takes `front` off, if it begins so. */
static inline bool words_take(struct words *text, const char *front)
{
	size_t n = 0;

	for (; front[n]; n++)
		if (n == text->len || text->at[n] != front[n])
			return false;
	text->at += n;
	text->len -= n;
	return true;
}

/* Takes a decimal number of up to nine digits off. */
static inline bool words_number(struct words *text, uint64_t *value)
{
	size_t n = 0;

	*value = 0;
	for (; n < text->len && n < 9 && text->at[n] >= '0' && text->at[n] <= '9'; n++)
		*value = *value * 10 + (uint64_t)(text->at[n] - '0');
	text->at += n;
	text->len -= n;
	return n;
}

/* Takes the part up to one of `ends` or the end off, and that character; false at the end. */
static inline bool words_next(struct words *text, const char *ends, struct words *part)
{
	size_t n = 0;

	if (!text->len)
		return false;
	for (; n < text->len; n++)
		for (const char *end = ends; *end; end++)
			if (text->at[n] == *end)
				goto found;
found:
	*part = (struct words){ text->at, n };
	n += n < text->len;
	text->at += n;
	text->len -= n;
	return true;
}

#endif
