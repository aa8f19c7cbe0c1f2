// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * median_exec RUNS command… -- command…: runs the two commands in turn and prints the
 * median wall time of each in microseconds. In turn, so that a noisy
 * machine disturbs both alike. Fails when a command fails, but for exit code 2 (`hvsh plan`: changes).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double run_once(char **argv)
{
	struct timespec a, b;
	int status;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = vfork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 2))
		return -1;
	return (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 0;
	char **first = argv + 2, **second = NULL;
	double *t[2];

	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], "--")) {
			argv[i] = NULL;
			second = argv + i + 1;
			break;
		}
	if (runs < 1 || runs > 10000 || !second || !*second || !*first) {
		fprintf(stderr, "usage: median_exec RUNS command… -- command…\n");
		return 2;
	}
	t[0] = calloc((size_t)runs, sizeof(double));
	t[1] = calloc((size_t)runs, sizeof(double));
	if (!t[0] || !t[1])
		return 1;
	for (int i = 0; i < runs; i++) {
		t[0][i] = run_once(first);
		t[1][i] = run_once(second);
		if (t[0][i] < 0 || t[1][i] < 0) {
			fprintf(stderr, "median_exec: %s failed\n",
				t[0][i] < 0 ? first[0] : second[0]);
			return 1;
		}
	}
	qsort(t[0], (size_t)runs, sizeof(double), by_value);
	qsort(t[1], (size_t)runs, sizeof(double), by_value);
	printf("%.1f %.1f\n", t[0][runs / 2], t[1][runs / 2]);
	free(t[0]);
	free(t[1]);
	return 0;
}
