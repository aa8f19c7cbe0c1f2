// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/attach_priv.h"
#include "lua/rawtty.h"

#define TWICE UINT64_C(500000000) /* ns in which a second escape character counts as such */
#define QUIET UINT64_C(1000000000)
#define PIECE 512 /* bytes a descriptor that may block is given at a time */

__attribute__((format(printf, 2, 3))) static void say(struct hv_attach *a, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s%s: %s: %s%s",
		a->at_start ? ""
		: a->raw    ? "\r\n"
			    : "\n",
		a->opts->program ? a->opts->program : "hvsh", a->name, text,
		a->raw ? "\r\n" : "\n");
	fflush(stderr);
	a->at_start = true;
}

static void finish(struct hv_attach *a, int result)
{
	if (a->done)
		return;
	a->done = true;
	a->result = result;
}

void hv_attach_failed(struct hv_attach *a, const struct hv_err *err)
{
	if (!a->done)
		a->err = *err;
	finish(a, -err->code);
}

/* ---- the guest's output */

static void write_failed(struct hv_attach *a, int why)
{
	struct hv_err err;

	if (why == EPIPE) {
		finish(a, SIGPIPE);
		return;
	}
	hv_err_sys(&err, why, "standard output could not be written");
	hv_attach_failed(a, &err);
}

static void show(struct hv_attach *a)
{
	size_t at = 0;

	while (at < a->n_shown && !a->out_full && !a->done) {
		size_t len = a->n_shown - at;
		ssize_t n;

		if (a->out_blocks && len > PIECE)
			len = PIECE;
		n = write(a->out, a->shown + at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			a->out_full = true;
			break;
		}
		if (n < 0) {
			write_failed(a, errno);
			break;
		}
		at += (size_t)n;
		a->at_start = !a->out_tty || a->shown[at - 1] == '\n';
		/* Whether it would block is known only before the next piece. */
		if (a->out_blocks)
			a->out_full = true;
	}
	a->n_shown -= at;
	memmove(a->shown, a->shown + at, a->n_shown);
	if (at && a->flushed)
		hv_timer_set(a->quiet, hv_now() + (a->opts->quiet ? a->opts->quiet : QUIET), 0);
}

void hv_attach_output(struct hv_attach *a, const void *bytes, size_t len)
{
	if (len > sizeof(a->shown) - a->n_shown)
		len = sizeof(a->shown) - a->n_shown;
	memcpy(a->shown + a->n_shown, bytes, len);
	a->n_shown += len;
}

static void on_out(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct hv_attach *a = arg;

	(void)src;
	(void)fd;
	a->out_full = false;
	if (events & EPOLLERR && !(events & EPOLLOUT))
		write_failed(a, EPIPE);
	hv_attach_step(a);
}

void hv_attach_lost(struct hv_attach *a, uint64_t bytes)
{
	show(a);
	say(a, "this terminal was too slow: %" PRIu64 " bytes of output are lost here", bytes);
}

void hv_attach_ended(struct hv_attach *a, const char *reason)
{
	if (!a->ended)
		a->ended = strdup(reason);
	if (!a->ended)
		finish(a, 0);
}

/* ---- the keyboard */

static void add_typed(struct hv_attach *a, char byte)
{
	if (a->opts->readonly)
		return;
	/* As a terminal does whose program reads nothing. */
	if ((a->keyboard_known && !a->mine) || a->n_typed == sizeof(a->typed))
		(void)!write(STDERR_FILENO, "\a", 1);
	else
		a->typed[a->n_typed++] = byte;
}

static void keys(struct hv_attach *a, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !a->done; i++) {
		bool escape = (unsigned char)bytes[i] == a->opts->escape;

		if (a->escaped && !escape) {
			finish(a, 0);
		} else if (escape && !a->escaped) {
			a->escaped = true;
			hv_timer_set(a->escape, hv_now() + TWICE, 0);
		} else {
			a->escaped = false;
			hv_timer_set(a->escape, 0, 0);
			add_typed(a, bytes[i]);
		}
	}
}

static void on_escape(struct hv_source *src, uint64_t times, void *arg)
{
	(void)src;
	(void)times;
	finish(arg, 0);
}

static void end_of_input(struct hv_attach *a)
{
	hv_source_remove(a->in_src);
	a->in_src = NULL;
	a->in_end = true;
	/* A terminal's end is that of who typed there. */
	if (a->tty)
		finish(a, 0);
}

static bool reads(const struct hv_attach *a)
{
	if (a->in_end || (a->opts->readonly && !a->tty))
		return false;
	return a->tty || (!a->n_typed && a->mine);
}

static void read_input(struct hv_attach *a)
{
	char bytes[sizeof(a->typed)];
	ssize_t n = read(a->in, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		end_of_input(a);
	} else if (a->tty) {
		keys(a, bytes, (size_t)n);
	} else {
		memcpy(a->typed, bytes, (size_t)n);
		a->n_typed = (size_t)n;
	}
}

static void on_in(struct hv_source *src, int fd, uint32_t events, void *arg)
{
	struct hv_attach *a = arg;

	(void)src;
	(void)fd;
	(void)events;
	if (reads(a))
		read_input(a);
	hv_attach_step(a);
}

static void type(struct hv_attach *a)
{
	size_t n;

	do {
		if (a->in_file && reads(a) && !a->done)
			read_input(a);
		n = a->n_typed ? a->end->type(a->peer, a->typed, a->n_typed) : 0;
		a->n_typed -= n;
		memmove(a->typed, a->typed + n, a->n_typed);
	} while (n && a->in_file);
	if (a->in_end && !a->n_typed && !a->flushing && !a->done) {
		a->flushing = true;
		a->end->flush(a->peer);
	}
}

void hv_attach_keyboard(struct hv_attach *a, bool mine, const char *who)
{
	bool first = !a->keyboard_known;

	a->keyboard_known = true;
	a->mine = mine;
	if (a->opts->readonly || (first && mine))
		return;
	if (mine)
		say(a, "the keyboard is yours");
	else
		say(a, "read-only: %s has the keyboard; hvsh console --force %s takes it",
		    *who ? who : "somebody", a->name);
	/* What was typed for the guest as it was is not for the one that comes after. */
	if (!mine && a->tty)
		a->n_typed = 0;
}

void hv_attach_flushed(struct hv_attach *a, uint64_t dropped)
{
	a->flushed = true;
	a->dropped = dropped;
	hv_timer_set(a->quiet, hv_now() + (a->opts->quiet ? a->opts->quiet : QUIET), 0);
}

static void on_quiet(struct hv_source *src, uint64_t times, void *arg)
{
	struct hv_attach *a = arg;
	struct hv_err err;

	(void)times;
	if (a->n_shown) {
		hv_timer_set(src, hv_now() + (a->opts->quiet ? a->opts->quiet : QUIET), 0);
		return;
	}
	if (!a->dropped) {
		finish(a, 0);
		return;
	}
	hv_err_set(&err, EPERM,
		   "%s: %" PRIu64 " bytes of the input did not reach the guest: the keyboard was "
		   "taken by another",
		   a->name, a->dropped);
	hv_attach_failed(a, &err);
}

/* ---- all together */

static void watch(struct hv_attach *a)
{
	if (a->in_src)
		hv_fd_set(a->in_src, reads(a) ? EPOLLIN : 0, NULL);
	if (a->out_src)
		hv_fd_set(a->out_src, a->out_full ? EPOLLOUT : 0, NULL);
}

void hv_attach_step(struct hv_attach *a)
{
	if (a->done)
		return;
	show(a);
	if (!a->ended && !a->done) {
		if (a->n_shown < sizeof(a->shown))
			a->end->fetch(a->peer, sizeof(a->shown) - a->n_shown);
		type(a);
		show(a);
	}
	if (a->ended && !a->n_shown)
		finish(a, 0);
	watch(a);
}

static void send_size(struct hv_attach *a)
{
	struct winsize size;

	if (a->tty && !ioctl(a->in, TIOCGWINSZ, &size) && size.ws_col && size.ws_row)
		a->end->resize(a->peer, size.ws_col, size.ws_row);
}

static void on_signal(struct hv_source *src, const struct signalfd_siginfo *info, void *arg)
{
	struct hv_attach *a = arg;
	int sig = (int)info->ssi_signo;

	(void)src;
	switch (sig) {
	case SIGTSTP:
		hv_rawtty_pause();
		raise(SIGSTOP);
		hv_rawtty_resume();
		break;
	case SIGCONT:
		hv_rawtty_resume();
		send_size(a);
		break;
	case SIGWINCH:
		send_size(a);
		break;
	default:
		finish(a, sig);
	}
}

static int hear_signals(struct hv_attach *a, struct hv_err *err)
{
	static const int all[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT };
	size_t n = a->tty ? sizeof(all) / sizeof(all[0]) : 4;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct sigaction now;

		/* Whoever ignores one, as nohup does, means it. */
		if (i < 4 && !sigaction(all[i], NULL, &now) && now.sa_handler == SIG_IGN)
			continue;
		rc = hv_loop_add_signal(a->loop, all[i], on_signal, a, &a->signals[i], err);
	}
	return rc;
}

static int open_input(struct hv_attach *a, struct hv_err *err)
{
	int rc;

	a->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (a->in < 0)
		return hv_err_sys(err, errno, "standard input");
	rc = hv_loop_add_fd(a->loop, a->in, 0, on_in, a, &a->in_src, err);
	if (rc)
		return rc;
	/* Files cannot be waited for, nor need they be. */
	if (hv_fd_set(a->in_src, EPOLLIN, err) == -EPERM) {
		hv_source_remove(a->in_src);
		a->in_src = NULL;
		a->in_file = true;
	}
	return 0;
}

/*
 * A slow reader must not hold the loop up. The descriptor we were given is shared with others who
 * expect it to block, so it is opened anew where that can be done.
 */
static int open_output(struct hv_attach *a, struct hv_err *err)
{
	struct stat st;
	int rc;

	if (!fstat(STDOUT_FILENO, &st) && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)))
		a->out = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (a->out < 0) {
		a->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		a->out_blocks = true;
	}
	if (a->out < 0)
		return hv_err_sys(err, errno, "standard output");
	rc = hv_loop_add_fd(a->loop, a->out, 0, on_out, a, &a->out_src, err);
	if (rc)
		return rc;
	if (hv_fd_set(a->out_src, EPOLLOUT, NULL) == -EPERM) {
		hv_source_remove(a->out_src);
		a->out_src = NULL;
		a->out_blocks = false;
	}
	return 0;
}

static int set_up(struct hv_attach *a, struct hv_err *err)
{
	int rc = open_input(a, err);
	char key[16] = "";

	if (!rc)
		rc = open_output(a, err);
	if (!rc)
		rc = hv_loop_add_timer(a->loop, 0, 0, on_escape, a, &a->escape, err);
	if (!rc)
		rc = hv_loop_add_timer(a->loop, 0, 0, on_quiet, a, &a->quiet, err);
	if (!rc)
		rc = hear_signals(a, err);
	if (rc)
		return rc;
	if (a->opts->escape > 0 && a->opts->escape < 0x20)
		snprintf(key, sizeof(key), " (Ctrl-%c ends)", a->opts->escape + 0x40);
	else if (a->opts->escape >= 0x20 && a->opts->escape < 0x7f)
		snprintf(key, sizeof(key), " (%c ends)", a->opts->escape);
	say(a, "attached%s%s", a->opts->readonly ? ", read-only" : "", a->tty ? key : "");
	if (a->tty)
		rc = hv_rawtty_enter(a->in, a->opts->readonly, err);
	a->raw = a->tty && !rc;
	if (a->raw && a->out_tty && isatty(STDERR_FILENO))
		hv_rawtty_lend(&a->at_start);
	return rc;
}

static void tear_down(struct hv_attach *a)
{
	if (!a->done || a->result == 0)
		show(a);
	if (a->raw && !a->at_start)
		fputs("\r\n", stderr);
	a->at_start = a->at_start || a->raw;
	hv_rawtty_lend(NULL);
	hv_rawtty_leave();
	a->raw = false;
	hv_source_remove(a->in_src);
	hv_source_remove(a->out_src);
	hv_source_remove(a->escape);
	hv_source_remove(a->quiet);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		hv_source_remove(a->signals[i]);
	if (a->in >= 0)
		close(a->in);
	if (a->out >= 0)
		close(a->out);
}

int hv_attach_run(struct hv_attach *a, struct hv_err *err)
{
	int rc;

	a->in = a->out = -1;
	a->at_start = true;
	a->tty = isatty(STDIN_FILENO);
	a->out_tty = isatty(STDOUT_FILENO);
	rc = set_up(a, err);
	if (!rc) {
		send_size(a);
		hv_attach_step(a);
		while (!a->done && !hv_loop_stopped(a->loop)) {
			rc = hv_loop_run_once(a->loop, -1, err);
			if (rc < 0 && rc != -EINTR)
				break;
			rc = 0;
		}
	}
	tear_down(a);
	if (!rc && a->done) {
		rc = a->result;
		if (rc < 0)
			hv_err_set(err, a->err.code, "%s", a->err.msg);
	}
	if (a->ended)
		say(a, "%s", a->ended);
	else if (rc >= 0)
		say(a, "detached");
	free(a->ended);
	return rc;
}
