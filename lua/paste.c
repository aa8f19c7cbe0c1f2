// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/paste.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "lua/interrupt.h"
#include "lua/readline.h"

#define BEGIN "\033[200~"
#define END "\033[201~"
#define MAX_BYTES (16u << 20)
/* What has begun and does not go on for so long, in ms, has ended: its end was lost. */
#define PATIENCE_MS 1000
#define SILENCE_MS 100

static struct hv_buf waiting;
static size_t used;

void hv_paste_drop(void)
{
	hv_buf_free(&waiting);
	waiting = (struct hv_buf){ 0 };
	used = 0;
}

static bool ends(const struct hv_buf *text)
{
	const size_t len = strlen(END);

	return text->len >= len && !memcmp(text->data + text->len - len, END, len);
}

/*
 * Whether all of it was taken. What is too long, and what Ctrl-C is pressed in, is read to its end
 * all the same: the rest would be taken for something typed.
 */
static bool take(struct hv_buf *text)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	bool whole = true;

	while (!ends(text)) {
		int rc = poll(&in, 1, hv_interrupted() ? SILENCE_MS : PATIENCE_MS);
		char byte;
		int key;

		if (rc < 0 && errno == EINTR)
			continue;
		key = rc == 1 ? hv_rl.read_key() : -1;
		if (key < 0)
			return whole && !hv_interrupted();
		if (text->len >= MAX_BYTES) {
			whole = false;
			/* Enough to find the end by. */
			memmove(text->data, text->data + text->len - strlen(END), strlen(END));
			text->len = strlen(END);
		}
		byte = (char)key;
		hv_buf_add(text, &byte, 1);
	}
	text->len -= strlen(END);
	return whole && !text->failed && !hv_interrupted();
}

/* Line ends as "\n"; no control characters but these and tabs. */
static void add_plain(struct hv_buf *out, const struct hv_buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		if (c == '\r') {
			if (i + 1 < text->len && text->data[i + 1] == '\n')
				continue;
			c = '\n';
		}
		if ((c >= ' ' && c != 0x7f) || c == '\n' || c == '\t')
			hv_buf_add(out, &c, 1);
	}
}

char *hv_paste_next(void)
{
	const char *start = waiting.data + used;
	const char *stop = waiting.len > used ? memchr(start, '\n', waiting.len - used) : NULL;

	if (!stop)
		return NULL;
	used += (size_t)(stop - start) + 1;
	return strndup(start, (size_t)(stop - start));
}

void hv_paste_insert_rest(void)
{
	if (waiting.len > used)
		hv_rl.insert_text(waiting.data + used);
	hv_paste_drop();
}

static int on_paste(int count, int key)
{
	struct hv_buf text = { 0 };
	bool whole = take(&text);
	char *first;

	(void)count;
	(void)key;
	hv_paste_drop();
	if (whole)
		add_plain(&waiting, &text);
	hv_buf_free(&text);
	if (!whole || waiting.failed) {
		hv_paste_drop();
		hv_rl.ding();
		return 0;
	}
	first = hv_paste_next();
	if (!first) {
		hv_paste_insert_rest();
		return 0;
	}
	hv_rl.insert_text(first);
	free(first);
	hv_rl.redisplay();
	return hv_rl.newline(1, '\n');
}

void hv_paste_bind(void)
{
	hv_rl.bind_keyseq_in_map(BEGIN, on_paste, *hv_rl.emacs_keymap);
	hv_rl.bind_keyseq_in_map(BEGIN, on_paste, *hv_rl.vi_insertion_keymap);
}
