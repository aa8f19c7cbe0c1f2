/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_SANDBOX_OPENER_H
#define HV_SANDBOX_OPENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * A small process beside the service that keeps the rights the service gives away, and opens for it
 * what the operator allowed. One per process. The functions that stand for a system call first make
 * that call; only where this process may not, and there is an opener, is it asked. Any thread,
 * where nothing else is said.
 */

/* What is allowed: a file, or everything beneath a folder; a TAP or a bridge, by its name. */
enum hv_allow {
	HV_ALLOW_READ = 1,
	HV_ALLOW_WRITE =
		2, /* and to read; also to make, replace and remove it, and FILE.1, FILE.2 … */
	HV_ALLOW_BENEATH = 4,
	HV_ALLOW_TAP = 8,
	HV_ALLOW_BRIDGE = 16,
};

/*
 * Before the seal: remembered; what hv_opener_open opens by then is remembered by itself.
 * Afterwards it is without effect: only the operator's commands add something.
 */
void hv_opener_allow(unsigned int what, const char *path);

/* What is remembered so far, for who restricts this process; stops at the first result but 0. */
int hv_opener_each(int (*fn)(unsigned int what, const char *path, void *arg), void *arg);

/*
 * Done by the opener for hv_opener_call. Replies at most *reply_len bytes and HV_OPENER_FDS
 * descriptors, which are closed here afterwards. allowed: was this allowed by name?
 */
#define HV_OPENER_FDS 8
#define HV_OPENER_BYTES 1024
typedef int hv_opener_call_fn(const void *arg, size_t len,
			      bool (*allowed)(unsigned int what, const char *name), void *reply,
			      size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *err);

/*
 * Starts it. While only the main thread is there, and before this process has what a second one
 * must not keep (locks, images, the bridge). socket: where it listens for commands that allow more;
 * NULL = nowhere. Called again it does nothing.
 */
int hv_opener_start(const char *socket, hv_opener_call_fn *call, struct hv_err *err);
bool hv_opener_started(void);
/* Tells it what is allowed; from now on it opens that. */
int hv_opener_seal(struct hv_err *err);
bool hv_opener_sealed(void);
/*
 * The name of its socket goes, as long as no other service can have taken it: before the control
 * socket beside it does. Main thread.
 */
void hv_opener_unlisten(void);
/* It ends. A name that is still there may be another's by now, and stays. */
void hv_opener_stop(void);

/*
 * A file that the kernel shows more of to who has rights: opened by the opener, where there is one.
 * -1 and errno.
 */
int hv_opener_read(const char *path);
/* open(2) and its like: -1 and errno. */
int hv_opener_open(const char *path, int flags, mode_t mode);
int hv_opener_stat(const char *path, struct stat *st);
int hv_opener_access(const char *path, int mode);
int hv_opener_rename(const char *from, const char *to);
/* target: a terminal, /dev/pts/… */
int hv_opener_symlink(const char *target, const char *path);
int hv_opener_unlink(const char *path);

/*
 * 0 or -errno of the hv_opener_call_fn; -ENOSYS without a sealed opener; -EPROTO: more than
 * *reply_len bytes. reply may be NULL where *reply_len is 0. The caller owns fds.
 */
int hv_opener_call(const void *arg, size_t len, void *reply, size_t *reply_len, int *fds,
		   unsigned int *n_fds, struct hv_err *err);

/*
 * In an operator's command: allows the service whose opener listens there more. -ENOENT: none
 * does.
 */
struct hv_opener_grant {
	unsigned int what;
	const char *path;
};
int hv_opener_grant(const char *socket, const struct hv_opener_grant *grants, size_t n,
		    struct hv_err *err);

#endif
