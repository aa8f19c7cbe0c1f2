// SPDX-License-Identifier: GPL-2.0-or-later
#include "self.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARGS 32

void exec_self(const char *const argv[])
{
	const char *emulator = getenv("HVSH_EMULATOR");
	char path[PATH_MAX] = "";
	const char *args[ARGS + 2];
	int n = 0;

	if (!emulator) {
		execv("/proc/self/exe", (char *const *)argv);
		return;
	}
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return;
	args[n++] = emulator;
	args[n++] = path;
	for (size_t i = 1; argv[i] && n <= ARGS; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	execvp(emulator, (char *const *)args);
}
