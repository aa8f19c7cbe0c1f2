// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <linux/virtio_config.h>

#include "abi/resource.h"
#include "clock/host.h"
#include "lives.h"
#include "virtio/dev/scmi.h"

/* What a zone has switched on stays on, and is its own, when another process goes on with it. */
static const char machine_clocks[] = "clock bus 4000000\n"
				     "clock a parent=bus div=1..4 gate lent\n"
				     "clock b parent=bus div=1..4 gate lent\n"
				     "power pd0\npower pd1\n";
enum { A, B };

#define CLOCK 0x14
#define POWER 0x11

static struct {
	struct hv_hyp *hyp;
	struct hv_clock_host *host;
	struct hv_vdev dev;
	struct lives lives;
	uint8_t *out, *in;
	uint32_t got; /* bytes of the last answer */
} box;
static struct vrig *const rig = &box.lives.rig;
static struct hv_err err;

/* A process's own: who has what is known to it alone. */
static void new_process(void)
{
	static const int64_t all[] = { 0, 1 };
	const struct hv_scmi_allow allow = { .ids = all, .n_ids = 2 };
	struct hv_scmi_opts opts = { .zone = "linux1" };

	assert_int_equal(hv_clock_host_new(&hv_clock_backend_hyp, box.hyp, &box.host, &err), 0);
	opts.host = box.host;
	opts.allow[HV_LENT_CLOCK] = opts.allow[HV_LENT_POWER] = allow;
	memset(&box.dev, 0, sizeof(box.dev));
	assert_int_equal(hv_scmi_init(&box.dev, "linux1/scmi", &opts, &err), 0);
}

/* Its device is not attached yet. */
static void open_next_process(void)
{
	lives_leave(&box.lives, &box.dev);
	hv_clock_host_put(box.host);
	new_process();
	lives_open(&box.lives, &box.dev);
}

static void next_process(void)
{
	open_next_process();
	lives_attach(&box.lives, &box.dev);
}

static int setup(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);

	(void)state;
	memset(&box, 0, sizeof(box));
	assert_int_equal(hv_hyp_open_sim(&opts, &box.hyp, &err), 0);
	assert_int_equal(hv_sim_set_clocks(box.hyp, machine_clocks, &err), 0);
	new_process();
	lives_begin(&box.lives, &box.dev);
	vrig_start(rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	box.out = vrig_alloc(rig, 64, 8);
	box.in = vrig_alloc(rig, 256, 8);
	return 0;
}

static int teardown(void **state)
{
	int rc = lives_close(&box.lives, &box.dev);

	(void)state;
	hv_clock_host_put(box.host);
	hv_hyp_close(box.hyp);
	return rc;
}

static int32_t ask(unsigned int protocol, unsigned int message, const uint32_t *params,
		   unsigned int n, uint32_t *word)
{
	uint32_t header = message | protocol << 10;
	struct vrig_buf bufs[] = { { box.out, 4 + 4 * n, false }, { box.in, 136, true } };
	int32_t status;

	memcpy(box.out, &header, 4);
	if (n)
		memcpy(box.out + 4, params, 4 * (size_t)n);
	box.got = vrig_request(rig, 0, bufs, 2);
	assert_true(box.got >= 8);
	memcpy(&status, box.in + 4, 4);
	if (word)
		memcpy(word, box.in + 8, 4);
	return status;
}

#define ASK(protocol, message, ...)                                                                \
	ask(protocol, message, (const uint32_t[]){ __VA_ARGS__ },                                  \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4, NULL)

static bool is_on(uint32_t clock)
{
	struct hv_ioc_clock args = { .subcmd = HV_CLOCK_CONFIG_GET, .config.id = clock };

	assert_int_equal(hv_hyp_clock(box.hyp, &args, &err), 0);
	return args.config.config & HV_CLOCK_ON;
}

static void what_is_on_stays_on(void **state)
{
	uint32_t attributes, hz;

	(void)state;
	assert_int_equal(ASK(CLOCK, 5, 0, A, 2000000, 0), 0);
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	assert_int_equal(ASK(POWER, 4, 0, 1, 0), 0);
	assert_true(is_on(A) && !is_on(B));
	for (int i = 0; i < 3; i++) {
		next_process();
		assert_true(is_on(A) && !is_on(B));
		assert_int_equal(ask(CLOCK, 3, (const uint32_t[]){ A }, 1, &attributes), 0);
		assert_int_equal(attributes & 1, 1);
		assert_int_equal(ask(CLOCK, 6, (const uint32_t[]){ A }, 1, &hz), 0);
		assert_int_equal(hz, 2000000);
	}
	/* It is still the zone's to switch off, once. */
	assert_int_equal(ASK(CLOCK, 7, A, 0, 0), 0);
	assert_false(is_on(A));
	next_process();
	assert_false(is_on(A));
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	assert_true(is_on(A));
	/* The end of its driver, in whatever process, gives it back. */
	next_process();
	assert_int_equal(ask(CLOCK, 6, (const uint32_t[]){ A }, 1, &hz), 0);
	vrig_reset(rig);
	assert_false(is_on(A));
}

/* Others see whose it is, also after the change. */
static void nobody_else_takes_it(void **state)
{
	struct hv_clock_agent *other;

	(void)state;
	assert_int_equal(ASK(CLOCK, 5, 0, A, 2000000, 0), 0);
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	next_process();
	assert_int_equal(hv_clock_agent_new(box.host, "linux2", &other, &err), 0);
	assert_int_equal(hv_clock_enable(other, A, true, &err), 0);
	assert_int_equal(hv_clock_set_rate(other, A, 1000000, &err), -EBUSY);
	hv_clock_agent_free(other);
	assert_true(is_on(A));
}

static void versions_stay_agreed(void **state)
{
	uint32_t version;

	(void)state;
	assert_int_equal(ASK(CLOCK, 0x10, 0x10000), 0);
	next_process();
	assert_int_equal(ASK(CLOCK, 3, A), 0);
	assert_int_equal(box.got, 28);
	vrig_reset(rig);
	vrig_start(rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	box.out = vrig_alloc(rig, 64, 8);
	box.in = vrig_alloc(rig, 256, 8);
	assert_int_equal(ask(CLOCK, 0, NULL, 0, &version), 0);
	assert_int_equal(version, 0x30000);
	assert_int_equal(ASK(CLOCK, 3, A), 0);
	assert_int_equal(box.got, 32);
}

/* However soon it ends again: whether its driver was served there makes no difference. */
static void a_process_that_ends_at_once_switches_nothing(void **state)
{
	uint32_t attributes;

	(void)state;
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	for (int i = 0; i < 50; i++) {
		next_process();
		assert_true(is_on(A));
	}
	/* Nor does one that could not attach it. */
	open_next_process();
	next_process();
	assert_true(is_on(A));
	assert_int_equal(ask(CLOCK, 3, (const uint32_t[]){ A }, 1, &attributes), 0);
	assert_int_equal(attributes & 1, 1);
	assert_int_equal(ASK(CLOCK, 7, A, 0, 0), 0);
	assert_false(is_on(A));
}

/* The rest of the zone still runs on it, and its driver may come to its senses. */
static void what_is_broken_keeps_it_on(void **state)
{
	struct vring_used *used = rig->queue[0].used;
	uint16_t right;

	(void)state;
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	open_next_process();
	right = used->idx;
	used->idx = (uint16_t)(right + 7);
	lives_attach(&box.lives, &box.dev);
	vrig_wait_status(rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_true(is_on(A));
	used->idx = right;
	next_process();
	assert_true(is_on(A));
	/* Until the driver's end. */
	vrig_reset(rig);
	vrig_start(rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	box.out = vrig_alloc(rig, 64, 8);
	box.in = vrig_alloc(rig, 256, 8);
	assert_int_equal(ASK(CLOCK, 6, A), 0);
	assert_false(is_on(A));
}

static void a_paused_device_keeps_it_on(void **state)
{
	(void)state;
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	hv_vdev_pause(&box.dev, true);
	next_process();
	assert_true(is_on(A));
	assert_int_equal(ASK(CLOCK, 7, A, 0, 0), 0);
	assert_false(is_on(A));
}

/* A device that nobody goes on with gives all back. */
static void the_end_gives_back(void **state)
{
	(void)state;
	assert_int_equal(ASK(CLOCK, 7, A, 1, 0), 0);
	hv_vdev_detach(&box.dev);
	assert_false(is_on(A));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_on_stays_on),
		TEST(nobody_else_takes_it),
		TEST(versions_stay_agreed),
		TEST(a_process_that_ends_at_once_switches_nothing),
		TEST(what_is_broken_keeps_it_on),
		TEST(a_paused_device_keeps_it_on),
		TEST(the_end_gives_back),
	};

	return cmocka_run_group_tests_name("scmi_lives", tests, NULL, NULL);
}
