// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/driver.h"
#include "guest/guest.h"
#include "virtio/state.h"
#include "zone/serve.h"
#include "zone_fixture.h"

/* A zone that ran before this service and is not served by it: what is kept of it, and how long. */
#define FULL 7 /* devices of another zone: one of ours has room */

static struct {
	struct zf *f;
	struct hv_loop *loop;
	struct hv_serve *serve;
	struct hv_guests *guests;
	char state[128], path[2][256];
	uint64_t at[2];
} box;

static void open_service(void)
{
	const struct hv_serve_opts opts = { .state_dir = box.state, .loop = box.loop };

	assert_int_equal(hv_serve_new(box.f->hyp, &opts, &box.serve, &box.f->err), 0);
	box.f->machine.serve = box.serve;
}

static void must_apply(void)
{
	if (zf_apply(box.f, 0))
		fail_msg("not applied: %s", box.f->err.msg);
}

static struct hv_served *device(unsigned int i)
{
	struct hv_served *d = hv_serve_find(box.serve, 1, i ? "b" : "a");

	assert_non_null(d);
	return d;
}

/* Zone linux1 runs, and its service has ended. */
static int setup(void **state)
{
	const struct hv_guests_opts manual = { .manual = true };
	struct hv_zone_spec *z;
	struct zf *f;

	if (zf_setup(state))
		return -1;
	f = box.f = *state;
	snprintf(box.state, sizeof(box.state), "%s/devices", f->dir);
	assert_int_equal(hv_loop_new(&box.loop, &f->err), 0);
	assert_int_equal(hv_guests_new(f->hyp, &manual, &box.guests, &f->err), 0);
	z = zf_zone(f, "linux1", 1);
	z->dtb.present = false;
	zf_device(f, z, "rng", "a");
	zf_device(f, z, "rng", "b");
	open_service();
	must_apply();
	for (unsigned int i = 0; i < 2; i++) {
		box.at[i] = device(i)->at;
		snprintf(box.path[i], sizeof(box.path[i]), "%s/1-%llx-%llx", box.state,
			 (unsigned long long)box.at[i], (unsigned long long)device(i)->size);
		assert_int_equal(access(box.path[i], F_OK), 0);
	}
	hv_serve_free(box.serve);
	open_service();
	return 0;
}

static int teardown(void **state)
{
	char command[160];

	hv_serve_free(box.serve);
	hv_guests_free(box.guests);
	hv_loop_free(box.loop);
	snprintf(command, sizeof(command), "rm -rf %s", box.state);
	return system(command) || zf_teardown(state);
}

static void says(const char *words)
{
	if (!strstr(box.f->err.msg, words))
		fail_msg("\"%s\" does not say \"%s\"", box.f->err.msg, words);
}

static void is_kept(bool kept)
{
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(access(box.path[i], F_OK), kept ? 0 : -1);
	assert_int_equal(hv_serve_waits(box.serve, 1), kept);
	assert_int_equal(hv_serve_waits(box.serve, 0), kept);
}

static void watch(void)
{
	struct hv_zone_info zones[HV_MAX_ZONES];
	int n = hv_hyp_zone_list(box.f->hyp, zones, HV_MAX_ZONES, &box.f->err);

	assert_true(n > 0);
	hv_serve_running(box.serve, zones, n);
}

/* Who asks there is answered, if only that there is no device. */
static void finds_nothing(void)
{
	struct hv_guest *g = hv_guest_get(box.guests, 1);
	struct hv_gdev dev;

	assert_non_null(g);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(hv_gdev_probe(&dev, g, 0, box.at[i], 48), -ENXIO);
	hv_guest_put(g);
}

static void damage(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "nonsense", 8, 0), 8);
	close(fd);
}

static int lose_record(const struct hv_step *step, size_t index, uint64_t done, uint64_t total,
		       void *arg)
{
	(void)step;
	(void)index;
	(void)done;
	(void)total;
	return hv_records_drop(arg, 1, NULL);
}

/* It was there when the plan was made: what was left is of that start, whatever can be read now. */
static void a_record_that_cannot_be_read_spoils_nothing(void **state)
{
	struct zf *f = *state;
	struct hv_record record;
	struct hv_plan *plan;

	assert_int_equal(hv_records_get(f->records, 1, &record, &f->err), 0);
	zf_check(f);
	assert_int_equal(hv_plan_make(f->set, &f->machine, NULL, 0, 0, &plan, &f->err), 0);
	assert_int_equal(hv_plan_apply(plan, &f->machine, lose_record, f->records, &f->err),
			 -ENOENT);
	hv_plan_free(plan);
	says("zone linux1: serve: no record of zone 1; zone linux1 is left alone, and waits; "
	     "hvsh restart linux1 starts it anew");
	is_kept(true);
	assert_int_equal(hv_records_put(f->records, &record, &f->err), 0);
	must_apply();
	assert_true(hv_state_is_adopted(device(0)->dev.kept));
	assert_false(hv_serve_waits(box.serve, 0));
}

static void one_that_ends_is_waited_for_no_more(void **state)
{
	struct zf *f = *state;
	struct hv_record record;

	damage(box.path[1]);
	assert_int_equal(zf_apply(f, 0), -EBADMSG);
	says("; zone linux1 is left alone, and waits; ");
	watch();
	is_kept(true);
	assert_int_equal(hv_hyp_zone_stop(f->hyp, 1, &f->err), 0);
	watch();
	is_kept(false);
	/* Another program starts it. */
	assert_int_equal(hv_records_get(f->records, 1, &record, &f->err), 0);
	assert_int_equal(hv_hyp_zone_start(f->hyp, &record.config, &f->err), 0);
	finds_nothing();
}

/* Nobody waits for what is of a start before. */
static void one_that_cannot_begin_anew_does_not_wait(void **state)
{
	struct zf *f = *state;
	struct hv_record record;

	assert_int_equal(hv_records_get(f->records, 1, &record, &f->err), 0);
	record.life++;
	assert_int_equal(hv_records_put(f->records, &record, &f->err), 0);
	zf_fill(f, FULL);
	assert_int_equal(zf_apply(f, 0), -ENOSPC);
	says("; zone linux1 is not served; hvsh restart linux1 starts it anew");
	is_kept(false);
	finds_nothing();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_that_cannot_be_read_spoils_nothing),
		TEST(one_that_ends_is_waited_for_no_more),
		TEST(one_that_cannot_begin_anew_does_not_wait),
	};

	return cmocka_run_group_tests_name("adopt_refused", tests, NULL, NULL);
}
