// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

static bool has_record(struct zf *f, uint32_t id)
{
	static struct hv_record record;

	return !hv_records_get(f->records, id, &record, NULL);
}

static void must_apply(struct zf *f, unsigned int flags)
{
	if (zf_apply(f, flags))
		fail_msg("not applied: %s", f->err.msg);
}

static void fault(struct zf *f, const char *text)
{
	assert_int_equal(hv_sim_fault(f->hyp, text, &f->err), 0);
}

static void memory_holds_the_images(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	const struct hv_zone *zone;
	unsigned char bytes[256];

	z->initrd.present = true;
	z->initrd.path = zf_file(f, "initrd", "an initrd", 9);
	z->cmdline = "quiet";
	must_apply(f, 0);
	zone = hv_zone_set_at(f->set, 0);
	assert_int_equal(hv_sim_read(f->hyp, zone->abi.kernel_phys, bytes, 64, &f->err), 0);
	assert_memory_equal(bytes + 56, "ARM\x64", 4);
	assert_int_equal(hv_sim_read(f->hyp, zone->abi.dtb_phys, bytes, 4, &f->err), 0);
	assert_memory_equal(bytes, "\xd0\x0d\xfe\xed", 4);
	for (size_t i = 0; i < zone->n_placements; i++)
		if (zone->placements[i].kind == HV_PLACE_INITRD)
			assert_int_equal(
				hv_sim_read(f->hyp, zone->placements[i].phys, bytes, 9, &f->err),
				0);
	assert_memory_equal(bytes, "an initrd", 9);
	assert_int_equal(zf_running(f), 1);
	assert_true(has_record(f, 1));
}

static void applied_again_it_changes_nothing(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	must_apply(f, 0);
	/* Any write or start from here on would fail. */
	fault(f, "errno:load:EIO:*");
	fault(f, "errno:start:EIO:*");
	must_apply(f, 0);
	must_apply(f, HV_PLAN_RESTART);
	assert_int_equal(zf_running(f), 2);
}

static void a_busy_cpu_undoes_the_zones_before(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	fault(f, "busy-cpu:3");
	assert_int_equal(zf_apply(f, 0), -EBUSY);
	assert_non_null(strstr(f->err.msg, "zone linux2: start"));
	assert_non_null(strstr(f->err.msg, "; zone linux1 was stopped again"));
	assert_int_equal(zf_running(f), 0);
	assert_false(has_record(f, 1));
	assert_false(has_record(f, 2));
}

static void an_undo_that_fails_is_said(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	fault(f, "busy-cpu:3");
	fault(f, "errno:stop:EIO");
	assert_int_equal(zf_apply(f, 0), -EBUSY);
	assert_non_null(strstr(f->err.msg, "zone linux1 could not be stopped again ("));
	/* It runs, so what it was started with must still be known. */
	assert_int_equal(zf_running(f), 1);
	assert_true(has_record(f, 1));
}

static void a_load_that_fails_starts_nothing(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	fault(f, "errno:load:EIO");
	assert_int_equal(zf_apply(f, 0), -EIO);
	assert_non_null(strstr(f->err.msg, "zone linux1: load kernel Image"));
	assert_int_equal(zf_running(f), 0);
	assert_false(has_record(f, 1));
}

static void a_restart_that_fails_says_what_stays_stopped(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	must_apply(f, 0);
	fault(f, "errno:start:EIO");
	assert_int_equal(zf_apply(f, HV_PLAN_FORCE), -EIO);
	assert_non_null(strstr(f->err.msg, "zone linux1 had been stopped and stays so"));
	assert_int_equal(zf_running(f), 0);
	assert_false(has_record(f, 1));
}

/* A zone that runs and nobody remembers is worse than one that does not run. */
static void a_record_that_cannot_be_kept(void **state)
{
	struct zf *f = *state;
	char dir[96];

	hv_records_close(f->records);
	snprintf(dir, sizeof(dir), "%s/records", f->dir);
	assert_int_equal(hv_records_open(dir, &f->records, &f->err), 0);
	f->machine.records = f->records;
	zf_file(f, "records", "in the way", 10);
	zf_zone(f, "linux1", 1);
	assert_true(zf_apply(f, 0) < 0);
	assert_non_null(strstr(f->err.msg, "zone linux1: start: "));
	assert_non_null(strstr(f->err.msg, "; zone linux1 "));
	assert_int_equal(zf_running(f), 0);
}

static int cancel_at(const struct hv_step *step, size_t index, uint64_t done, uint64_t total,
		     void *arg)
{
	size_t *at = arg;

	(void)done;
	assert_true(total == 0 || step->placement);
	return index == *at;
}

static void cancelled_it_undoes_all(void **state)
{
	struct zf *f = *state;
	struct hv_plan *plan;
	size_t at = 4;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	zf_check(f);
	assert_int_equal(hv_plan_make(f->set, &f->machine, NULL, 0, 0, &plan, &f->err), 0);
	assert_int_equal(hv_plan_apply(plan, &f->machine, cancel_at, &at, &f->err), -ECANCELED);
	assert_non_null(
		strstr(f->err.msg,
		       "zone linux2: write dtb zone2.dtb: cancelled; zone linux1 was stopped"));
	assert_int_equal(zf_running(f), 0);
	hv_plan_free(plan);
}

/* Between plan and apply: its memory is not written over. */
static void a_zone_started_meanwhile_is_left_alone(void **state)
{
	struct zf *f = *state;
	unsigned char bytes[4] = { 1, 2, 3, 4 }, now[4];
	struct hv_plan *plan;
	struct hv_abi_zone abi;

	zf_zone(f, "linux1", 1);
	zf_check(f);
	assert_int_equal(hv_plan_make(f->set, &f->machine, NULL, 0, 0, &plan, &f->err), 0);
	abi = hv_zone_set_at(f->set, 0)->abi;
	assert_int_equal(hv_hyp_load_mem(f->hyp, bytes, 4, abi.kernel_phys, &f->err), 0);
	assert_int_equal(hv_hyp_zone_start(f->hyp, &abi, &f->err), 0);
	assert_int_equal(hv_plan_apply(plan, &f->machine, NULL, NULL, &f->err), -EEXIST);
	assert_int_equal(hv_sim_read(f->hyp, abi.kernel_phys, now, 4, &f->err), 0);
	assert_memory_equal(now, bytes, 4);
	assert_int_equal(zf_running(f), 1);
	hv_plan_free(plan);
}

static void a_failed_zone_is_started_anew(void **state)
{
	struct zf *f = *state;
	struct hv_zone_info list[HV_MAX_ZONES];

	zf_zone(f, "linux1", 1);
	must_apply(f, 0);
	fault(f, "crash:1");
	must_apply(f, 0);
	assert_int_equal(hv_hyp_zone_list(f->hyp, list, HV_MAX_ZONES, &f->err), 2);
	assert_true(list[1].is_err);
	must_apply(f, HV_PLAN_RESTART);
	assert_int_equal(hv_hyp_zone_list(f->hyp, list, HV_MAX_ZONES, &f->err), 2);
	assert_false(list[1].is_err);
}

/* hvisor says nothing when a guest powers off: its record does not make it look alive. */
static void a_zone_gone_by_itself_is_started_again(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	must_apply(f, 0);
	fault(f, "die:1");
	assert_int_equal(zf_running(f), 0);
	must_apply(f, 0);
	assert_int_equal(zf_running(f), 1);
}

/* Our own zone would be called one that somebody else started. */
static void no_plan_without_the_records(void **state)
{
	struct zf *f = *state;
	struct hv_plan *plan = NULL;
	struct rlimit all, few;
	char dir[128];
	int free_fd, checked, planned;

	hv_records_close(f->records);
	snprintf(dir, sizeof(dir), "%s/records", f->dir);
	assert_int_equal(hv_records_open(dir, &f->records, &f->err), 0);
	f->machine.records = f->records;
	zf_zone(f, "linux1", 1);
	must_apply(f, 0);
	free_fd = dup(0);
	assert_true(free_fd > 0);
	close(free_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = (struct rlimit){ (rlim_t)free_fd + 1, all.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	planned = hv_plan_make(f->set, &f->machine, NULL, 0, 0, &plan, &f->err);
	checked = hv_zone_set_check(f->set, &f->machine, &f->findings, &f->err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(checked, -EMFILE);
	assert_int_equal(planned, -EMFILE);
	assert_non_null(strstr(f->err.msg, "open files"));
	must_apply(f, 0);
	assert_int_equal(zf_running(f), 1);
}

static void stopping(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	must_apply(f, 0);
	assert_int_equal(hv_zone_stop(&f->machine, 0, &f->err), -EPERM);
	assert_int_equal(hv_zone_stop(&f->machine, 2, &f->err), -ENOENT);
	assert_int_equal(hv_zone_stop(&f->machine, 1, &f->err), 0);
	assert_int_equal(zf_running(f), 0);
	assert_false(has_record(f, 1));
	assert_int_equal(hv_zone_stop(&f->machine, 1, &f->err), -ENOENT);
	f->machine.hyp = NULL;
	assert_int_equal(hv_zone_stop(&f->machine, 1, &f->err), -ENODEV);
}

static void twenty_restarts(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	for (int i = 0; i < 20; i++)
		must_apply(f, HV_PLAN_FORCE);
	assert_int_equal(zf_running(f), 1);
}

static void checks_make_no_hypercall_but_version_and_list(void **state)
{
	struct zf *f = *state;

	zf_zone(f, "linux1", 1);
	fault(f, "errno:start:EIO:*");
	fault(f, "errno:stop:EIO:*");
	fault(f, "errno:load:EIO:*");
	fault(f, "errno:map:EIO:*");
	fault(f, "errno:bridge:EIO:*");
	fault(f, "errno:inject:EIO:*");
	zf_expect_clean(f);
	fault(f, "errno:list:EIO");
	assert_int_equal(hv_zone_set_check(f->set, &f->machine, &f->findings, &f->err), -EIO);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(memory_holds_the_images),
		T(applied_again_it_changes_nothing),
		T(a_busy_cpu_undoes_the_zones_before),
		T(an_undo_that_fails_is_said),
		T(a_load_that_fails_starts_nothing),
		T(a_restart_that_fails_says_what_stays_stopped),
		T(a_record_that_cannot_be_kept),
		T(cancelled_it_undoes_all),
		T(a_zone_started_meanwhile_is_left_alone),
		T(a_failed_zone_is_started_anew),
		T(a_zone_gone_by_itself_is_started_again),
		T(no_plan_without_the_records),
		T(stopping),
		T(twenty_restarts),
		T(checks_make_no_hypercall_but_version_and_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
