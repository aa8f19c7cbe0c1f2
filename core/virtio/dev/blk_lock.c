// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/now.h"
#include "virtio/dev/blk_image.h"

#define PATIENCE UINT64_C(5000000000) /* ns */

/* Does that descriptor of that process hold a lock? The kernel says so in its fdinfo. */
static bool fd_locks(const char *pid, const char *fd)
{
	char path[64], line[256];
	bool locks = false;
	FILE *f;

	if (snprintf(path, sizeof(path), "/proc/%.12s/fdinfo/%.12s", pid, fd) >= (int)sizeof(path))
		return false;
	f = fopen(path, "re");
	while (f && !locks && fgets(line, sizeof(line), f))
		locks = !strncmp(line, "lock:", 5);
	if (f)
		fclose(f);
	return locks;
}

static bool process_locks(const char *pid, const struct stat *file, int own_fd)
{
	char path[64];
	struct dirent *entry;
	bool self = strtol(pid, NULL, 10) == getpid(), locks = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.12s/fd", pid);
	dir = opendir(path);
	while (dir && !locks && (entry = readdir(dir)) != NULL) {
		struct stat st;

		if (self && strtol(entry->d_name, NULL, 10) == own_fd)
			continue;
		locks = !fstatat(dirfd(dir), entry->d_name, &st, 0) && st.st_dev == file->st_dev &&
			st.st_ino == file->st_ino && fd_locks(pid, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return locks;
}

/*
 * The lock's owner is an open description, which the kernel does not tie to a process; but the
 * processes that have it open can be found. Writes "process 123 (name)"; false when there is none
 * to see.
 */
static bool find_holder(int fd, char *text, size_t size)
{
	struct dirent *entry;
	struct stat file;
	bool found = false;
	DIR *dir;

	if (fstat(fd, &file))
		return false;
	dir = opendir("/proc");
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		char path[64], name[32] = "";
		FILE *f;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !process_locks(entry->d_name, &file, fd))
			continue;
		found = true;
		if (strtol(entry->d_name, NULL, 10) == getpid()) {
			snprintf(text, size, "another device of this process");
			break;
		}
		snprintf(path, sizeof(path), "/proc/%.12s/comm", entry->d_name);
		f = fopen(path, "re");
		if (f) {
			if (!fgets(name, sizeof(name), f))
				name[0] = '\0';
			name[strcspn(name, "\n")] = '\0';
			fclose(f);
		}
		snprintf(text, size, "process %.12s (%s)", entry->d_name, name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/*
 * 0 or errno. A process that was killed holds its lock until the kernel has done its last
 * operation, and is nobody's any more by then: that is waited for.
 */
static int take(int fd, struct flock *lock, char *holder, size_t size)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t until = hv_now() + PATIENCE;

	for (;;) {
		int rc = fcntl(fd, F_OFD_SETLK, lock) ? errno : 0;

		if (rc != EAGAIN && rc != EACCES)
			return rc;
		if (find_holder(fd, holder, size))
			return rc;
		if (hv_now() >= until) {
			snprintf(holder, size, "another process");
			return rc;
		}
		nanosleep(&pause, NULL);
	}
}

int hv_blk_lock(int fd, const char *path, bool write, struct hv_err *err)
{
	struct flock lock = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	char holder[96];
	int rc = take(fd, &lock, holder, sizeof(holder));

	if (!rc)
		return 0;
	if (rc == EAGAIN || rc == EACCES) {
		return hv_err_set(err, EBUSY, "%s: in use by %s; %s", path, holder,
				  write ? "a disk that is written to must be its only user"
					: "it can be shared only while nobody writes to it");
	}
	if (rc == ENOLCK || rc == EOPNOTSUPP || rc == EINVAL) {
		hv_log_warn(
			"%s: its file system has no locks: nothing keeps others from writing to it",
			path);
		return 0;
	}
	return hv_err_sys(err, rc, "%s: cannot lock it", path);
}
