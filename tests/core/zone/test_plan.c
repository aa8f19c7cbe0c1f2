// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone_fixture.h"

static struct hv_plan *plan(struct zf *f, const char *const *names, size_t n, unsigned int flags)
{
	struct hv_plan *p = NULL;

	zf_check(f);
	if (hv_plan_make(f->set, &f->machine, names, n, flags, &p, &f->err))
		fail_msg("no plan: %s", f->err.msg);
	return p;
}

static int refused(struct zf *f, const char *const *names, size_t n, unsigned int flags)
{
	struct hv_plan *p = NULL;

	return hv_plan_make(f->set, &f->machine, names, n, flags, &p, &f->err);
}

/* "stop linux1, load kernel Image, …" */
static void expect_steps(const struct hv_plan *p, const char *expected)
{
	char text[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s", i ? ", " : "",
					hv_step_kind_name(p->steps[i].kind),
					p->steps[i].placement ? p->steps[i].placement->what
							      : p->steps[i].zone->spec->name);
	assert_string_equal(text, expected);
}

static void expect_change(const struct hv_plan *p, const char *field, const char *from,
			  const char *to)
{
	for (size_t i = 0; i < p->deltas[0].n_changes; i++) {
		const struct hv_change *c = &p->deltas[0].changes[i];

		if (strcmp(c->field, field))
			continue;
		if (from)
			assert_string_equal(c->from, from);
		if (to)
			assert_string_equal(c->to, to);
		return;
	}
	fail_msg("no change of %s", field);
}

static void steps_are_in_the_order_of_the_script(void **state)
{
	struct zf *f = *state;
	struct hv_plan *p;

	zf_zone(f, "linux2", 2);
	zf_zone(f, "linux1", 1);
	p = plan(f, NULL, 0, 0);
	assert_int_equal(p->n_deltas, 2);
	assert_string_equal(hv_zone_state_name(p->deltas[0].state), "absent");
	expect_steps(p, "load kernel Image, write dtb zone2.dtb, start linux2, "
			"load kernel Image, write dtb zone1.dtb, start linux1");
	hv_plan_free(p);
}

static void only_the_zones_asked_for(void **state)
{
	static const char *const one[] = { "linux1" }, *const unknown[] = { "linux3" };
	struct zf *f = *state;
	struct hv_plan *p;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	p = plan(f, one, 1, 0);
	expect_steps(p, "load kernel Image, write dtb zone1.dtb, start linux1");
	hv_plan_free(p);
	assert_int_equal(refused(f, unknown, 1, 0), -ENOENT);
	assert_string_equal(f->err.msg, "there is no zone linux3; the script has linux1, linux2");
}

static void errors_forbid_a_plan(void **state)
{
	static const char *const one[] = { "linux1" }, *const three[] = { "linux3" };
	struct zf *f = *state;
	struct hv_plan *p;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2)->cpus = 1 << 2;
	zf_zone(f, "linux3", 3);
	assert_int_equal(refused(f, NULL, 0, 0), -EINVAL);
	assert_string_equal(f->err.msg, "the zones have not been checked");
	zf_check(f);
	/* Both parties of an error; who is not one may start. */
	assert_int_equal(refused(f, NULL, 0, 0), -EINVAL);
	assert_int_equal(refused(f, one, 1, 0), -EINVAL);
	assert_non_null(strstr(f->err.msg, "zone linux1 has 1 error"));
	p = plan(f, three, 1, 0);
	assert_int_equal(p->n_deltas, 1);
	hv_plan_free(p);
}

static void nothing_to_do_when_all_is_the_same(void **state)
{
	struct zf *f = *state;
	struct hv_plan *p;

	zf_device(f, zf_zone(f, "linux1", 1), "blk", "root");
	assert_int_equal(zf_apply(f, 0), 0);
	zf_new_set(f);
	zf_device(f, zf_zone(f, "linux1", 1), "blk", "root");
	/* The fixture wrote the kernel anew: the same file again only if its time is, too. */
	p = plan(f, NULL, 0, 0);
	hv_plan_free(p);
	assert_int_equal(zf_apply(f, HV_PLAN_RESTART), 0);
	p = plan(f, NULL, 0, HV_PLAN_RESTART);
	assert_int_equal(p->deltas[0].state, HV_ZONE_SAME);
	expect_steps(p, "");
	assert_int_equal(p->deltas[0].n_changes, 0);
	hv_plan_free(p);
	p = plan(f, NULL, 0, HV_PLAN_FORCE);
	expect_steps(p, "stop linux1, load kernel Image, write dtb zone1.dtb, start linux1");
	hv_plan_free(p);
}

static void changes_are_named(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct hv_plan *p;

	assert_int_equal(zf_apply(f, 0), 0);
	z->cpus = 1 << 2 | 1 << 6;
	((struct hv_spec_region *)z->regions)->size = ZF_RAM_SIZE * 2;
	zf_irq(f, z, 40);
	zf_region(f, z, HV_REGION_IO, 0x9000000, 0x1000);
	z->cmdline = "quiet";
	z->kernel.path = zf_kernel(f, "Image2", 4096, 65536);
	z->has_arch_config = true;
	z->arm64 = f->board.gic;
	z->arm64.gits_base = 0x8080000;
	p = plan(f, NULL, 0, 0);
	assert_int_equal(p->deltas[0].state, HV_ZONE_CHANGED);
	expect_steps(p, "");
	expect_change(p, "cpus", "2", "2 and 6");
	expect_change(p, "region 0 size", "0x8000000", "0x10000000");
	expect_change(p, "region 1", "none", "io 0x9000000+0x1000");
	expect_change(p, "irqs", "", "40");
	expect_change(p, "gits base", "0x0", "0x8080000");
	expect_change(p, "kernel Image2", NULL, NULL);
	expect_change(p, "kernel size", "0x2000", "0x1000");
	expect_change(p, "dtb zone1.dtb", NULL, NULL);
	hv_plan_free(p);
	p = plan(f, NULL, 0, HV_PLAN_RESTART);
	expect_steps(p, "stop linux1, load kernel Image2, write dtb zone1.dtb, start linux1");
	hv_plan_free(p);
}

static void same_size_other_file(struct zf *f, bool touched)
{
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct timespec times[2];
	struct hv_plan *p;
	struct stat st;
	char old[128];

	assert_int_equal(zf_apply(f, 0), 0);
	assert_int_equal(stat(z->kernel.path, &st), 0);
	times[0] = times[1] = st.st_mtim;
	if (touched) {
		times[1].tv_sec -= 60;
	} else {
		snprintf(old, sizeof(old), "%s/old", f->dir);
		assert_int_equal(rename(z->kernel.path, old), 0);
		zf_kernel(f, "Image", 8192, 65536);
	}
	assert_int_equal(utimensat(AT_FDCWD, z->kernel.path, times, 0), 0);
	p = plan(f, NULL, 0, 0);
	assert_int_equal(p->deltas[0].state, HV_ZONE_CHANGED);
	assert_int_equal(p->deltas[0].n_changes, 1);
	expect_change(p, "kernel Image", touched ? NULL : "the file as it was", NULL);
	hv_plan_free(p);
}

static void another_file_of_the_same_name(void **state)
{
	same_size_other_file(*state, false);
}

static void a_file_written_anew(void **state)
{
	same_size_other_file(*state, true);
}

/* The same file under its old name, written to in the tree's case: only the contents tell. */
static void a_tree_with_other_contents(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z = zf_zone(f, "linux1", 1);
	struct zf_tree t = zf_tree_of(z);
	struct hv_plan *p;

	assert_int_equal(zf_apply(f, 0), 0);
	t.bootargs = "console=hvc1";
	z->dtb.path = zf_dtb(f, "zone1.dtb", &t);
	p = plan(f, NULL, 0, 0);
	assert_int_equal(p->deltas[0].state, HV_ZONE_CHANGED);
	assert_int_equal(p->deltas[0].n_changes, 1);
	expect_change(p, "dtb zone1.dtb", "contents as they were", "other contents");
	hv_plan_free(p);
}

static void stops_come_first(void **state)
{
	struct zf *f = *state;
	struct hv_plan *p;

	zf_zone(f, "linux1", 1);
	zf_zone(f, "linux2", 2);
	assert_int_equal(zf_apply(f, 0), 0);
	p = plan(f, NULL, 0, HV_PLAN_FORCE);
	expect_steps(
		p,
		"stop linux1, stop linux2, load kernel Image, write dtb zone1.dtb, start linux1, "
		"load kernel Image, write dtb zone2.dtb, start linux2");
	hv_plan_free(p);
}

static void foreign_and_failed_zones(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *z;
	struct hv_plan *p;

	z = zf_zone(f, "linux1", 1);
	assert_int_equal(zf_apply(f, 0), 0);
	assert_int_equal(hv_records_drop(f->records, 1, &f->err), 0);
	p = plan(f, NULL, 0, HV_PLAN_RESTART);
	assert_string_equal(hv_zone_state_name(p->deltas[0].state), "foreign");
	expect_steps(p, "");
	hv_plan_free(p);
	p = plan(f, NULL, 0, HV_PLAN_FORCE);
	assert_int_equal(hv_plan_apply(p, &f->machine, NULL, NULL, &f->err), 0);
	hv_plan_free(p);

	assert_int_equal(hv_sim_fault(f->hyp, "crash:1", &f->err), 0);
	p = plan(f, NULL, 0, 0);
	assert_string_equal(hv_zone_state_name(p->deltas[0].state), "failed");
	expect_steps(p, "");
	hv_plan_free(p);
	p = plan(f, NULL, 0, HV_PLAN_RESTART);
	assert_int_equal(p->n_steps, 4);
	hv_plan_free(p);

	/* A record of an earlier life is not believed. */
	assert_int_equal(hv_zone_stop(&f->machine, 1, &f->err), 0);
	assert_int_equal(zf_apply(f, 0), 0);
	assert_int_equal(hv_hyp_zone_stop(f->hyp, 1, &f->err), 0);
	struct hv_abi_zone other = hv_zone_set_at(f->set, 0)->abi;

	other.cpus = 1 << 5;
	assert_int_equal(hv_hyp_zone_start(f->hyp, &other, &f->err), 0);
	p = plan(f, NULL, 0, 0);
	assert_int_equal(p->deltas[0].state, HV_ZONE_FOREIGN);
	hv_plan_free(p);
	assert_non_null(z);
}

/* linux1 is left as it runs, with the interrupt that the script now gives to linux2. */
static void what_a_changed_zone_still_holds(void **state)
{
	struct zf *f = *state;
	struct hv_zone_spec *one = zf_zone(f, "linux1", 1), *two;
	struct hv_plan *p;

	zf_irq(f, one, 76);
	assert_int_equal(zf_apply(f, 0), 0);
	one->n_irqs = 0;
	two = zf_zone(f, "linux2", 2);
	zf_irq(f, two, 76);
	zf_check(f);
	assert_int_equal(f->findings.n_errors, 0);
	assert_int_equal(refused(f, NULL, 0, 0), -EBUSY);
	assert_non_null(strstr(f->err.msg, "interrupt 76 is still held by zone linux1"));
	p = plan(f, NULL, 0, HV_PLAN_RESTART);
	assert_int_equal(hv_plan_apply(p, &f->machine, NULL, NULL, &f->err), 0);
	hv_plan_free(p);
	assert_int_equal(zf_running(f), 2);
}

static void a_plan_without_a_hypervisor(void **state)
{
	struct zf *f = *state;
	struct hv_plan *p;

	zf_zone(f, "linux1", 1);
	f->machine.hyp = NULL;
	p = plan(f, NULL, 0, 0);
	assert_int_equal(p->n_steps, 3);
	assert_int_equal(hv_plan_apply(p, &f->machine, NULL, NULL, &f->err), -ENODEV);
	hv_plan_free(p);
}

#define T(name) cmocka_unit_test_setup_teardown(name, zf_setup, zf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(steps_are_in_the_order_of_the_script),
		T(only_the_zones_asked_for),
		T(errors_forbid_a_plan),
		T(nothing_to_do_when_all_is_the_same),
		T(changes_are_named),
		T(another_file_of_the_same_name),
		T(a_file_written_anew),
		T(a_tree_with_other_contents),
		T(stops_come_first),
		T(foreign_and_failed_zones),
		T(what_a_changed_zone_still_holds),
		T(a_plan_without_a_hypervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
