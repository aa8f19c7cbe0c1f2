// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/core/hypervisor/sample.h"

#include <errno.h>

#include "abi/resource.h"
#include "clock/host.h"
#include "virtio/dev/scmi.h"
#include "virtio/state.h"
#include "vrig.h"

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
	struct vrig rig;
	uint8_t *out, *in;
	uint32_t got; /* bytes of the last answer */
	char dir[64];
} box;
static struct hv_err err;

static const struct hv_state_id id = {
	.life = 1, .at = 0xa000000, .size = 0x200, .config = 2, .zone = 1, .irq = VRIG_IRQ
};

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

static void attach(void)
{
	box.rig.dev = &box.dev;
	assert_int_equal(hv_vdev_attach(&box.dev, &box.rig.bus, id.at, id.size, VRIG_IRQ, &err), 0);
}

static void end_process(void)
{
	struct hv_state *kept = box.dev.kept;

	hv_vdev_destroy(&box.dev);
	hv_state_close(kept, false);
	hv_clock_host_put(box.host);
}

static void next_process(void)
{
	hv_vdev_leave(&box.dev);
	end_process();
	new_process();
	assert_int_equal(hv_state_open(box.dir, &id, &box.dev, &box.rig.mem, &err), 0);
	attach();
}

static int setup(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);

	(void)state;
	memset(&box, 0, sizeof(box));
	snprintf(box.dir, sizeof(box.dir), "/tmp/hvsh-scmi-XXXXXX");
	assert_non_null(mkdtemp(box.dir));
	assert_int_equal(hv_hyp_open_sim(&opts, &box.hyp, &err), 0);
	assert_int_equal(hv_sim_set_clocks(box.hyp, machine_clocks, &err), 0);
	new_process();
	assert_int_equal(hv_state_create(box.dir, &id, &box.dev, &err), 0);
	vrig_init(&box.rig, &box.dev, 1 << 20);
	vrig_start(&box.rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	box.out = vrig_alloc(&box.rig, 64, 8);
	box.in = vrig_alloc(&box.rig, 256, 8);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	vrig_free(&box.rig);
	end_process();
	hv_hyp_close(box.hyp);
	snprintf(command, sizeof(command), "rm -r %s", box.dir);
	return system(command);
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
	box.got = vrig_request(&box.rig, 0, bufs, 2);
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
	vrig_reset(&box.rig);
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
	vrig_reset(&box.rig);
	vrig_start(&box.rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	box.out = vrig_alloc(&box.rig, 64, 8);
	box.in = vrig_alloc(&box.rig, 256, 8);
	assert_int_equal(ask(CLOCK, 0, NULL, 0, &version), 0);
	assert_int_equal(version, 0x30000);
	assert_int_equal(ASK(CLOCK, 3, A), 0);
	assert_int_equal(box.got, 32);
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
		TEST(the_end_gives_back),
	};

	return cmocka_run_group_tests_name("scmi_lives", tests, NULL, NULL);
}
