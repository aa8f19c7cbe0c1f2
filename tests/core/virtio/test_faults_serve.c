// SPDX-License-Identifier: GPL-2.0-or-later
/* A device of a script that there is no memory for: whoever wrote the script learns which one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "fault_sweep.h"
#include "hypervisor/sim.h"
#include "zone/serve.h"
#include "zone/zone.h"

#define MAKER "maker" /* the thread that stands for the main one */

struct attempt {
	struct hv_serve *serve;
	const struct hv_serve_zone *zone;
	int ret;
	struct hv_err err;
};

static void *try_it(void *arg)
{
	struct attempt *a = arg;

	pthread_setname_np(pthread_self(), MAKER);
	a->ret = hv_serve_open(a->serve, a->zone, &a->err);
	return NULL;
}

static bool open_once(struct hv_serve *serve, const struct hv_serve_zone *zone, unsigned int place)
{
	struct attempt a = { .serve = serve, .zone = zone };
	unsigned int hit;
	pthread_t thread;

	sf_arm_on((struct sf_fault){ SF_strdup, ENOMEM }, place, 1, MAKER);
	assert_int_equal(pthread_create(&thread, NULL, try_it, &a), 0);
	pthread_join(thread, NULL);
	hit = sf_disarm();
	assert_int_equal(a.ret, hit ? -ENOMEM : 0);
	hv_serve_drop(serve, zone->id);
	if (!hit)
		return false;
	if (strncmp(a.err.msg, "linux1/x", 8) || !strstr(a.err.msg, "out of memory"))
		fail_msg("it is not said well: %s", a.err.msg);
	if (strstr(a.err.msg + 1, "linux1/x"))
		fail_msg("it is said twice: %s", a.err.msg);
	return true;
}

static void the_device_is_named_once(void **state)
{
	static const struct hv_spec_option lan = { .type = HV_OPT_STRING,
						   .key = "switch",
						   .string = "lan" };
	static const struct hv_origin at = { "boot.lua", 3, "devices" };
	static const struct hv_spec_device specs[] = {
		{ .type = "rng", .name = "x", .origin = at },
		{ .type = "console", .name = "x", .origin = at },
		{ .type = "input", .name = "x", .origin = at },
		{ .type = "net", .name = "x", .origin = at, .n_options = 1, .options = &lan },
	};
	static const struct hv_sim_ram ram = { 0x40000000, 0x1000000 };
	const struct hv_sim_opts sim = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 4,
		.root_cpus = 3,
		.ram = &ram,
		.n_ram = 1,
	};
	struct hv_serve_opts opts = { 0 };
	struct hv_serve *serve;
	struct hv_hyp *hyp;
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_loop_new(&opts.loop, &err), 0);
	assert_int_equal(hv_hyp_open_sim(&sim, &hyp, &err), 0);
	assert_int_equal(hv_serve_new(hyp, &opts, &serve, &err), 0);
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		const struct hv_device_slot slot = {
			.spec = &specs[i], .at = 0xa000000, .size = 0x200, .irq = 48
		};
		const struct hv_serve_zone zone = {
			.id = 1, .name = "linux1", .n_slots = 1, .slots = &slot
		};
		unsigned int place = 1;

		while (open_once(serve, &zone, place))
			assert_true(++place < FAULT_PLACES_MAX);
		/* Its name, at least. */
		assert_true(place > 1);
	}
	hv_serve_free(serve);
	hv_hyp_close(hyp);
	hv_loop_free(opts.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_device_is_named_once, sf_begin, sf_end),
	};

	return cmocka_run_group_tests_name("serve: no memory for a device", tests, NULL, NULL);
}
