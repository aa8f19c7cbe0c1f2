// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold_thread PID NAME: stops the thread of that name in another process, and nothing else of it, until standard
 * input ends. Says "held" when it stands.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t find(const char *pid, const char *name)
{
	char path[300], comm[32];
	struct dirent *entry;
	pid_t found = 0;
	DIR *tasks;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	tasks = opendir(path);
	while (tasks && !found && (entry = readdir(tasks)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/comm", pid, entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(comm, sizeof(comm), f) && (comm[strcspn(comm, "\n")] = '\0', !strcmp(comm, name)))
			found = atoi(entry->d_name);
		fclose(f);
	}
	if (tasks)
		closedir(tasks);
	return found;
}

int main(int argc, char **argv)
{
	pid_t tid = argc == 3 ? find(argv[1], argv[2]) : 0;
	int status;

	if (!tid) {
		fprintf(stderr, "hold_thread: there is no such thread\n");
		return 1;
	}
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, &status, __WALL) != tid) {
		perror("hold_thread");
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return ptrace(PTRACE_DETACH, tid, 0, 0) ? 1 : 0;
}
