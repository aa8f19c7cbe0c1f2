// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prompt HVSH: on a terminal of its own, prints the medians in ms of
 *   the time from the start of the program to its prompt
 *   the time from Tab to the completed word, in a table of the DSL; without the pause in which what
 *   was pasted is told from what is typed
 */
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define RUNS 31
#define PASTE_MS 10.0 /* as in lua/line.c */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void wait_for(int fd, const char *text)
{
	static char seen[65536];
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, seen + len, sizeof(seen) - 1 - len);

		if (n <= 0) {
			fprintf(stderr, "prompt: no %s\n", text);
			exit(1);
		}
		len += (size_t)n;
		seen[len] = '\0';
		if (strstr(seen, text))
			return;
		if (len == sizeof(seen) - 1)
			len = 0;
	}
}

static void type(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		exit(1);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *list)
{
	qsort(list, RUNS, sizeof(*list), by_size);
	return list[RUNS / 2];
}

int main(int argc, char **argv)
{
	double ready[RUNS], completed[RUNS];

	if (argc != 2)
		return 2;
	setenv("TERM", "xterm", 1);
	setenv("HOME", "/nonexistent", 1);
	for (int i = 0; i < RUNS; i++) {
		struct winsize size = { .ws_row = 24, .ws_col = 80 };
		double start = now();
		int fd;
		pid_t pid = forkpty(&fd, NULL, NULL, &size);

		if (pid < 0)
			return 1;
		if (pid == 0) {
			execl(argv[1], argv[1], "--sim", (char *)NULL);
			_exit(127);
		}
		wait_for(fd, "hvsh(sim)> ");
		ready[i] = now() - start;
		type(fd, "zone \"x\" {kern");
		wait_for(fd, "kern");
		start = now();
		type(fd, "\t");
		wait_for(fd, "el = ");
		completed[i] = now() - start - PASTE_MS;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(fd);
	}
	printf("%.1f %.1f\n", median(ready), median(completed));
	return 0;
}
