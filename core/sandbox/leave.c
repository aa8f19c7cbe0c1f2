// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_priv.h"

#define SEARCHED_MAX 65536 /* where each has to be tried */

/* false: this kernel cannot. */
static bool close_range_of(unsigned int first, unsigned int last)
{
#ifdef SYS_close_range
	return !syscall(SYS_close_range, first, last, 0);
#else
	(void)first;
	(void)last;
	return false;
#endif
}

static void close_each_but(int a, int b)
{
	struct rlimit limit;
	rlim_t n = SEARCHED_MAX;

	/* What was opened under a higher limit stays open under a lower one. */
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max < n)
		n = limit.rlim_max;
	for (int fd = 0; fd < (int)n; fd++)
		if (fd != a && fd != b)
			close(fd);
}

void sandbox_close_but(int a, int b)
{
	const int low = a < b ? a : b, high = a < b ? b : a;

	if ((low > 0 && !close_range_of(0, (unsigned int)low - 1)) ||
	    (high > low + 1 && !close_range_of((unsigned int)(low + 1), (unsigned int)high - 1)) ||
	    !close_range_of((unsigned int)(high + 1), UINT32_MAX))
		close_each_but(a, b);
}

void sandbox_leave(int a, int b)
{
	int null;

	sandbox_close_but(a, b);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}
