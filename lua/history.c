// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/history.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/readline.h"

#define LINES 1000

/*
 * Whoever can write to the folder must not make root read or write another file through it:
 * a plain file of ours, with one name, or none at all. -1 when it is not to be had.
 */
static int open_file(int flags)
{
	const char *home = getenv("HOME");
	char path[4096];
	struct stat st;
	int fd;

	if (!home || *home != '/' ||
	    (size_t)snprintf(path, sizeof(path), "%s/.hvsh_history", home) >= sizeof(path))
		return -1;
	fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1 || ((st.st_mode & 077) && fchmod(fd, 0600) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

void hv_history_load(void)
{
	int fd = open_file(O_RDONLY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0, n = 0;
	ssize_t len;

	hv_rl.using_history();
	hv_rl.stifle_history(LINES);
	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (; (len = getline(&line, &cap, file)) > 0; n++) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		hv_rl.add_history(line);
	}
	free(line);
	fclose(file);
	/* Every prompt appends; one of many cuts what has become long. */
	if (n <= 4 * LINES)
		return;
	fd = open_file(O_WRONLY);
	if (fd >= 0 && ftruncate(fd, 0) < 0) {
		close(fd);
		return;
	}
	for (int i = 0; fd >= 0 && i < *hv_rl.history_length; i++)
		dprintf(fd, "%s\n", hv_rl.history_get(*hv_rl.history_base + i)->line);
	if (fd >= 0)
		close(fd);
}

void hv_history_add(const char *line)
{
	int n = *hv_rl.history_length;
	HIST_ENTRY *last = n ? hv_rl.history_get(*hv_rl.history_base + n - 1) : NULL;
	int fd;

	if (!line[strspn(line, " \t\n")] || (last && !strcmp(last->line, line)))
		return;
	hv_rl.add_history(line);
	fd = open_file(O_WRONLY | O_APPEND | O_CREAT);
	if (fd < 0)
		return;
	dprintf(fd, "%s\n", line);
	close(fd);
}
