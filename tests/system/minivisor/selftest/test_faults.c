// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define NOTIFY 0x50
#define LATE_MS 150

static uint64_t ms_since(uint64_t then)
{
	return (read_sysreg(cntpct_el0) - then) / (read_sysreg(cntfrq_el0) / 1000);
}

/* Only lower bounds: a busy machine makes everything later still. */
static void test_late(void)
{
	struct hv_bridge_req request;
	uint64_t then = read_sysreg(cntpct_el0);

	tap_prefix("late");
	fault(LATE, LATE_MS, 0);
	post(0, CMD_READ, WINDOW_BASE, 4, 0, 0);
	tap(take_request(&request) && ms_since(then) >= LATE_MS, "a request");
	clear_faults();
	answer(&request, 1);
	WAIT(is_done(0));
	fault(LATE_ANSWER, LATE_MS, 0);
	post(0, CMD_READ, WINDOW_BASE, 4, 0, 0);
	take_request(&request);
	then = read_sysreg(cntpct_el0);
	answer(&request, 2);
	tap(WAIT(is_done(0)) && ms_since(then) >= LATE_MS, "what follows an answer");
	clear_faults();
	fault(LATE_DRAIN, LATE_MS, 0);
	push_result(1, GUEST_IRQ);
	then = read_sysreg(cntpct_el0);
	hvc(CALL_FINISH, 0, 0);
	tap(ms_since(then) >= LATE_MS && bridge->res_front == bridge->res_rear, "draining");
	clear_faults();
}

static void test_lost(void)
{
	struct hv_bridge_req request;
	unsigned int woken = 0;
	int64_t lost = counter(COUNT_LOST_WAKES);

	tap_prefix("lost");
	take_wakeup();
	bridge->need_wakeup = 1;
	fault(LOSE_WAKE, 3, 0);
	for (unsigned int i = 0; i < 6; i++) {
		serve_read(0, 0, 4, 0, &request);
		woken = woken << 1 | take_wakeup();
	}
	tap_is(woken, 066, "every third wake-up");
	tap_is(counter(COUNT_LOST_WAKES) - lost, 2, "counted");
	bridge->need_wakeup = 0;
	clear_faults();
	fault(LOSE_DRAIN, 2, 0);
	push_result(1, GUEST_IRQ);
	tap(hvc(CALL_FINISH, 0, 0) == 0 && bridge->res_front == bridge->res_rear,
	    "the first drain happens");
	push_result(1, GUEST_IRQ);
	tap(hvc(CALL_FINISH, 0, 0) == 0 && bridge->res_front != bridge->res_rear,
	    "the second does not, and says 0");
	hvc(CALL_FINISH, 0, 0);
	tap(bridge->res_front == bridge->res_rear, "the third takes what was left");
	clear_faults();
}

static void test_slots(void)
{
	struct hv_bridge_req request;

	tap_prefix("small ring");
	fault(SLOTS, 2, 0);
	order(0, CMD_WRITE, WINDOW_BASE + NOTIFY, 4, 0, 0);
	order(0, CMD_WRITE, WINDOW_BASE + NOTIFY, 4, 1, 0);
	post(0, CMD_WRITE, WINDOW_BASE + NOTIFY, 4, 2, 0);
	tap(STAYS_FALSE(is_done(0)), "full with two");
	take_request(&request);
	tap(WAIT(is_done(0)), "goes on with one taken");
	take_request(&request);
	take_request(&request);
	clear_faults();
}

static void test_nostop(void)
{
	tap_prefix("nostop");
	fault(NOSTOP, FOREVER, 0);
	tap_is(stop(0), 0, "the stop says 0");
	tap_is(list(), 1, "the zone is gone");
	tap_is(start(0, config_of(0, GUEST_CPUS)), -EBUSY, "its CPU is on: EBUSY");
	tap_is(start(1, config_of(1, 1UL << 2)), -EBUSY, "for any zone");
	tap(start_plain(1, 1UL << 3), "another CPU can be had");
	clear_faults();
	tap(WAIT(start(0, config_of(0, 1UL << 2)) == 0), "once it is off it starts");
	tap(WAIT(mailbox(0)->alive), "and runs");
	tap_is(stop(1), 0, "and everything stops");
	fault(NOSTOP, 300, 0);
	tap_is(stop(0), 0, "for a time");
	tap(WAIT(start(0, config_of(0, 1UL << 2)) == 0), "it ends by itself");
	clear_faults();
	WAIT(mailbox(0)->alive);
}

static void test_dooms(void)
{
	tap_prefix("die");
	fault(DIE, 1, 0);
	tap_is(is_err(1), 1, "at once");
	tap_is(stop(0), 0, "it can be stopped");
	tap(start_plain(0, GUEST_CPUS) && is_err(1) == 0, "once only");
	fault(DIE, 1, 3600000);
	tap_is(is_err(1), 0, "not before its time");
	fault(DIE, 1, 100);
	tap(WAIT(is_err(1) == 1), "after a time");
	stop(0);
	fault(DIE, 1, 0);
	start(0, config_of(0, GUEST_CPUS));
	tap(WAIT(is_err(1) == 1), "a zone yet to come");
	stop(0);
	fault(DIE, 9, 0);
	tap(start_plain(0, GUEST_CPUS) && is_err(1) == 0, "no other zone");
	clear_faults();
	tap_prefix("hang");
	fault(HANG, 1, 0);
	tap_is(is_err(1), 0, "without a sign");
	post(0, CMD_ARGUMENT, 0, 0, 0, 0);
	tap(STAYS_FALSE(is_done(0)), "it does nothing any more");
	tap_is(stop(0), 0, "it can be stopped");
	tap(start_plain(0, GUEST_CPUS), "and started");
	tap_is((int64_t)order(0, CMD_ARGUMENT, 0, 0, 0, 0), GUEST_IPA + TREE_AT, "and works");
	stop(0);
}

static void test_refusals(void)
{
	static uint64_t version;

	tap_prefix("refuse");
	fault(REFUSE, 12, 0);
	tap_is(start(0, config_of(0, GUEST_CPUS)), -12, "the next start");
	tap(start_plain(0, GUEST_CPUS), "once only");
	stop(0);
	tap_prefix("version");
	fault(VERSION, 99, 0);
	hvc(CALL_VERSION, (uint64_t)&version, 0);
	tap_is((int64_t)version, 99, "one that nobody knows");
	clear_faults();
	hvc(CALL_VERSION, (uint64_t)&version, 0);
	tap_is((int64_t)version, 5, "and the right one again");
}

static void test_window(void)
{
	tap_prefix("control window");
	write64(CONTROL_BASE + 8, 13);
	write64(CONTROL_BASE + 16, 0);
	write32(CONTROL_BASE, CALL_FAULT + REFUSE);
	tap_is((int64_t)read64(CONTROL_BASE + 24), 0, "sets a fault");
	tap_is(start(0, config_of(0, GUEST_CPUS)), -13, "that happens");
	write32(CONTROL_BASE, CALL_FAULT + 99);
	tap_is((int64_t)read64(CONTROL_BASE + 24), -EINVAL, "answers errors");
	start_plain(0, GUEST_CPUS);
	post(0, CMD_READ, CONTROL_BASE, 4, 0, 0);
	tap(WAIT(is_err(1) == 1), "is not there in another zone");
	stop(0);
}

void test_faults(void)
{
	start_plain(0, GUEST_CPUS);
	test_late();
	test_lost();
	test_slots();
	test_nostop();
	test_dooms();
	test_refusals();
	test_window();
}
