// SPDX-License-Identifier: GPL-2.0-or-later
#include "syscall_faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "vrig.h"

#define BLOCK 512u /* a short transfer to a disk ends between two of its blocks */

static const char *const names[SF_CALL_COUNT] = {
#define X(name) [SF_##name] = #name,
	SF_CALLS(X)
#undef X
		[SF_event_read] = "event_read",
	[SF_event_write] = "event_write",
	[SF_sqe] = "sqe",
};

static struct {
	pthread_mutex_t lock;
	_Atomic bool on;
	struct sf_fault fault;
	unsigned int nth, times, seen, hits;
	char thread[16];
} armed = { .lock = PTHREAD_MUTEX_INITIALIZER };

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *from, size_t len);

_Atomic bool sf_nowait_refused;

static _Thread_local bool mine;

void sf_mine(void)
{
	mine = true;
}

int sf_begin(void **state)
{
	(void)state;
	sf_mine();
	return 0;
}

int sf_end(void **state)
{
	(void)state;
	sf_disarm();
	return 0;
}

void sf_arm_on(struct sf_fault fault, unsigned int nth, unsigned int times, const char *thread)
{
	sf_mine();
	pthread_mutex_lock(&armed.lock);
	armed.fault = fault;
	armed.nth = nth;
	armed.times = times;
	armed.seen = armed.hits = 0;
	snprintf(armed.thread, sizeof(armed.thread), "%s", thread ? thread : "");
	atomic_store(&armed.on, true);
	pthread_mutex_unlock(&armed.lock);
}

void sf_arm(struct sf_fault fault, unsigned int nth, unsigned int times)
{
	sf_arm_on(fault, nth, times, NULL);
}

unsigned int sf_disarm(void)
{
	atomic_store(&armed.on, false);
	return sf_hits();
}

unsigned int sf_hits(void)
{
	unsigned int hits;

	pthread_mutex_lock(&armed.lock);
	hits = armed.hits;
	pthread_mutex_unlock(&armed.lock);
	return hits;
}

unsigned int sf_seen(void)
{
	unsigned int seen;

	pthread_mutex_lock(&armed.lock);
	seen = armed.seen;
	pthread_mutex_unlock(&armed.lock);
	return seen;
}

const char *sf_name(struct sf_fault fault)
{
	static _Thread_local char text[48];

	snprintf(text, sizeof(text), "%s %s", names[fault.call],
		 fault.what == SF_SHORT	 ? "short"
		 : fault.what == SF_ZERO ? "0"
					 : strerrorname_np(fault.what));
	return text;
}

/* ---- files of which io_uring answers as is wished */

/* Nobody is there, at address 0. */
static int file_of_errors(void)
{
	static _Atomic int kept = -1;

	if (kept < 0)
		kept = __real_open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	return kept;
}

static int full_file(void)
{
	static _Atomic int kept = -1;

	if (kept < 0)
		kept = __real_open("/dev/full", O_RDWR | O_CLOEXEC);
	return kept;
}

/* A pipe without anything in it, or without room. */
static int busy_pipe(bool read)
{
	static _Atomic int kept[2] = { -1, -1 };
	char page[4096] = "";
	int fds[2];

	if (kept[read] < 0 && !pipe2(fds, O_NONBLOCK | O_CLOEXEC)) {
		while (!read && __real_write(fds[1], page, sizeof(page)) > 0)
			;
		kept[read] = fds[!read];
	}
	return kept[read];
}

static unsigned int entries(const char *folder)
{
	unsigned int n = 0;
	DIR *dir = opendir(folder);

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

struct sf_owned sf_count(void)
{
	file_of_errors();
	full_file();
	busy_pipe(true);
	busy_pipe(false);
	return (struct sf_owned){ entries("/proc/self/fd"), entries("/proc/self/task") };
}

void sf_expect(struct sf_owned before)
{
	struct sf_owned now = sf_count();
	uint64_t deadline = 0;

	while (now.fds > before.fds || now.threads > before.threads) {
		char what[128];

		snprintf(what, sizeof(what), "%u descriptors and %u threads (there are %u and %u)",
			 before.fds, before.threads, now.fds, now.threads);
		vrig_pause(&deadline, what);
		now = sf_count();
	}
}

static bool on_its_thread(void)
{
	char name[16] = "";

	prctl(PR_GET_NAME, name);
	return !strncmp(name, armed.thread, strlen(armed.thread));
}

/* What is to become of this call: 0 = it goes on. */
static int fate(enum sf_call call)
{
	int what = 0;

	if (!atomic_load_explicit(&armed.on, memory_order_acquire) || mine || getpid() == gettid())
		return 0;
	pthread_mutex_lock(&armed.lock);
	if (armed.on && armed.fault.call == call && on_its_thread()) {
		armed.seen++;
		if (armed.seen >= armed.nth && (!armed.times || armed.hits < armed.times)) {
			armed.hits++;
			what = armed.fault.what;
		}
	}
	pthread_mutex_unlock(&armed.lock);
	return what;
}

static bool is_eventfd(int fd)
{
	char path[32], target[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	return strstr(target, "[eventfd]");
}

static size_t half(size_t len)
{
	return len >= 2 * BLOCK ? len / 2 / BLOCK * BLOCK : (len + 1) / 2;
}

/* The first bytes of a list, in a list of the caller's. */
static int first_half(const struct iovec *iov, int n, struct iovec to[64])
{
	size_t sum = 0, left;
	int m = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	left = half(sum);
	for (int i = 0; i < n && left && m < 64; i++) {
		to[m] = iov[i];
		if (to[m].iov_len > left)
			to[m].iov_len = left;
		left -= to[m++].iov_len;
	}
	return m;
}

#define FAIL_OR(call, shorten)                                                                     \
	do {                                                                                       \
		int what = fate(call);                                                             \
		if (what > 0) {                                                                    \
			errno = what;                                                              \
			return -1;                                                                 \
		}                                                                                  \
		if (what == SF_ZERO)                                                               \
			return 0;                                                                  \
		if (what == SF_SHORT)                                                              \
			shorten;                                                                   \
	} while (0)

/*
 * Calls of the program come to __wrap_name, by the linker. WRAP makes it, from the call's result,
 * parameters and arguments, and what there is to do before it goes on.
 */
#define WRAP(type, name, params, args, before)                                                     \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		before;                                                                            \
		return __real_##name args;                                                         \
	}

/* All of it, or -1 and errno. */
#define WHOLE(type, name, params, args) WRAP(type, name, params, args, FAIL_OR(SF_##name, (void)0))

/* A part of a buffer is done, too. */
#define PART(name, params, args)                                                                   \
	WRAP(ssize_t, name, params, args, FAIL_OR(SF_##name, len = half(len)))

/* Of a list. */
#define SHORTEN_LIST                                                                               \
	do {                                                                                       \
		n = first_half(iov, n, part);                                                      \
		iov = part;                                                                        \
	} while (0)
#define LIST(name, call, params, args, before)                                                     \
	WRAP(ssize_t, name, params, args, struct iovec part[64]; before;                           \
	     FAIL_OR(call, SHORTEN_LIST))

/* The result itself tells of the error. */
#define TELLS(type, name, params, args, failed)                                                    \
	WRAP(type, name, params, args, int what = fate(SF_##name); if (what) return (failed))

#define NOWAIT_IS_REFUSED                                                                          \
	if (flags & RWF_NOWAIT && sf_nowait_refused) {                                             \
		errno = EAGAIN;                                                                    \
		return -1;                                                                         \
	}

LIST(readv, SF_readv, (int fd, const struct iovec *iov, int n), (fd, iov, n), (void)0)
LIST(writev, SF_writev, (int fd, const struct iovec *iov, int n), (fd, iov, n), (void)0)
LIST(preadv, SF_preadv, (int fd, const struct iovec *iov, int n, off_t off), (fd, iov, n, off),
     (void)0)
LIST(pwritev, SF_pwritev, (int fd, const struct iovec *iov, int n, off_t off), (fd, iov, n, off),
     (void)0)
LIST(preadv2, (flags & RWF_NOWAIT) ? SF_preadv2 : SF_preadv,
     (int fd, const struct iovec *iov, int n, off_t off, int flags), (fd, iov, n, off, flags),
     NOWAIT_IS_REFUSED)
LIST(pwritev2, (flags & RWF_NOWAIT) ? SF_pwritev2 : SF_pwritev,
     (int fd, const struct iovec *iov, int n, off_t off, int flags), (fd, iov, n, off, flags),
     NOWAIT_IS_REFUSED)

PART(pread, (int fd, void *to, size_t len, off_t off), (fd, to, len, off))
PART(pwrite, (int fd, const void *from, size_t len, off_t off), (fd, from, len, off))
PART(getrandom, (void *to, size_t len, unsigned int flags), (to, len, flags))

WHOLE(int, fallocate, (int fd, int mode, off_t off, off_t len), (fd, mode, off, len))
WHOLE(int, ftruncate, (int fd, off_t len), (fd, len))
WHOLE(int, fstat, (int fd, struct stat *st), (fd, st))
WHOLE(int, rename, (const char *from, const char *to), (from, to))
WHOLE(int, flock, (int fd, int how), (fd, how))
WHOLE(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
WHOLE(int, ppoll,
      (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *set),
      (fds, n, timeout, set))
WHOLE(int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout),
      (fd, events, n, timeout))
WHOLE(int, epoll_ctl, (int fd, int op, int of, struct epoll_event *event), (fd, op, of, event))
WHOLE(int, epoll_create1, (int flags), (flags))
WHOLE(int, eventfd, (unsigned int value, int flags), (value, flags))
WHOLE(int, inotify_init1, (int flags), (flags))
WHOLE(int, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))
WHOLE(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WHOLE(int, posix_openpt, (int flags), (flags))
WHOLE(int, grantpt, (int fd), (fd))
WHOLE(int, unlockpt, (int fd), (fd))
WHOLE(int, tcgetattr, (int fd, struct termios *to), (fd, to))
WHOLE(int, tcsetattr, (int fd, int when, const struct termios *to), (fd, when, to))

TELLS(int, io_uring_queue_init, (unsigned int entries, struct io_uring *ring, unsigned int flags),
      (entries, ring, flags), -what)
TELLS(struct io_uring_probe *, io_uring_get_probe_ring, (struct io_uring * ring), (ring), NULL)
TELLS(int, pthread_create,
      (pthread_t * thread, const pthread_attr_t *attr, void *(*body)(void *), void *arg),
      (thread, attr, body, arg), what)
TELLS(int, posix_memalign, (void **to, size_t align, size_t size), (to, align, size), what)
TELLS(int, ptsname_r, (int fd, char *to, size_t size), (fd, to, size), what)
TELLS(char *, strdup, (const char *text), (text), (errno = what, NULL))
TELLS(void *, malloc, (size_t size), (size), (errno = what, NULL))
TELLS(void *, calloc, (size_t n, size_t size), (n, size), (errno = what, NULL))

/* ---- calls with more arguments than they say, and those that are not what they were called */

/* Called under these names by the linker only. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

ssize_t __real_read(int fd, void *to, size_t len);
int __real_ioctl(int fd, unsigned long request, void *arg);
int __real_fcntl(int fd, int cmd, void *arg);
long __real_syscall(long number, ...);
int __real_io_uring_submit(struct io_uring *ring);

ssize_t __wrap_read(int fd, void *to, size_t len)
{
	if (!atomic_load(&armed.on))
		return __real_read(fd, to, len);
	if (is_eventfd(fd))
		FAIL_OR(SF_event_read, (void)0);
	else
		FAIL_OR(SF_read, len = half(len));
	return __real_read(fd, to, len);
}

ssize_t __wrap_write(int fd, const void *from, size_t len)
{
	if (!atomic_load(&armed.on))
		return __real_write(fd, from, len);
	if (!is_eventfd(fd)) {
		FAIL_OR(SF_write, len = half(len));
		return __real_write(fd, from, len);
	}
	/* It says so only when it is set. */
	if (__real_write(fd, from, len) < 0)
		return -1;
	FAIL_OR(SF_event_write, (void)0);
	return (ssize_t)len;
}

int __wrap_fdatasync(int fd)
{
	(void)fd;
	FAIL_OR(SF_fdatasync, (void)0);
	return 0;
}

int __wrap_fsync(int fd)
{
	(void)fd;
	FAIL_OR(SF_fsync, (void)0);
	return 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	FAIL_OR(SF_open, (void)0);
	return __real_open(path, flags, mode);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	FAIL_OR(SF_ioctl, (void)0);
	return __real_ioctl(fd, request, arg);
}

int __wrap_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	FAIL_OR(SF_fcntl, (void)0);
	return __real_fcntl(fd, cmd, arg);
}

long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list ap;

	va_start(ap, number);
	for (unsigned int i = 0; i < 6; i++)
		arg[i] = va_arg(ap, long);
	va_end(ap);
	FAIL_OR(SF_syscall, (void)0);
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* ---- io_uring: the kernel itself fails what is asked of it, since it is asked of another file */

static bool is_read(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_READ || sqe->opcode == IORING_OP_READV;
}

static bool is_list(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_READV || sqe->opcode == IORING_OP_WRITEV;
}

static void spoil(struct io_uring_sqe *sqe, int what)
{
	switch (what) {
	case SF_ZERO:
		sqe->len = 0;
		break;
	case SF_SHORT:
		sqe->len = is_list(sqe) ? (sqe->len + 1) / 2 : (unsigned int)half(sqe->len);
		break;
	case EAGAIN:
		sqe->fd = busy_pipe(is_read(sqe));
		sqe->rw_flags = RWF_NOWAIT;
		break;
	case ENOSPC:
		if (!is_read(sqe))
			sqe->fd = full_file();
		break;
	default:
		sqe->fd = file_of_errors();
		sqe->off = 0;
		break;
	}
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
	struct io_uring_sq *sq = &ring->sq;
	int what = fate(SF_io_uring_submit);

	if (what)
		return what == SF_ZERO ? 0 : -what;
	for (unsigned int at = sq->sqe_head; at != sq->sqe_tail; at++) {
		struct io_uring_sqe *sqe = &sq->sqes[at & sq->ring_mask];

		if (!is_read(sqe) && sqe->opcode != IORING_OP_WRITE &&
		    sqe->opcode != IORING_OP_WRITEV)
			continue;
		what = fate(SF_sqe);
		if (what)
			spoil(sqe, what);
	}
	return __real_io_uring_submit(ring);
}
