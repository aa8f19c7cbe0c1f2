/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_LINE_H
#define HV_LUA_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "loop/loop.h"

/*
 * Lines typed on the terminal of standard input, edited by readline. One editor per process; main
 * thread, except where a line says "any thread".
 */

enum hv_line_end {
	HV_LINE_TYPED,
	HV_LINE_EOF,
	HV_LINE_INTERRUPTED, /* hv_interrupted() is true */
};

/* What the word before the cursor may become: malloc'ed, or zeroed for nothing. */
struct hv_line_words {
	size_t from; /* where the word begins in the line */
	size_t n;
	char **words;
};

/* May run the loop. line has cursor bytes before the cursor. */
typedef void hv_line_complete_fn(void *arg, const char *line, size_t cursor,
				 struct hv_line_words *out);

/*
 * Opens the editor. From now on notices stand above the line that is being typed, and the log's
 * lines where standard error is the same terminal. The loop must live until hv_line_close.
 * -ENOTSUP: there is no readline (lua/readline.h).
 */
int hv_line_open(struct hv_loop *loop, hv_line_complete_fn *complete, void *arg,
		 struct hv_err *err);
void hv_line_close(void);

/*
 * Reads one line; the loop goes round meanwhile. *line is valid until the next call, and without a
 * newline at its end (one pasted as a whole may have some inside). Negative: the loop failed.
 */
int hv_line_read(const char *prompt, const char **line, struct hv_err *err);

/*
 * A text of one line or more above the line that is being typed, or where it was; on standard error
 * where there is no editor.
 * Those of one turn of the loop share one redraw. What other threads say meanwhile is kept up to
 * 16 KiB and then counted. Any thread.
 */
void hv_line_notice(const char *text, size_t len);

/* Who reads what is typed here sees the log as well. */
bool hv_line_has_log(void);

/*
 * A line is being typed where standard output goes, or a console has the terminal: what is printed
 * now belongs to hv_line_notice.
 */
bool hv_line_is_typed(void);
/* The same of standard error. */
bool hv_line_log_is_typed(void);

#endif
