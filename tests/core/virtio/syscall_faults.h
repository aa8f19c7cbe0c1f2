/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_VIRTIO_SYSCALL_FAULTS_H
#define TESTS_VIRTIO_SYSCALL_FAULTS_H

#include <stdbool.h>

/*
 * Faults for what the I/O threads ask of the kernel and of the heap. A program that is linked with
 * these calls wrapped (Makefile) does them as ever, but for the one that is told to fail: by its
 * number, counted from 1, among all of its kind on threads of the service. The test's own thread
 * and those it makes itself with sf_mine() are never hit; what a main thread does is done for them
 * by a thread that the test makes without it.
 *
 *	sf_arm((struct sf_fault){ SF_pwritev2, EIO }, 3, 1);	the third fails
 *	…
 *	if (!sf_disarm())					there was no third
 *
 * A failing call has not happened. What cannot be told from outside is done as the kernel does
 * it: an eventfd refuses to be written only when it is set already. Nothing waits for a real disk:
 * fdatasync and fsync have nothing to do.
 *
 * preadv2 and pwritev2 are those that must not wait (RWF_NOWAIT); without it they are the same as
 * preadv and pwritev, and count as these.
 */
#define SF_CALLS(X)                                                                                \
	X(preadv)                                                                                  \
	X(preadv2)                                                                                 \
	X(pwritev)                                                                                 \
	X(pwritev2)                                                                                \
	X(pread)                                                                                   \
	X(pwrite)                                                                                  \
	X(read)                                                                                    \
	X(write)                                                                                   \
	X(readv)                                                                                   \
	X(writev)                                                                                  \
	X(fdatasync)                                                                               \
	X(fsync)                                                                                   \
	X(fallocate)                                                                               \
	X(ftruncate)                                                                               \
	X(fstat)                                                                                   \
	X(open)                                                                                    \
	X(rename)                                                                                  \
	X(flock)                                                                                   \
	X(poll)                                                                                    \
	X(ppoll)                                                                                   \
	X(epoll_wait)                                                                              \
	X(epoll_ctl)                                                                               \
	X(ioctl)                                                                                   \
	X(getrandom)                                                                               \
	X(eventfd)                                                                                 \
	X(io_uring_queue_init)                                                                     \
	X(io_uring_submit)                                                                         \
	X(io_uring_get_probe_ring)                                                                 \
	X(syscall)                                                                                 \
	X(pthread_create)                                                                          \
	X(epoll_create1)                                                                           \
	X(inotify_init1)                                                                           \
	X(inotify_add_watch)                                                                       \
	X(socket)                                                                                  \
	X(posix_openpt)                                                                            \
	X(grantpt)                                                                                 \
	X(unlockpt)                                                                                \
	X(ptsname_r)                                                                               \
	X(tcgetattr)                                                                               \
	X(tcsetattr)                                                                               \
	X(fcntl)                                                                                   \
	X(strdup)                                                                                  \
	X(malloc)                                                                                  \
	X(calloc)                                                                                  \
	X(posix_memalign)

enum sf_call {
#define X(name) SF_##name,
	SF_CALLS(X)
#undef X
		SF_event_read, /* read() of an eventfd, which is not one of SF_read */
	SF_event_write,	       /* write() to one */
	SF_sqe,		       /* a read or write in a submission to io_uring, not the submission */
	SF_CALL_COUNT,
};

enum {
	SF_SHORT = -1, /* half of what it is asked for */
	SF_ZERO = -2,  /* nothing, and no error */
};

struct sf_fault {
	enum sf_call call;
	int what; /* errno, SF_SHORT or SF_ZERO */
};

/* From the nth on, `times` calls; 0 = all. thread: only on threads whose name begins so, NULL =
 * all. */
void sf_arm_on(struct sf_fault fault, unsigned int nth, unsigned int times, const char *thread);
void sf_arm(struct sf_fault fault, unsigned int nth, unsigned int times);
/* Returns how many calls were hit. */
unsigned int sf_disarm(void);
/* The same, without an end. */
unsigned int sf_hits(void);
/* How many of the armed kind there were since then. */
unsigned int sf_seen(void);
/* As if nothing were in the page cache: RWF_NOWAIT is always refused. */
extern _Atomic bool sf_nowait_refused;

/* The calling thread belongs to the test. */
void sf_mine(void);
/* Around a test, for cmocka: sf_mine, and sf_disarm. */
int sf_begin(void **state);
int sf_end(void **state);

/* "pwritev2 EIO", in a place of its own per thread. */
const char *sf_name(struct sf_fault fault);

/* Descriptors and threads of this process. */
struct sf_owned {
	unsigned int fds, threads;
};
struct sf_owned sf_count(void);
/*
 * There are no more than before. Waits for it: a thread that was joined, or one of the kernel's for
 * a ring, is listed a little longer.
 */
void sf_expect(struct sf_owned before);

#endif
