// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define RESTARTS 60
#define NOWHERE 0x7ffff000UL
#define SECOND_CPU 3
#define ALREADY_ON (-4)
#define INVALID_PARAMETERS (-2)

/* start.S, at the same place in both programs' images */
extern char _start[], second_entry[];
#define GUEST_SECOND (GUEST_IPA + (uint64_t)(second_entry - _start))

static void test_waiting(void)
{
	struct hv_bridge_req request;

	tap_prefix("stop while a CPU waits for the bridge");
	start_plain(0, GUEST_CPUS);
	post(0, CMD_READ, WINDOW_BASE, 4, 0, 0);
	take_request(&request);
	tap_is(stop(0), 0, "it stops without an answer");
	tap(start_plain(0, GUEST_CPUS), "it starts again");
	tap_is((int64_t)serve_read(0, 4, 4, 0x77, &request), 0x77, "and gets its own answers");
	tap_is(stop(0), 0, "and stops");
}

/* Whether the CPU went off shows in the next start: a stop ends with 0 in any case. */
static void test_wfi(void)
{
	tap_prefix("stop in WFI");
	for (int is_open = 0; is_open < 2; is_open++) {
		start_plain(0, GUEST_CPUS);
		if (is_open)
			order(0, CMD_IRQ_ON, GUEST_IRQ, 0, 0, 0);
		post(0, CMD_WFI, 0, 0, 0, 0);
		tap(STAYS_FALSE(is_done(0)), is_open ? "with interrupts on, it sleeps"
						     : "with everything masked, it sleeps");
		tap_is(stop(0), 0, "and is stopped");
		tap(start_plain(0, GUEST_CPUS), "and its CPU was off in time");
		tap_is(stop(0), 0, "and again");
	}
	tap_is(list(), 1, "both are gone");
}

static void test_restarts(void)
{
	struct hv_bridge_req request;
	int n = 0;

	tap_prefix("restart");
	for (; n < RESTARTS; n++) {
		if (!start_plain(0, GUEST_CPUS))
			break;
		if (order(0, CMD_SMC, CPU_ON, SECOND_CPU, GUEST_SECOND, 0) ||
		    !WAIT(mailbox(0)->second))
			break;
		if (serve_read(0, 0, 4, (uint64_t)n, &request) != (uint64_t)n)
			break;
		if (stop(0))
			break;
	}
	tap_is(n, RESTARTS, "60 times, with two CPUs and an access");
}

static void test_psci(void)
{
	uint64_t info;

	tap_prefix("PSCI");
	start_plain(0, GUEST_CPUS);
	tap_is((int64_t)order(0, CMD_HVC, AFFINITY_INFO, SECOND_CPU, 0, 0), 1, "a CPU is off");
	tap_is((int64_t)order(0, CMD_HVC, CPU_ON, SECOND_CPU, GUEST_SECOND, 0), 0, "CPU_ON by HVC");
	tap(WAIT(mailbox(0)->second), "it runs");
	tap_is((int64_t)order(0, CMD_SMC, AFFINITY_INFO, SECOND_CPU, 0, 0), 0, "it is on, by SMC");
	tap_is((int64_t)order(0, CMD_SMC, CPU_ON, SECOND_CPU, GUEST_SECOND, 0), ALREADY_ON,
	       "not twice");
	tap_is((int64_t)order(0, CMD_SMC, CPU_ON, 1, GUEST_SECOND, 0), INVALID_PARAMETERS,
	       "not another zone's");
	tap_is((int64_t)order(0, CMD_SMC, AFFINITY_INFO, 0, 0, 0), INVALID_PARAMETERS,
	       "nor does it see that");
	tap_is((int64_t)order(0, CMD_SMC, 0x84000000, 0, 0, 0), 0x10000, "version 1.0");
	tap_is((int64_t)order(0, CMD_SMC, 0x8400000a, CPU_ON, 0, 0), 0, "CPU_ON is a feature");
	tap_is((int32_t)order(0, CMD_SMC, 0x8400000e, 0, 0, 0), -1, "suspend is not supported");
	post(0, CMD_SMC, SYSTEM_OFF, 0, 0, 0);
	tap(WAIT(list() == 1), "SYSTEM_OFF removes the zone");
	tap(start_plain(0, GUEST_CPUS), "its CPUs are free at once");
	post(0, CMD_HVC, SYSTEM_RESET, 0, 0, 0);
	tap(WAIT(list() == 1), "so does SYSTEM_RESET");
	start_plain(0, GUEST_CPUS);
	post(0, CMD_SMC, CPU_OFF, 0, 0, 0);
	info = (uint64_t)list();
	tap_is((int64_t)info, 2, "a zone whose only CPU is off is still there");
	tap_is(stop(0), 0, "and can be stopped");
}

static void test_crash(void)
{
	tap_prefix("stray access");
	start_plain(0, GUEST_CPUS);
	tap_is(is_err(1), 0, "no error before");
	post(0, CMD_READ, NOWHERE, 4, 0, 0);
	tap(WAIT(is_err(1) == 1), "is_err");
	tap_is(list(), 2, "the zone stays listed");
	tap_is(start(0, config_of(0, GUEST_CPUS)), -EINVAL, "so its id exists");
	tap_is(start(1, config_of(1, 1UL << 3)), -EBUSY, "and its CPUs are taken");
	tap_is(stop(0), 0, "until it is stopped");
	tap(start_plain(0, GUEST_CPUS), "then it starts again");
	tap_is(is_err(1), 0, "without an error");
	post(0, CMD_WRITE, GICR_BASE, 4, 0, 0);
	tap(WAIT(is_err(1) == 1), "writing another CPU's redistributor is one, too");
	stop(0);
}

static void test_two(void)
{
	tap_prefix("two zones");
	tap(start_plain(0, 1UL << 2), "the first");
	tap(start_plain(1, 1UL << 3), "the second");
	tap_is(list(), 3, "both are listed");
	write64(GUEST_PHYS(0) + TREE_AT, 111);
	write64(GUEST_PHYS(1) + TREE_AT, 222);
	tap_is((int64_t)order(0, CMD_READ, GUEST_IPA + TREE_AT, 8, 0, 0), 111,
	       "one address, the first's memory");
	tap_is((int64_t)order(1, CMD_READ, GUEST_IPA + TREE_AT, 8, 0, 0), 222,
	       "the same address, the second's");
	tap_is(stop(0), 0, "the first stops");
	tap_is((int64_t)order(1, CMD_READ, GUEST_IPA + TREE_AT, 8, 0, 0), 222,
	       "the second goes on");
	tap(start_plain(0, 1UL << 2), "the first starts again");
	tap_is(stop(1), 0, "the second stops");
	tap_is(stop(0), 0, "and the first");
}

void test_life(void)
{
	test_waiting();
	test_wfi();
	test_restarts();
	test_psci();
	test_crash();
	test_two();
}
