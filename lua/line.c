// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/line.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/now.h"
#include "lua/interrupt.h"
#include "lua/paste.h"
#include "lua/rawtty.h"
#include "lua/readline.h"

/* Nobody types a key so soon after another: what follows a tab within this many ms was pasted. */
#define PASTE_MS 10
/* Characters taken from the terminal before the loop has its turn again. */
#define TURN 4096
#define LISTED 200
#define CONSOLE_ESCAPE 0x1d
#define NOTICES_MAX 16384u
/* Between two times that the line is drawn below notices, ns: a serial line has better to do. */
#define DRAW_GAP UINT64_C(50000000)

static struct {
	struct hv_loop *loop;
	hv_line_complete_fn *complete;
	void *arg;
	struct hv_source *input, *resize, *gap;
	char *line;
	enum { IDLE, READING, TYPED, ENDED } state;
	bool readable, busy, resized;
	bool hidden; /* notices stand where the line was, which is drawn below them later */
	uint64_t drawn_at;
} ed;

/* What other threads touch. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char *text;
	size_t len;
	unsigned long dropped;
} notices;
static struct hv_loop *posted_to;
static struct hv_post post;
static _Atomic bool typing;
static bool shares_stdout;
/* Standard error is the terminal that the line is on. */
static bool shares_log;
static pthread_t owner;

bool hv_line_is_typed(void)
{
	return hv_rawtty_is_lent() || (typing && shares_stdout);
}

bool hv_line_log_is_typed(void)
{
	return hv_rawtty_is_lent() || (typing && shares_log);
}

bool hv_line_has_log(void)
{
	return shares_log;
}

/* ---- notices */

static char *take_notices(size_t *len, unsigned long *dropped)
{
	char *text;

	pthread_mutex_lock(&lock);
	text = notices.text;
	*len = notices.len;
	*dropped = notices.dropped;
	notices.text = NULL;
	notices.len = 0;
	notices.dropped = 0;
	pthread_mutex_unlock(&lock);
	return text;
}

static void print_notices(FILE *out)
{
	unsigned long dropped;
	size_t len;
	char *text = take_notices(&len, &dropped);

	if (len)
		fwrite(text, 1, len, out);
	if (dropped)
		fprintf(out, "hvsh: and %lu lines more\n", dropped);
	fflush(out);
	free(text);
}

static bool are_waiting(void)
{
	bool any;

	pthread_mutex_lock(&lock);
	any = notices.len || notices.dropped;
	pthread_mutex_unlock(&lock);
	return any;
}

static bool can_show(void)
{
	return ed.state == READING && !ed.busy;
}

/*
 * The text at once, which is heard though its task goes on and holds the loop up; the line below it
 * once for all that is said in a turn of the loop, and now and then only.
 */
static void show(const char *text, size_t len)
{
	if (!ed.hidden) {
		ed.hidden = true;
		hv_rl.clear_visible_line();
		hv_loop_post(ed.loop, &post);
	}
	print_notices(*hv_rl.outstream);
	if (!len)
		return;
	fwrite(text, 1, len, *hv_rl.outstream);
	if (text[len - 1] != '\n')
		putc('\n', *hv_rl.outstream);
	fflush(*hv_rl.outstream);
}

static void show_line(void)
{
	if (!ed.hidden)
		return;
	ed.hidden = false;
	ed.drawn_at = hv_now();
	hv_rl.on_new_line();
	hv_rl.redisplay();
}

static void show_notices(void)
{
	if (can_show() && are_waiting())
		show("", 0);
}

static void on_post(struct hv_loop *loop, struct hv_post *node)
{
	(void)loop;
	(void)node;
	show_notices();
	if (!ed.gap || hv_now() >= ed.drawn_at + DRAW_GAP)
		show_line();
	else if (ed.hidden && !hv_timer_armed(ed.gap))
		hv_timer_set(ed.gap, ed.drawn_at + DRAW_GAP, 0);
}

static void on_gap(struct hv_source *src, uint64_t times, void *arg)
{
	(void)src;
	(void)times;
	(void)arg;
	show_line();
}

static unsigned long count_lines(const char *text, size_t len)
{
	unsigned long n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n + (len && text[len - 1] != '\n');
}

/* lock is held. */
static void keep(const char *text, size_t len)
{
	bool ends = len && text[len - 1] == '\n';
	char *more = NULL;

	if (notices.len + len + 1 <= NOTICES_MAX)
		more = realloc(notices.text, notices.len + len + 1);
	if (!more) {
		notices.dropped += count_lines(text, len);
		return;
	}
	notices.text = more;
	memcpy(more + notices.len, text, len);
	notices.len += len;
	if (!ends)
		more[notices.len++] = '\n';
}

void hv_line_notice(const char *text, size_t len)
{
	bool here, now;
	FILE *out;

	pthread_mutex_lock(&lock);
	here = typing && posted_to;
	out = posted_to ? *hv_rl.outstream : stderr;
	now = here && pthread_equal(pthread_self(), owner) && can_show();
	if (here && !now) {
		keep(text, len);
		hv_loop_post(posted_to, &post);
	}
	pthread_mutex_unlock(&lock);
	if (now)
		show(text, len);
	else if (!here)
		hv_rawtty_say(out, text, len);
}

static void log_line(enum hv_log_level level, const char *line, void *arg)
{
	char text[HV_LOG_LINE_MAX];

	(void)arg;
	hv_line_notice(text, hv_log_word(text, level, line));
}

/* From here on what is said stands above the line, or, when it is over, where the cursor is. */
static void set_typing(bool now)
{
	pthread_mutex_lock(&lock);
	typing = now;
	pthread_mutex_unlock(&lock);
	hv_log_set_sink(now && shares_log ? log_line : NULL, NULL);
	if (!now)
		print_notices(*hv_rl.outstream);
}

/* ---- completion */

static void free_words(struct hv_line_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->words[i]);
	free(w->words);
}

/* How much the words have in common; never part of a character. */
static size_t common_length(const struct hv_line_words *w)
{
	size_t len = strlen(w->words[0]);

	for (size_t i = 1; i < w->n; i++) {
		size_t same = 0;

		while (same < len && w->words[i][same] == w->words[0][same])
			same++;
		len = same;
	}
	while (len && ((unsigned char)w->words[0][len] & 0xc0) == 0x80)
		len--;
	return len;
}

static void list_words(const struct hv_line_words *w)
{
	size_t n = w->n < LISTED ? w->n : LISTED;
	char **list = calloc(n + 2, sizeof(*list));
	int longest = 0;

	if (!list)
		return;
	list[0] = w->words[0];
	for (size_t i = 0; i < n; i++) {
		int len = (int)strlen(w->words[i]);

		list[i + 1] = w->words[i];
		longest = len > longest ? len : longest;
	}
	hv_rl.display_match_list(list, (int)n, longest);
	if (w->n > n)
		fprintf(*hv_rl.outstream, "and %zu more\n", w->n - n);
	hv_rl.on_new_line();
	hv_rl.redisplay();
	free(list);
}

static void apply(const struct hv_line_words *w)
{
	size_t typed = (size_t)*hv_rl.point - w->from;
	size_t len = common_length(w);
	bool gains = len > typed ||
		     (w->n == 1 && strncmp(w->words[0], *hv_rl.line_buffer + w->from, typed) != 0);

	if (gains) {
		char *word = strndup(w->words[0], len);

		if (!word)
			return;
		hv_rl.begin_undo_group();
		hv_rl.delete_text((int)w->from, *hv_rl.point);
		*hv_rl.point = (int)w->from;
		hv_rl.insert_text(word);
		hv_rl.end_undo_group();
		free(word);
	} else if (w->n > 1) {
		list_words(w);
	}
}

static int on_tab(int count, int key)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct hv_line_words w = { 0 };
	size_t cursor = (size_t)*hv_rl.point;

	if (!ed.complete || poll(&in, 1, PASTE_MS) == 1)
		return hv_rl.insert(count, key);
	ed.busy = true;
	hv_fd_set(ed.input, 0, NULL);
	ed.complete(ed.arg, *hv_rl.line_buffer, cursor, &w);
	hv_fd_set(ed.input, EPOLLIN, NULL);
	ed.busy = false;
	if (w.n && w.from <= cursor)
		apply(&w);
	else
		hv_rl.ding();
	free_words(&w);
	show_notices();
	/* readline draws what has changed of the line that it believes to stand there. */
	show_line();
	return 0;
}

/* Ctrl-] leaves a console. Pressed once too often it must not take the next key for its argument.
 */
static int ignore(int count, int key)
{
	(void)count;
	(void)key;
	return 0;
}

/* ---- reading */

static void on_line(char *line)
{
	ed.line = line;
	ed.state = line ? TYPED : ENDED;
	hv_rl.callback_handler_remove();
}

static void on_input(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	(void)src;
	(void)fd;
	(void)events;
	(void)arg;
	ed.readable = true;
}

static void on_resize(struct hv_source *src, const struct signalfd_siginfo *info, void *arg)
{
	(void)src;
	(void)info;
	(void)arg;
	ed.resized = true;
}

static void take_input(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	ed.readable = false;
	/* What was there may be gone by now, as Ctrl-C throws it away: reading would wait for more.
	 */
	for (int i = 0;
	     i < TURN && ed.state == READING && !hv_interrupted() && poll(&in, 1, 0) == 1; i++) {
		show_line();
		hv_rl.callback_read_char();
	}
}

static int go_round(struct hv_err *err)
{
	int rc = hv_loop_run_once(ed.loop, -1, err);

	if (rc == -EINTR)
		rc = 0;
	if (ed.resized && ed.state == READING) {
		show_line();
		hv_rl.resize_terminal();
	}
	ed.resized = false;
	if (rc >= 0 && ed.readable && !hv_interrupted())
		take_input();
	return rc;
}

static void finish(void)
{
	hv_source_remove(ed.input);
	hv_source_remove(ed.resize);
	hv_source_remove(ed.gap);
	ed.input = ed.resize = ed.gap = NULL;
	set_typing(false);
}

static int begin(struct hv_err *err)
{
	int rc;

	free(ed.line);
	ed.line = NULL;
	rc = hv_loop_add_fd(ed.loop, STDIN_FILENO, EPOLLIN, on_input, NULL, &ed.input, err);
	if (!rc)
		rc = hv_loop_add_signal(ed.loop, SIGWINCH, on_resize, NULL, &ed.resize, err);
	if (!rc)
		rc = hv_loop_add_timer(ed.loop, 0, 0, on_gap, NULL, &ed.gap, err);
	if (rc)
		finish();
	return rc;
}

/* Whatever there is of it. */
static void end_line(void)
{
	show_line();
	if (ed.state == READING) {
		hv_rl.callback_handler_remove();
		ed.state = IDLE;
	}
	if (ed.state != TYPED) {
		hv_paste_drop();
		putc('\n', *hv_rl.outstream);
		fflush(*hv_rl.outstream);
	}
	finish();
}

/* A task may end the process while a line is typed. */
static void leave(void)
{
	if (ed.state == READING)
		end_line();
}

/* A line that was pasted; the loop has its turn, so that Ctrl-C is heard. */
static bool take_pasted(const char *prompt, struct hv_err *err)
{
	char *line = hv_paste_next();

	if (!line)
		return false;
	hv_loop_run_once(ed.loop, 0, err);
	if (hv_interrupted()) {
		free(line);
		hv_paste_drop();
		return false;
	}
	fprintf(*hv_rl.outstream, "%s%s\n", prompt, line);
	fflush(*hv_rl.outstream);
	free(ed.line);
	ed.line = line;
	return true;
}

int hv_line_read(const char *prompt, const char **line, struct hv_err *err)
{
	int rc;

	if (take_pasted(prompt, err)) {
		*line = ed.line;
		return HV_LINE_TYPED;
	}
	rc = begin(err);
	if (rc < 0)
		return rc;
	ed.readable = false;
	ed.state = READING;
	hv_rl.callback_handler_install(prompt, on_line);
	hv_paste_insert_rest();
	if (*hv_rl.end)
		hv_rl.redisplay();
	set_typing(true);
	while (ed.state == READING && rc >= 0 && !hv_interrupted())
		rc = go_round(err);
	end_line();
	if (rc < 0)
		return rc;
	*line = ed.line;
	if (ed.state == TYPED)
		return HV_LINE_TYPED;
	return ed.state == ENDED ? HV_LINE_EOF : HV_LINE_INTERRUPTED;
}

/* Which one it is, also by /dev/tty or /dev/console. */
static bool terminal_of(int fd, dev_t *dev)
{
	struct stat st;
	unsigned int own;

	if (!isatty(fd) || fstat(fd, &st))
		return false;
	*dev = ioctl(fd, TIOCGDEV, &own) ? st.st_rdev : own;
	return true;
}

static bool same_terminal(int a, int b)
{
	dev_t x, y;

	return terminal_of(a, &x) && terminal_of(b, &y) && x == y;
}

int hv_line_open(struct hv_loop *loop, hv_line_complete_fn *complete, void *arg, struct hv_err *err)
{
	static bool at_exit;
	int rc = hv_readline_load(err);

	if (rc < 0)
		return rc;
	if (!at_exit && atexit(leave))
		return hv_err_nomem(err);
	at_exit = true;
	ed.loop = loop;
	ed.complete = complete;
	ed.arg = arg;
	post.fn = on_post;
	*hv_rl.readline_name = "hvsh";
	/* Its handlers would be in place of ours while Tab waits for an answer. */
	*hv_rl.catch_signals = 0;
	*hv_rl.catch_sigwinch = 0;
	owner = pthread_self();
	shares_stdout = isatty(STDOUT_FILENO);
	shares_log = same_terminal(STDERR_FILENO, shares_stdout ? STDOUT_FILENO : STDERR_FILENO);
	/* A prompt in a file would be no prompt. */
	if (!shares_stdout && isatty(STDERR_FILENO))
		*hv_rl.outstream = stderr;
	hv_rl.bind_key('\t', complete ? on_tab : hv_rl.insert);
	hv_rl.bind_key(CONSOLE_ESCAPE, ignore);
	hv_paste_bind();
	pthread_mutex_lock(&lock);
	posted_to = loop;
	pthread_mutex_unlock(&lock);
	return 0;
}

void hv_line_close(void)
{
	pthread_mutex_lock(&lock);
	posted_to = NULL;
	pthread_mutex_unlock(&lock);
	shares_log = false;
	if (ed.loop)
		hv_loop_unpost(ed.loop, &post);
	free(ed.line);
	ed.line = NULL;
	ed.loop = NULL;
	ed.complete = NULL;
}
