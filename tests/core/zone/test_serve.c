// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "virtio/dev/blk.h"
#include "zone/serve.h"
#include "zone_fixture.h"

/* Devices of zones that a plan starts: opened, attached, closed, and undone. */

struct box {
	struct zf *f;
	struct hv_loop *loop;
	struct hv_serve *serve;
	char lock[128];
};

static struct box box;

static int setup(void **state)
{
	struct hv_serve_opts opts = { .lock_path = box.lock };
	struct zf *f;

	if (zf_setup(state))
		return -1;
	f = *state;
	box.f = f;
	snprintf(box.lock, sizeof(box.lock), "%s/bridge.lock", f->dir);
	if (hv_loop_new(&box.loop, &f->err))
		return -1;
	opts.loop = box.loop;
	if (hv_serve_new(f->hyp, &opts, &box.serve, &f->err))
		return -1;
	f->machine.serve = box.serve;
	return 0;
}

static int teardown(void **state)
{
	hv_serve_free(box.serve);
	hv_loop_free(box.loop);
	return zf_teardown(state);
}

static void set_flag(struct zf *f, struct hv_spec_device *d, const char *key)
{
	zf_option(f, d,
		  (struct hv_spec_option){ .type = HV_OPT_BOOL, .key = key, .boolean = true });
}

static const char *disk(struct zf *f, const char *name)
{
	char sectors[4096];

	memset(sectors, 'x', sizeof(sectors));
	return zf_file(f, name, sectors, sizeof(sectors));
}

/* linux<id> with a disk of its own. */
static struct hv_spec_device *zone_with_disk(struct zf *f, uint32_t id, const char *image)
{
	static const char *const names[] = { "", "linux1", "linux2", "linux3" };
	struct hv_zone_spec *z = zf_zone(f, names[id], id);
	struct hv_spec_device *d = zf_device(f, z, "blk", "root");

	z->dtb.present = false;
	zf_text(f, d, "image", image);
	return d;
}

static void must_apply(struct zf *f, unsigned int flags)
{
	if (zf_apply(f, flags))
		fail_msg("not applied: %s", f->err.msg);
}

static void devices_live_as_long_as_their_zone(void **state)
{
	struct zf *f = *state;
	struct hv_served *d;

	zone_with_disk(f, 1, disk(f, "disk1"));
	zone_with_disk(f, 2, disk(f, "disk2"));
	must_apply(f, 0);
	assert_int_equal(hv_serve_count(box.serve), 2);
	d = hv_serve_find(box.serve, 2, "root");
	assert_non_null(d);
	assert_string_equal(d->dev.name, "linux2/root");
	assert_true(d->at >= ZF_SLOTS);
	assert_ptr_equal(hv_serve_by_serial(box.serve, d->serial), d);
	assert_true(hv_serve_expects(box.serve, 2));
	assert_int_equal(hv_zone_stop(&f->machine, 2, &f->err), 0);
	assert_int_equal(hv_serve_count(box.serve), 1);
	assert_null(hv_serve_find(box.serve, 2, "root"));
	assert_false(hv_serve_has(box.serve, 2));
	/* It can be started again: nothing of it is held. */
	must_apply(f, 0);
	assert_int_equal(hv_serve_count(box.serve), 2);
	must_apply(f, HV_PLAN_FORCE);
	assert_int_equal(hv_serve_count(box.serve), 2);
}

static void the_bridge_has_one_owner(void **state)
{
	struct zf *f = *state;
	int fd = open(box.lock, O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_true(write(fd, "4711\n", 5) == 5);
	zone_with_disk(f, 1, disk(f, "disk1"));
	assert_int_equal(zf_apply(f, 0), -EBUSY);
	assert_non_null(strstr(f->err.msg, "process 4711 serves this machine's zones already"));
	assert_int_equal(zf_running(f), 0);
	close(fd);
	must_apply(f, 0);
}

static void without_devices_nothing_is_taken(void **state)
{
	struct zf *f = *state;
	struct stat st;

	zf_zone(f, "linux1", 1);
	must_apply(f, 0);
	assert_int_equal(stat(box.lock, &st), -1);
	assert_int_equal(hv_serve_count(box.serve), 0);
}

static void an_image_in_use_stops_it_before_anything_is_written(void **state)
{
	struct zf *f = *state;
	const char *second = disk(f, "disk2");
	struct hv_blk_opts opts = { .image = second };
	struct hv_vdev other = { 0 };

	assert_int_equal(hv_blk_init(&other, "other/disk", &opts, &f->err), 0);
	zone_with_disk(f, 1, disk(f, "disk1"));
	zone_with_disk(f, 2, second);
	/* Any write would be another error. */
	assert_int_equal(hv_sim_fault(f->hyp, "errno:load:EIO:*", &f->err), 0);
	assert_int_equal(zf_apply(f, 0), -EBUSY);
	assert_non_null(strstr(f->err.msg, "zone linux2: serve"));
	assert_non_null(strstr(f->err.msg, "linux2/root"));
	assert_non_null(strstr(f->err.msg, "zones.lua:250"));
	/* What linux1 had is closed again. */
	assert_int_equal(hv_serve_count(box.serve), 0);
	hv_vdev_destroy(&other);
	opts.image = disk(f, "disk1");
	assert_int_equal(hv_blk_init(&other, "other/disk", &opts, &f->err), 0);
	hv_vdev_destroy(&other);
}

static void a_start_that_fails_closes_the_devices(void **state)
{
	struct zf *f = *state;

	zone_with_disk(f, 1, disk(f, "disk1"));
	zone_with_disk(f, 2, disk(f, "disk2"));
	assert_int_equal(hv_sim_fault(f->hyp, "busy-cpu:3", &f->err), 0);
	assert_int_equal(zf_apply(f, 0), -EBUSY);
	assert_int_equal(zf_running(f), 0);
	assert_int_equal(hv_serve_count(box.serve), 0);
	assert_false(hv_serve_has(box.serve, 1));
}

static void a_zone_that_runs_is_served_anew(void **state)
{
	struct zf *f = *state;

	zone_with_disk(f, 1, disk(f, "disk1"));
	must_apply(f, 0);
	/* As after the end of the process that served it. */
	hv_serve_drop(box.serve, 1);
	must_apply(f, 0);
	assert_int_equal(zf_running(f), 1);
	assert_true(hv_serve_expects(box.serve, 1));
	assert_int_equal(hv_serve_count(box.serve), 1);
}

static void a_device_comes_and_goes(void **state)
{
	struct zf *f = *state;
	struct hv_spec_device late = { .type = "blk", .name = "late" };
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct hv_served *d, *other;
	uint64_t at, first;

	z->dtb.present = false;
	zf_device(f, z, "slot", "spare");
	zf_device(f, z, "rng", "rng0");
	must_apply(f, 0);
	assert_int_equal(hv_serve_count(box.serve), 1);
	zf_text(f, &late, "image", disk(f, "late"));
	assert_int_equal(hv_serve_add(box.serve, 1, &late, &d, &f->err), 0);
	at = d->at;
	first = d->serial;
	assert_int_equal(hv_serve_add(box.serve, 1, &late, &other, &f->err), -EEXIST);
	late.name = "later";
	assert_int_equal(hv_serve_add(box.serve, 1, &late, &other, &f->err), -ENOSPC);
	assert_non_null(strstr(f->err.msg, "linux1/later"));
	late.has_at = true;
	late.at = at;
	assert_int_equal(hv_serve_add(box.serve, 1, &late, &other, &f->err), -EBUSY);
	late.at = at + 0x10000;
	assert_int_equal(hv_serve_add(box.serve, 1, &late, &other, &f->err), -EINVAL);
	hv_serve_remove(d);
	assert_null(hv_serve_by_serial(box.serve, first));
	late.at = at;
	assert_int_equal(hv_serve_add(box.serve, 1, &late, &d, &f->err), 0);
	assert_int_not_equal(d->serial, first);
	assert_int_equal(hv_serve_add(box.serve, 2, &late, &other, &f->err), -ENOENT);
}

/* ---- the checks */

static void a_disk_that_is_missing(void **state)
{
	struct zf *f = *state;

	zone_with_disk(f, 1, "/nowhere/disk");
	zf_expect(f, HV_ERROR, "disk-image", "disk image /nowhere/disk: No such file", "linux1",
		  "blk root", 150);
}

static void a_disk_that_is_none(void **state)
{
	struct zf *f = *state;

	zone_with_disk(f, 1, f->dir);
	zf_expect(f, HV_ERROR, "disk-image", "is neither a file nor a block device", "linux1",
		  "blk root", 150);
}

static void a_disk_shorter_than_a_sector(void **state)
{
	struct zf *f = *state;

	zone_with_disk(f, 1, zf_file(f, "tiny", "tiny", 4));
	zf_expect(f, HV_ERROR, "disk-image", "has 4 bytes, less than one sector", "linux1",
		  "blk root", 150);
}

static void a_disk_that_two_write(void **state)
{
	struct zf *f = *state;
	const char *image = disk(f, "disk");

	zone_with_disk(f, 1, image);
	zone_with_disk(f, 2, image);
	zf_expect(f, HV_ERROR, "disk-shared", "belongs to blk root of linux1", "linux2", "blk root",
		  250);
	zf_expect_other(f, "disk-shared", "linux1", "blk root", 150);
}

static void a_disk_that_two_read(void **state)
{
	struct zf *f = *state;
	const char *image = disk(f, "disk");

	set_flag(f, zone_with_disk(f, 1, image), "readonly");
	set_flag(f, zone_with_disk(f, 2, image), "snapshot");
	zf_text(f, zone_with_disk(f, 3, image), "overlay", "/tmp/none-yet");
	zf_expect_clean(f);
}

static void an_overlay_on_the_disk_of_another(void **state)
{
	struct zf *f = *state;
	const char *image = disk(f, "disk");

	zone_with_disk(f, 1, image);
	zf_text(f, zone_with_disk(f, 2, disk(f, "base")), "overlay", image);
	zf_expect(f, HV_ERROR, "disk-shared", "belongs to", "linux2", "blk root", 250);
}

static void taps_and_addresses_are_unique(void **state)
{
	struct zf *f = *state;

	for (uint32_t id = 1; id <= 2; id++) {
		struct hv_zone_spec *z = zf_zone(f, id == 1 ? "linux1" : "linux2", id);
		struct hv_spec_device *d = zf_device(f, z, "net", "eth0");

		z->dtb.present = false;
		zf_text(f, d, "tap", "tap7");
		zf_text(f, d, "mac", id == 1 ? "52:54:00:aa:bb:cc" : "52:54:00:AA:BB:CC");
	}
	zf_check(f);
	assert_non_null(strstr(zf_find(f, "tap-taken")->message, "TAP tap7 belongs to net eth0"));
	assert_non_null(strstr(zf_find(f, "mac-taken")->message, "hardware address"));
	assert_int_equal(f->findings.n_errors, 2);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(devices_live_as_long_as_their_zone),
		T(the_bridge_has_one_owner),
		T(without_devices_nothing_is_taken),
		T(an_image_in_use_stops_it_before_anything_is_written),
		T(a_start_that_fails_closes_the_devices),
		T(a_zone_that_runs_is_served_anew),
		T(a_device_comes_and_goes),
		T(a_disk_that_is_missing),
		T(a_disk_that_is_none),
		T(a_disk_shorter_than_a_sector),
		T(a_disk_that_two_write),
		T(a_disk_that_two_read),
		T(an_overlay_on_the_disk_of_another),
		T(taps_and_addresses_are_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
