// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/rawtty.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>

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
