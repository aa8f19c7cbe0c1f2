// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/failures.md for the beginning of every type of device: each call that the main thread makes
 * to make and to attach one, and that its threads make at the first start, fails once. It works all
 * the same, or says why not, and is made again as if nothing had been.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "each_device.h"
#include "fault_sweep.h"
#include "kept_log.h"
#include "told.h"

#define MAKER "maker" /* the thread that stands for the main one */

static void works_and_ends(const struct each_device *d)
{
	vrig_init(&ed_rig, &ed_dev, 1 << 20);
	if (!ed_answered(d))
		fail_msg("%s does not work: %s", d->name, kept_log_text());
	vrig_free(&ed_rig);
	hv_vdev_destroy(&ed_dev);
}

static const char *with(const struct each_device *d, const struct fault *f)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s: %s", d->name, sf_name(f->fault));
	return text;
}

/* ---- made and attached */

struct attempt {
	const struct each_device *device;
	struct hv_vbus bus;
	int made, attached;
	struct hv_err err;
};

static void ignore_irq(const struct hv_vbus *bus, uint32_t irq)
{
	(void)bus;
	(void)irq;
}

static void ignore_release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	(void)cpu;
}

static void *try_it(void *arg)
{
	struct attempt *a = arg;

	pthread_setname_np(pthread_self(), MAKER);
	a->made = a->device->make(&a->err);
	if (!a->made)
		a->attached = hv_vdev_attach(&ed_dev, &a->bus, 0xa000000, 0x200, 1, &a->err);
	return NULL;
}

/* Kinds of calls that were hit, by their numbers. */
static bool was_hit[SF_CALL_COUNT];

static bool make_once(const struct fault *f, unsigned int place, const void *arg)
{
	const struct each_device *d = arg;
	struct hv_gmem mem = { 0 };
	struct attempt a = { d, { &mem, "maker", ignore_irq, ignore_release, NULL }, 0, 0, { 0 } };
	unsigned int hit;
	pthread_t thread;

	kept_log_begin();
	if (d->before)
		d->before();
	memset(&ed_dev, 0, sizeof(ed_dev));
	sf_arm_on(f->fault, place, 1, MAKER);
	assert_int_equal(pthread_create(&thread, NULL, try_it, &a), 0);
	pthread_join(thread, NULL);
	hit = sf_disarm();
	if (a.made || a.attached) {
		if (!hit || !*a.err.msg)
			fail_msg("%s at place %u: refused %s: %s", with(d, f), place,
				 hit ? "without a word" : "for nothing", a.err.msg);
		if (getenv("SF_VERBOSE"))
			print_message("%s: %s\n", with(d, f), a.err.msg);
	} else {
		hv_vdev_detach(&ed_dev);
	}
	/* One that was not attached is attached now. */
	if (a.made)
		ed_make(d);
	works_and_ends(d);
	if (hit && !a.made) {
		ed_make(d);
		works_and_ends(d);
	}
	if (d->after)
		d->after();
	was_hit[f->fault.call] |= hit;
	return hit;
}

/* ---- the driver starts */

static bool start_once(const struct fault *f, unsigned int place, const void *arg)
{
	const struct each_device *d = arg;
	unsigned int hit;
	bool works;

	if (d->before)
		d->before();
	ed_make(d);
	vrig_init(&ed_rig, &ed_dev, 1 << 20);
	kept_log_begin();
	sf_arm(f->fault, place, 1);
	works = ed_answered(d);
	vrig_reclaim(&ed_rig);
	hit = sf_disarm();
	if (!works && !hit)
		fail_msg("%s: broken for nothing: %s", with(d, f), kept_log_text());
	/* One of several threads may have met it, whatever the others have answered. */
	if (!works || !hit)
		told(works ? NULL : ED_LINE, with(d, f), place);
	if (!ed_answered(d))
		fail_msg("%s at place %u: it does not work afterwards: %s", with(d, f), place,
			 kept_log_text());
	vrig_free(&ed_rig);
	hv_vdev_destroy(&ed_dev);
	if (d->after)
		d->after();
	was_hit[f->fault.call] |= hit;
	return hit;
}

static const struct fault faults[] = {
	{ .fault = { SF_malloc, ENOMEM } },
	{ .fault = { SF_calloc, ENOMEM } },
	{ .fault = { SF_posix_memalign, ENOMEM } },
	{ .fault = { SF_strdup, ENOMEM } },
	{ .fault = { SF_eventfd, EMFILE } },
	{ .fault = { SF_pthread_create, EAGAIN } },
	{ .fault = { SF_open, EMFILE } },
	{ .fault = { SF_open, EACCES } },
	{ .fault = { SF_socket, EMFILE } },
	{ .fault = { SF_ioctl, EPERM } },
	{ .fault = { SF_fcntl, ENOLCK } },
	{ .fault = { SF_flock, ENOLCK } },
	{ .fault = { SF_fstat, EIO } },
	{ .fault = { SF_ftruncate, EIO } },
	{ .fault = { SF_fallocate, EIO } },
	{ .fault = { SF_fdatasync, EIO } },
	{ .fault = { SF_fsync, EIO } },
	{ .fault = { SF_pread, EIO } },
	{ .fault = { SF_pwrite, ENOSPC } },
	{ .fault = { SF_getrandom, EAGAIN } },
	{ .fault = { SF_epoll_create1, EMFILE } },
	{ .fault = { SF_epoll_ctl, ENOSPC } },
	{ .fault = { SF_inotify_init1, EMFILE } },
	{ .fault = { SF_inotify_add_watch, ENOSPC } },
	{ .fault = { SF_posix_openpt, ENOSPC } },
	{ .fault = { SF_grantpt, EACCES } },
	{ .fault = { SF_unlockpt, EINVAL } },
	{ .fault = { SF_ptsname_r, ERANGE } },
	{ .fault = { SF_tcgetattr, EIO } },
	{ .fault = { SF_tcsetattr, EIO } },
	{ .fault = { SF_io_uring_queue_init, ENOMEM } },
	{ .fault = { SF_io_uring_get_probe_ring, ENOMEM } },
};

static void each(fault_once_fn *once)
{
	for (unsigned int i = 0; i < each_devices; i++) {
		if (each_device[i].possible && !each_device[i].possible())
			print_message("%s: not to be had here\n", each_device[i].name);
		else
			FAULT_SWEEP(once, faults, &each_device[i]);
	}
}

static void making(void **state)
{
	(void)state;
	each(make_once);
}

static void starting(void **state)
{
	(void)state;
	each(start_once);
}

/* A fault that meets no call shows nothing. */
static void none_for_nothing(void **state)
{
	/* With a direct image, a TAP or io_uring only, which not every machine has. */
	static const enum sf_call may_miss[] = { SF_posix_memalign, SF_socket, SF_ioctl,
						 SF_io_uring_queue_init,
						 SF_io_uring_get_probe_ring };

	(void)state;
	for (unsigned int i = 0; i < sizeof(may_miss) / sizeof(may_miss[0]); i++)
		was_hit[may_miss[i]] = true;
	for (unsigned int i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (!was_hit[faults[i].fault.call])
			fail_msg("%s: no such call was met", sf_name(faults[i].fault));
}

static int begin(void **state)
{
	ed_begin();
	return sf_begin(state);
}

static int end(void **state)
{
	(void)state;
	ed_end();
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, sf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(making),
		TEST(starting),
		TEST(none_for_nothing),
	};

	return cmocka_run_group_tests_name("every device: each call fails once", tests, begin, end);
}
