// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/rawtty.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "base/log.h"

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
#define N_FATAL (sizeof(fatal) / sizeof(fatal[0]))

static volatile sig_atomic_t tty = -1;
static struct termios before, raw;
static struct sigaction old[N_FATAL];

static void restore(void)
{
	if (tty >= 0)
		tcsetattr(tty, TCSANOW, &before);
}

/* Any thread may crash; whoever handled it before does so after us. */
static void on_crash(int sig)
{
	int saved = errno;

	restore();
	for (unsigned int i = 0; i < N_FATAL; i++)
		if (fatal[i] == sig)
			sigaction(sig, &old[i], NULL);
	errno = saved;
	raise(sig);
}

int hv_rawtty_enter(int fd, bool signals, struct hv_err *err)
{
	static bool at_exit;
	struct sigaction crash = { .sa_handler = on_crash };

	if (tcgetattr(fd, &before) < 0)
		return hv_err_sys(err, errno, "reading the terminal's settings");
	raw = before;
	cfmakeraw(&raw);
	if (signals)
		raw.c_lflag |= ISIG;
	if (!at_exit && atexit(restore))
		return hv_err_nomem(err);
	at_exit = true;
	tty = fd;
	sigemptyset(&crash.sa_mask);
	for (unsigned int i = 0; i < N_FATAL; i++)
		sigaction(fatal[i], &crash, &old[i]);
	if (tcsetattr(fd, TCSANOW, &raw) < 0) {
		int why = errno;

		hv_rawtty_leave();
		return hv_err_sys(err, why, "setting up the terminal");
	}
	return 0;
}

void hv_rawtty_leave(void)
{
	if (tty < 0)
		return;
	restore();
	tty = -1;
	for (unsigned int i = 0; i < N_FATAL; i++)
		sigaction(fatal[i], &old[i], NULL);
}

void hv_rawtty_pause(void)
{
	restore();
}

void hv_rawtty_resume(void)
{
	if (tty >= 0)
		tcsetattr(tty, TCSANOW, &raw);
}

/* ---- what else is said on it */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool *lent;

/* lock is held. A newline alone goes down, not back. */
static void say_at_left(const char *text, size_t len)
{
	const char *end = text + len;

	if (!atomic_exchange(lent, true))
		fputs("\r\n", stderr);
	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));

		eol = eol ? eol : end;
		fprintf(stderr, "%.*s\r\n", (int)(eol - text), text);
		text = eol + 1;
	}
	fflush(stderr);
}

void hv_rawtty_say(FILE *out, const char *text, size_t len)
{
	pthread_mutex_lock(&lock);
	if (lent)
		say_at_left(text, len);
	else
		fprintf(out, "%.*s%s", (int)len, text, len && text[len - 1] == '\n' ? "" : "\n");
	fflush(out);
	pthread_mutex_unlock(&lock);
}

static void log_line(enum hv_log_level level, const char *line, void *arg)
{
	char text[HV_LOG_LINE_MAX];

	(void)arg;
	hv_rawtty_say(stderr, text, hv_log_word(text, level, line));
}

bool hv_rawtty_is_lent(void)
{
	bool is;

	pthread_mutex_lock(&lock);
	is = lent;
	pthread_mutex_unlock(&lock);
	return is;
}

void hv_rawtty_lend(_Atomic bool *at_start)
{
	pthread_mutex_lock(&lock);
	lent = at_start;
	pthread_mutex_unlock(&lock);
	hv_log_set_sink(at_start ? log_line : NULL, NULL);
}
