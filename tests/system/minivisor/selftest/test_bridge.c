// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define NOTIFY 0x50
#define STATUS 0x70
#define IS_QUEUED(n) ((bridge->req_rear - bridge->req_front) % HV_BRIDGE_SLOTS == (n))

static void test_reads(void)
{
	struct hv_bridge_req request = { 0 };

	tap_prefix("read");
	tap_is((int64_t)serve_read(0, 0x100, 4, 0x1122334455667788, &request), 0x55667788,
	       "the answer's value, cut to 4 bytes");
	tap(request.src_cpu == 2 && request.address == WINDOW_BASE + 0x100 && request.size == 4 &&
		    request.src_zone == 1 && !request.is_write && !request.need_interrupt,
	    "the request says CPU, address, size, zone");
	tap_is((int64_t)serve_read(0, 0x101, 1, 0xfff1, &request), 0xf1, "1 byte");
	tap_is((int64_t)serve_read(0, 0x102, 2, 0xffff8234, &request), 0x8234, "2 bytes");
	tap_is((int64_t)serve_read(0, 0x108, 8, 0x1122334455667788, &request), 0x1122334455667788,
	       "8 bytes");
	tap_is((int64_t)serve_read(0, WINDOW_SIZE - 4, 4, 7, &request), 7, "at the window's end");
}

static void test_writes(void)
{
	struct hv_bridge_req request = { 0 };

	tap_prefix("write");
	post(0, CMD_WRITE, WINDOW_BASE + STATUS, 4, 0xaabbccdd, 0);
	tap(take_request(&request), "is queued");
	tap(request.is_write && request.value == 0xaabbccdd && !request.need_interrupt,
	    "with its value");
	tap(STAYS_FALSE(is_done(0)), "the CPU waits");
	answer(&request, 0);
	tap(WAIT(is_done(0)), "until it is answered");
	order(0, CMD_WRITE, WINDOW_BASE + 0x200 + NOTIFY, 4, 3, 0);
	tap(is_done(0), "a notification does not wait");
	tap(take_request(&request) && request.need_interrupt && request.value == 3,
	    "and says that it is one");
}

static void test_wakeups(void)
{
	struct hv_bridge_req request;
	int64_t before = counter(COUNT_WAKES);

	tap_prefix("wake-up");
	take_wakeup();
	bridge->need_wakeup = 0;
	serve_read(0, 0, 4, 1, &request);
	tap(!take_wakeup(), "none for a service that polls");
	bridge->need_wakeup = 1;
	serve_read(0, 0, 4, 1, &request);
	tap(take_wakeup(), "one for a service that sleeps");
	tap_is(counter(COUNT_WAKES) - before, 1, "and no other");
	bridge->need_wakeup = 0;
}

static void test_results(void)
{
	int64_t before = counter(COUNT_REFUSED);

	tap_prefix("interrupt");
	order(0, CMD_IRQ_ON, GUEST_IRQ, 0, 0, 0);
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), 1023, "none yet");
	push_result(1, GUEST_IRQ);
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), 1023, "none before hypercall 1");
	tap_is(hvc(CALL_FINISH, 0, 0), 0, "hypercall 1");
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), GUEST_IRQ, "it comes");
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), 1023, "once");
	push_result(1, 77);
	push_result(9, GUEST_IRQ);
	push_result(0, 77);
	push_result(1, ~0U);
	hvc(CALL_FINISH, 0, 0);
	tap(!is_pending(77), "one that is not the zone's does not come");
	tap_is(counter(COUNT_REFUSED) - before, 4, "and is counted");
	before = counter(COUNT_RESULTS);
	for (unsigned int i = 0; i < HV_BRIDGE_SLOTS - 1; i++)
		push_result(1, GUEST_IRQ);
	hvc(CALL_FINISH, 0, 0);
	tap(bridge->res_front == bridge->res_rear, "a full ring is drained by one call");
	tap_is(counter(COUNT_RESULTS) - before, 31, "with all of its 31 entries");
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), GUEST_IRQ, "they are one interrupt");
}

static void test_full_ring(void)
{
	struct hv_bridge_req request;
	bool in_order = true;

	tap_prefix("full ring");
	for (uint64_t i = 0; i < HV_BRIDGE_SLOTS - 1; i++)
		order(0, CMD_WRITE, WINDOW_BASE + NOTIFY, 4, i, 0);
	tap(IS_QUEUED(31), "31 notifications are queued");
	post(0, CMD_WRITE, WINDOW_BASE + NOTIFY, 4, 31, 0);
	tap(STAYS_FALSE(is_done(0)), "the next one waits");
	for (uint64_t i = 0; i < HV_BRIDGE_SLOTS; i++)
		in_order = take_request(&request) && request.value == i && in_order;
	tap(in_order, "all come, in their order");
	tap(WAIT(is_done(0)), "and the CPU goes on");
}

#define FIRST_LINE 80
static void inject_lines(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		push_result(2, FIRST_LINE + i);
	hvc(CALL_FINISH, 0, 0);
}

static void test_ninth_device(void)
{
	struct start_config *config = config_of(1, 1UL << 3);
	int64_t before = counter(COUNT_INJECTED);

	tap_prefix("ninth device");
	for (unsigned int i = 0; i < 9; i++)
		config->irqs[(FIRST_LINE + i) / 32] |= 1U << (FIRST_LINE + i) % 32;
	tap_is(start(1, config), 0, "a zone with nine interrupts starts");
	inject_lines(9);
	tap_is(counter(COUNT_INJECTED) - before, 8, "eight of them come");
	inject_lines(9);
	tap_is(counter(COUNT_INJECTED) - before, 16, "the same eight again");
	stop(1);
	for (unsigned int i = 1; i < 9; i++)
		config->irqs[(FIRST_LINE + i) / 32] &= ~(1U << (FIRST_LINE + i) % 32);
	start(1, config);
	inject_lines(1);
	tap_is(counter(COUNT_INJECTED) - before, 17, "the next life has its own eight");
	stop(1);
}

static void test_moved_window(void)
{
	struct start_config *config = config_of(0, GUEST_CPUS);
	struct hv_bridge_req request = { 0 };

	tap_prefix("moved window");
	config->regions[2].ipa = WINDOW_BASE + 0x100000;
	tap(start(0, config) == 0 && WAIT(mailbox(0)->alive), "the zone starts");
	tap_is((int64_t)serve_read(0, 0, 4, 5, &request), 5,
	       "traps where the physical address says");
	post(0, CMD_READ, WINDOW_BASE + 0x100000, 4, 0, 0);
	tap(WAIT(is_err(1) == 1), "the other address is nothing");
	stop(0);
}

void test_bridge(void)
{
	start_plain(0, GUEST_CPUS);
	test_reads();
	test_writes();
	test_wakeups();
	test_results();
	test_full_ring();
	stop(0);
	test_ninth_device();
	test_moved_window();
}
