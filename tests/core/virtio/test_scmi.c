// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>

#include "abi/resource.h"
#include "virtio/dev/scmi.h"
#include "vrig.h"

/*
 * The tests speak as Linux's drivers/firmware/arm_scmi does: requests of exactly the size of their
 * structures, answers into 136 bytes.
 */
static const char machine_clocks[] =
	"clock osc 24000000\n"
	"clock bus parent=osc mul=5\n"
	"clock hidden parent=bus div=2 gate lent\n"
	"clock uart0 parent=bus div=1..4 gate lent\n"
	"clock spi0 parent=bus div=1..100 gate lent\n"
	"clock a_name_that_is_too_long_for_the_short_field parent=osc lent\n"
	"clock other parent=osc gate lent\n"
	"reset r0\nreset r1\n"
	"power pd0\npower a_domain_with_a_long_name\npower pd2\n";
enum { HIDDEN, UART0, SPI0, LONG, OTHER };

#define BASE 0x10
#define POWER 0x11
#define CLOCK 0x14
#define RESET 0x16

enum {
	SUCCESS = 0,
	NOT_SUPPORTED = -1,
	INVALID = -2,
	NOT_FOUND = -4,
	BUSY = -6,
	PROTOCOL_ERROR = -10,
};

struct zone {
	struct hv_vdev dev;
	struct vrig rig;
	uint8_t *out, *in;
	uint32_t got; /* bytes of the last answer behind its status */
	uint32_t word[34];
};

static struct hv_err err;
static struct hv_hyp *hyp;
static struct hv_clock_host *host;
static struct zone z[2];

#define ANSWER 136u

static void plug(struct zone *zone, const char *name, const struct hv_scmi_allow *allow)
{
	struct hv_scmi_opts opts = { .host = host, .zone = name };

	memset(zone, 0, sizeof(*zone));
	memcpy(opts.allow, allow, sizeof(opts.allow));
	want(hv_scmi_init(&zone->dev, name, &opts, &err), 0, &err);
	vrig_init(&zone->rig, &zone->dev, 1 << 20);
	vrig_start(&zone->rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	zone->out = vrig_alloc(&zone->rig, 512, 8);
	zone->in = vrig_alloc(&zone->rig, 512, 8);
}

static void unplug(struct zone *zone)
{
	if (zone->dev.ops) {
		vrig_free(&zone->rig);
		hv_vdev_destroy(&zone->dev);
	}
	memset(zone, 0, sizeof(*zone));
}

static int set_up(void **state)
{
	static const int64_t ids[] = { UART0, LONG }, domains[] = { 1, 2 };
	static const char *const names[] = { "spi0" };
	const struct hv_scmi_allow allow[HV_LENT_KINDS] = {
		[HV_LENT_CLOCK] = { .ids = ids, .n_ids = 2, .names = names, .n_names = 1 },
		[HV_LENT_RESET] = { .all = true },
		[HV_LENT_POWER] = { .ids = domains, .n_ids = 2 },
	};
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);

	(void)state;
	memset(&err, 0, sizeof(err));
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want(hv_sim_set_clocks(hyp, machine_clocks, &err), 0, &err);
	want(hv_clock_host_new(&hv_clock_backend_hyp, hyp, &host, &err), 0, &err);
	plug(&z[0], "linux1", allow);
	plug(&z[1], "linux2", allow);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unplug(&z[0]);
	unplug(&z[1]);
	hv_clock_host_put(host);
	hv_hyp_close(hyp);
	return 0;
}

static uint32_t header(unsigned int protocol, unsigned int id)
{
	return id | protocol << 10 | 0x155u << 18;
}

/* Sends a raw request; returns how much of `in` was written. */
static uint32_t send_raw(struct zone *zone, const void *bytes, uint32_t len, uint32_t room)
{
	struct vrig_buf bufs[] = { { zone->out, len, false }, { zone->in, room, true } };

	memset(zone->in, 0xee, 512);
	memcpy(zone->out, bytes, len);
	return vrig_request(&zone->rig, 0, len ? bufs : bufs + 1, len ? 2 : 1);
}

/* Its status. */
static int32_t ask(struct zone *zone, unsigned int protocol, unsigned int id,
		   const uint32_t *params, unsigned int n)
{
	uint32_t request[16] = { header(protocol, id) }, echo, written;
	int32_t status;

	if (n)
		memcpy(request + 1, params, n * 4);
	written = send_raw(zone, request, 4 + n * 4, ANSWER);
	assert_in_range(written, 8, ANSWER);
	memcpy(&echo, zone->in, 4);
	assert_int_equal(echo, request[0]);
	memcpy(&status, zone->in + 4, 4);
	zone->got = written - 8;
	memset(zone->word, 0, sizeof(zone->word));
	memcpy(zone->word, zone->in + 8, zone->got);
	if (status)
		assert_int_equal(zone->got, 0);
	return status;
}

#define ASK(zone, protocol, id, ...)                                                               \
	ask(zone, protocol, id, (const uint32_t[]){ __VA_ARGS__ },                                 \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define ASK0(zone, protocol, id) ask(zone, protocol, id, NULL, 0)

static bool is_on(uint32_t id)
{
	struct hv_ioc_clock args = { .subcmd = HV_CLOCK_CONFIG_GET, .config.id = id };

	want(hv_hyp_clock(hyp, &args, &err), 0, &err);
	return args.config.config & HV_CLOCK_ON;
}

static void test_base(void **state)
{
	(void)state;
	assert_int_equal(vrig_read(&z[0].rig, 0x008), 32);
	assert_int_equal(z[0].dev.n_queues, 2);
	assert_int_equal(ASK0(&z[0], BASE, 0), SUCCESS);
	assert_int_equal(z[0].word[0], 0x20001);
	assert_int_equal(ASK0(&z[0], BASE, 1), SUCCESS);
	assert_int_equal(z[0].got, 4);
	assert_int_equal(z[0].word[0] & 0xff, 3);
	assert_int_equal(z[0].word[0] >> 8 & 0xff, 1);
	assert_int_equal(ASK0(&z[0], BASE, 3), SUCCESS);
	assert_int_equal(z[0].got, 16);
	assert_string_equal((char *)z[0].word, "hvsh");
	assert_int_equal(ASK0(&z[0], BASE, 4), SUCCESS);
	assert_int_equal(z[0].got, 16);
	assert_int_equal(ASK0(&z[0], BASE, 5), SUCCESS);
	assert_int_equal(z[0].got, 4);
	/* As Linux does: until there are no more. */
	assert_int_equal(ASK(&z[0], BASE, 6, 0), SUCCESS);
	assert_int_equal(z[0].got, 8);
	assert_int_equal(z[0].word[0], 3);
	assert_int_equal(z[0].word[1], POWER | CLOCK << 8 | RESET << 16);
	assert_int_equal(ASK(&z[0], BASE, 6, 2), SUCCESS);
	assert_int_equal(z[0].word[0], 1);
	assert_int_equal(z[0].word[1], RESET);
	assert_int_equal(ASK(&z[0], BASE, 6, 3), SUCCESS);
	assert_int_equal(z[0].got, 4);
	assert_int_equal(z[0].word[0], 0);
	assert_int_equal(ASK(&z[0], BASE, 6, 4), INVALID);
	assert_int_equal(ASK(&z[0], BASE, 7, 0), SUCCESS);
	assert_int_equal(z[0].got, 20);
	assert_int_equal(ASK(&z[0], BASE, 7, UINT32_MAX), SUCCESS);
	assert_int_equal(z[0].word[0], 1);
	assert_string_equal((char *)(z[0].word + 1), "linux1");
	assert_int_equal(ASK(&z[0], BASE, 7, 2), NOT_FOUND);
	assert_int_equal(ASK(&z[0], BASE, 8, 1), NOT_SUPPORTED);
	assert_int_equal(ASK(&z[0], BASE, 9, 1, 0, 1), NOT_SUPPORTED);
	assert_int_equal(ASK(&z[0], BASE, 2, 6), SUCCESS);
	assert_int_equal(ASK(&z[0], BASE, 2, 8), NOT_FOUND);
	assert_int_equal(ASK(&z[0], BASE, 0x10, 0x20000), SUCCESS);
	assert_int_equal(ASK(&z[0], BASE, 0x10, 0x70000), NOT_SUPPORTED);
}

static void test_clock(void **state)
{
	static const unsigned char short_name[16] = "a_name_that_is_";

	(void)state;
	assert_int_equal(ASK0(&z[0], CLOCK, 0), SUCCESS);
	assert_int_equal(z[0].word[0], 0x30000);
	assert_int_equal(ASK0(&z[0], CLOCK, 1), SUCCESS);
	assert_int_equal(z[0].got, 4);
	assert_int_equal(z[0].word[0], LONG + 1);
	assert_int_equal(ASK(&z[0], CLOCK, 3, UART0), SUCCESS);
	assert_int_equal(z[0].got, 24);
	assert_int_equal(z[0].word[0], 0);
	assert_string_equal((char *)(z[0].word + 1), "uart0");
	assert_int_equal(ASK(&z[0], CLOCK, 3, LONG), SUCCESS);
	assert_int_equal(z[0].word[0], 1u << 29);
	assert_memory_equal(z[0].word + 1, short_name, 16);
	assert_int_equal(ASK(&z[0], CLOCK, 8, LONG), SUCCESS);
	assert_int_equal(z[0].got, 68);
	assert_string_equal((char *)(z[0].word + 1), "a_name_that_is_too_long_for_the_short_field");
	assert_int_equal(ASK(&z[0], CLOCK, 6, UART0), SUCCESS);
	assert_int_equal(z[0].got, 8);
	assert_int_equal(z[0].word[0], 120000000);
	assert_int_equal(ASK(&z[0], CLOCK, 5, 0, UART0, 60000000, 0), SUCCESS);
	assert_int_equal(z[0].got, 0);
	assert_int_equal(ASK(&z[0], CLOCK, 6, UART0), SUCCESS);
	assert_int_equal(z[0].word[0], 60000000);
	assert_int_equal(ASK(&z[0], CLOCK, 5, 1, UART0, 60000000, 0), NOT_SUPPORTED);
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 1, 0), SUCCESS);
	assert_true(is_on(UART0));
	assert_int_equal(ASK(&z[0], CLOCK, 3, UART0), SUCCESS);
	assert_int_equal(z[0].word[0], 1);
	assert_int_equal(ASK(&z[0], CLOCK, 0xb, UART0, 0), SUCCESS);
	assert_int_equal(z[0].got, 12);
	assert_int_equal(z[0].word[1], 1);
	assert_int_equal(ASK(&z[1], CLOCK, 0xb, UART0, 0), SUCCESS);
	assert_int_equal(z[1].word[1], 0);
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 3, 0), SUCCESS); /* unchanged */
	assert_true(is_on(UART0));
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 2, 0), INVALID);
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 0x10001, 0), NOT_SUPPORTED);
	/* Without the last word, as older clients. */
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 0), SUCCESS);
	assert_false(is_on(UART0));
	for (unsigned int id = 9; id < 0x10; id++)
		if (id != 0xb)
			assert_int_equal(ASK(&z[0], CLOCK, id, UART0, 0), NOT_SUPPORTED);
}

static void test_rates(void **state)
{
	uint32_t request[3] = { header(CLOCK, 4), UART0, 0 }, flags;

	(void)state;
	assert_int_equal(ASK(&z[0], CLOCK, 4, UART0, 0), SUCCESS);
	assert_int_equal(z[0].got, 4 + 4 * 8);
	assert_int_equal(z[0].word[0], 4);
	assert_int_equal(z[0].word[1], 30000000);
	assert_int_equal(z[0].word[7], 120000000);
	assert_int_equal(ASK(&z[0], CLOCK, 4, UART0, 3), SUCCESS);
	assert_int_equal(z[0].word[0], 1);
	assert_int_equal(z[0].word[1], 120000000);
	/* More than Linux takes: a range. */
	assert_int_equal(ASK(&z[0], CLOCK, 4, SPI0, 0), SUCCESS);
	assert_int_equal(z[0].got, 4 + 3 * 8);
	assert_int_equal(z[0].word[0], 3 | 1 << 12);
	assert_int_equal(z[0].word[1], 1200000);
	assert_int_equal(z[0].word[3], 120000000);
	/* Into a small buffer: as many as fit, the others are still to come. */
	assert_int_equal(send_raw(&z[0], request, sizeof(request), 8 + 4 + 2 * 8), 28);
	memcpy(&flags, z[0].in + 8, 4);
	assert_int_equal(flags, 2 | 2 << 16);
	assert_int_equal(send_raw(&z[0], request, sizeof(request), 8 + 4 + 7), 12);
	memcpy(&flags, z[0].in + 8, 4);
	assert_int_equal(flags, 0);
}

/* Versions 1 and 2 of the clock protocol, where the client knows no later one. */
static void test_clock_versions(void **state)
{
	(void)state;
	assert_int_equal(ASK(&z[0], CLOCK, 0x10, 0x20000), SUCCESS);
	assert_int_equal(ASK(&z[0], CLOCK, 3, LONG), SUCCESS);
	assert_int_equal(z[0].got, 24);
	assert_int_equal(z[0].word[0], 1u << 29);
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 1), SUCCESS);
	assert_true(is_on(UART0));
	assert_int_equal(ASK(&z[0], CLOCK, 0x10, 0x10000), SUCCESS);
	assert_int_equal(ASK(&z[0], CLOCK, 3, LONG), SUCCESS);
	assert_int_equal(z[0].got, 20);
	assert_int_equal(z[0].word[0], 0);
	assert_int_equal(ASK(&z[0], CLOCK, 0x10, 0x40000), NOT_SUPPORTED);
	assert_int_equal(ASK(&z[0], POWER, 0x10, 0x20000), SUCCESS);
	assert_int_equal(ASK(&z[0], POWER, 3, 1), SUCCESS);
	assert_int_equal(z[0].word[0], 1u << 29);
	/* A new driver starts over. */
	vrig_reclaim(&z[0].rig);
	vrig_start(&z[0].rig, 0, 64, 0);
	z[0].out = vrig_alloc(&z[0].rig, 512, 8);
	z[0].in = vrig_alloc(&z[0].rig, 512, 8);
	assert_int_equal(ASK(&z[0], CLOCK, 3, LONG), SUCCESS);
	assert_int_equal(z[0].got, 24);
}

static void test_power(void **state)
{
	uint32_t users;

	(void)state;
	assert_int_equal(ASK0(&z[0], POWER, 0), SUCCESS);
	assert_int_equal(z[0].word[0], 0x30001);
	assert_int_equal(ASK0(&z[0], POWER, 1), SUCCESS);
	assert_int_equal(z[0].got, 16);
	assert_int_equal(z[0].word[0], 3);
	assert_int_equal(ASK(&z[0], POWER, 3, 1), SUCCESS);
	assert_int_equal(z[0].got, 20);
	assert_int_equal(z[0].word[0], 1u << 29 | 1u << 27);
	assert_int_equal(ASK(&z[0], POWER, 8, 1), SUCCESS);
	assert_string_equal((char *)(z[0].word + 1), "a_domain_with_a_long_name");
	assert_int_equal(ASK(&z[0], POWER, 5, 1), SUCCESS);
	assert_int_equal(z[0].word[0], 1u << 30);
	assert_int_equal(ASK(&z[0], POWER, 4, 0, 1, 0), SUCCESS);
	assert_int_equal(ASK(&z[0], POWER, 5, 1), SUCCESS);
	assert_int_equal(z[0].word[0], 0);
	assert_int_equal(ASK(&z[1], POWER, 5, 1), SUCCESS);
	assert_int_equal(z[1].word[0], 1u << 30);
	hv_sim_power_users(hyp, 1, &users);
	assert_int_equal(users, 1);
	assert_int_equal(ASK(&z[0], POWER, 4, 0, 1, 5), INVALID);
	assert_int_equal(ASK(&z[0], POWER, 4, 1, 1, 0), NOT_SUPPORTED);
	assert_int_equal(ASK(&z[0], POWER, 4, 0, 1, 1u << 30), SUCCESS);
	hv_sim_power_users(hyp, 1, &users);
	assert_int_equal(users, 0);
	assert_int_equal(ASK(&z[0], POWER, 6, 1, 1), NOT_SUPPORTED);
	/* Domain 0 is not this zone's. */
	assert_int_equal(ASK(&z[0], POWER, 3, 0), NOT_FOUND);
	assert_int_equal(ASK(&z[0], POWER, 4, 0, 0, 0), NOT_FOUND);
	assert_int_equal(ASK(&z[0], POWER, 5, 0), NOT_FOUND);
	assert_int_equal(ASK(&z[0], POWER, 8, 0), NOT_FOUND);
	hv_sim_power_users(hyp, 0, &users);
	assert_int_equal(users, 0);
}

static void test_reset_lines(void **state)
{
	uint32_t pulses;
	bool asserted;

	(void)state;
	assert_int_equal(ASK0(&z[0], RESET, 1), SUCCESS);
	assert_int_equal(z[0].got, 4);
	assert_int_equal(z[0].word[0], 2);
	assert_int_equal(ASK(&z[0], RESET, 3, 1), SUCCESS);
	assert_int_equal(z[0].got, 24);
	assert_string_equal((char *)(z[0].word + 2), "reset1");
	assert_int_equal(ASK(&z[0], RESET, 4, 1, 2, 0), SUCCESS);
	hv_sim_reset_state(hyp, 1, &asserted, &pulses);
	assert_true(asserted);
	assert_int_equal(ASK(&z[0], RESET, 4, 1, 0, 0), SUCCESS);
	assert_int_equal(ASK(&z[0], RESET, 4, 1, 1, 0), SUCCESS);
	assert_int_equal(ASK(&z[1], RESET, 4, 1, 2, 0), BUSY);
	assert_int_equal(ASK(&z[1], RESET, 4, 1, 1, 0), BUSY);
	hv_sim_reset_state(hyp, 1, &asserted, &pulses);
	assert_false(asserted);
	assert_int_equal(pulses, 1);
	assert_int_equal(ASK(&z[0], RESET, 4, 1, 4, 0), NOT_SUPPORTED);
	assert_int_equal(ASK(&z[0], RESET, 4, 1, 8, 0), INVALID);
	assert_int_equal(ASK(&z[0], RESET, 4, 1, 1, 1u << 31), INVALID);
	assert_int_equal(ASK(&z[0], RESET, 4, 2, 1, 0), NOT_FOUND);
	assert_int_equal(ASK(&z[0], RESET, 6, 1), SUCCESS);
	assert_int_equal(ASK(&z[0], RESET, 5, 1, 1), NOT_SUPPORTED);
}

/* What is not on the list is not there, whatever is asked of it. */
static void test_gate(void **state)
{
	static const uint32_t others[] = { HIDDEN, OTHER, OTHER + 1, 64, HV_LENT_IDS, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		uint32_t id = others[i];

		assert_int_equal(ASK(&z[0], CLOCK, 3, id), NOT_FOUND);
		assert_int_equal(ASK(&z[0], CLOCK, 4, id, 0), NOT_FOUND);
		assert_int_equal(ASK(&z[0], CLOCK, 5, 0, id, 1000, 0), NOT_FOUND);
		assert_int_equal(ASK(&z[0], CLOCK, 6, id), NOT_FOUND);
		assert_int_equal(ASK(&z[0], CLOCK, 7, id, 1, 0), NOT_FOUND);
		assert_int_equal(ASK(&z[0], CLOCK, 8, id), NOT_FOUND);
		assert_int_equal(ASK(&z[0], CLOCK, 0xb, id, 0), NOT_FOUND);
	}
	assert_false(is_on(HIDDEN));
	assert_false(is_on(OTHER));
}

/* One zone's end, or reset, is nothing to the other. */
static void test_two_zones(void **state)
{
	(void)state;
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 1, 0), SUCCESS);
	assert_int_equal(ASK(&z[1], CLOCK, 7, UART0, 1, 0), SUCCESS);
	assert_int_equal(ASK(&z[0], CLOCK, 7, SPI0, 1, 0), SUCCESS);
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 0, 0), SUCCESS);
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 0, 0), SUCCESS);
	assert_true(is_on(UART0));
	assert_int_equal(ASK(&z[0], CLOCK, 5, 0, UART0, 30000000, 0), BUSY);
	assert_int_equal(ASK(&z[0], BASE, 0xb, 1, 0), SUCCESS);
	assert_false(is_on(SPI0));
	assert_true(is_on(UART0));
	assert_int_equal(ASK(&z[0], BASE, 0xb, 2, 0), NOT_FOUND);
	vrig_reset(&z[1].rig);
	assert_false(is_on(UART0));
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 1, 0), SUCCESS);
	unplug(&z[0]);
	assert_false(is_on(UART0));
}

/* Whatever is sent, there is an answer that says so. */
static void test_malformed(void **state)
{
	uint32_t words[64] = { header(CLOCK, 3), UART0 };
	struct vrig_buf pieces[6];
	int32_t status;

	(void)state;
	for (uint32_t len = 0; len < 8; len++) {
		assert_int_equal(send_raw(&z[0], words, len, ANSWER), 8);
		memcpy(&status, z[0].in + 4, 4);
		assert_int_equal(status, PROTOCOL_ERROR);
	}
	assert_int_equal(send_raw(&z[0], words, 8, ANSWER), 32);
	/* Longer than any message. */
	assert_int_equal(send_raw(&z[0], words, 256, ANSWER), 8);
	memcpy(&status, z[0].in + 4, 4);
	assert_int_equal(status, PROTOCOL_ERROR);
	/* Notifications and delayed answers are not for the guest to send; nor are reserved bits.
	 */
	for (uint32_t bit = 1u << 8; bit; bit <<= bit == 1u << 9 ? 19 : 1) {
		words[0] = header(CLOCK, 3) | bit;
		assert_int_equal(send_raw(&z[0], words, 8, ANSWER), 8);
		memcpy(&status, z[0].in + 4, 4);
		assert_int_equal(status, PROTOCOL_ERROR);
	}
	for (unsigned int protocol = 0; protocol < 256; protocol++)
		for (unsigned int id = 0; id < 256; id += protocol == CLOCK ? 1 : 85)
			if ((id > 0xb && id != 0x10) || (protocol & ~7u) != 0x10)
				assert_int_equal(ASK(&z[0], protocol, id, 1, 1, 1), NOT_SUPPORTED);
	/* The answer is cut to the buffer, not a byte beyond. */
	words[0] = header(CLOCK, 8);
	for (uint32_t room = 0; room <= 80; room++) {
		assert_int_equal(send_raw(&z[0], words, 8, room), room < 76 ? room : 76);
		assert_int_equal(z[0].in[room], 0xee);
	}
	/* In pieces of a byte. */
	words[0] = header(CLOCK, 3);
	memcpy(z[0].out, words, 8);
	for (int i = 0; i < 4; i++)
		pieces[i] = (struct vrig_buf){ z[0].out + i, 1, false };
	pieces[4] = (struct vrig_buf){ z[0].out + 4, 4, false };
	pieces[5] = (struct vrig_buf){ z[0].in, 32, true };
	assert_int_equal(vrig_request(&z[0].rig, 0, pieces, 6), 32);
	assert_string_equal((char *)z[0].in + 12, "uart0");
	/* Buffers for events wait. */
	assert_true(vrig_add(&z[0].rig, 1, &(struct vrig_buf){ z[0].in, 64, true }, 1) >= 0);
	vrig_kick(&z[0].rig, 1);
	assert_int_equal(ASK0(&z[0], BASE, 0), SUCCESS);
	assert_false(vrig_poll(&z[0].rig, 1, &(struct vrig_used){ 0 }));
}

static void test_lists(void **state)
{
	static const int64_t bad_id[] = { 5 }, huge[] = { UINT32_MAX }, negative[] = { -1 };
	static const char *const bad_name[] = { "uart9" };
	struct hv_origin origin = { .file = "boot.lua",
				    .line = 7,
				    .field = "devices.scmi0.clocks" };
	const struct hv_scmi_allow wrong[] = {
		{ .ids = bad_id, .n_ids = 1, .origin = origin },
		{ .ids = huge, .n_ids = 1, .origin = origin },
		{ .ids = negative, .n_ids = 1, .origin = origin },
		{ .names = bad_name, .n_names = 1, .origin = origin },
	};
	struct hv_scmi_opts opts = { .host = host, .zone = "a zone with a name of thirty-one" };
	struct zone *zone = &z[0];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct hv_vdev dev = { 0 };

		memset(&err, 0, sizeof(err));
		opts.allow[HV_LENT_CLOCK] = wrong[i];
		assert_true(hv_scmi_init(&dev, "linux3/scmi", &opts, &err) < 0);
		want_text(&err, "boot.lua:7: devices.scmi0.clocks: ");
	}
	want_text(&err, "uart9");
	want_text(&err, "spi0");
	/* Nothing allowed: only what tells so. */
	unplug(zone);
	opts.allow[HV_LENT_CLOCK] = (struct hv_scmi_allow){ 0 };
	plug(zone, opts.zone, opts.allow);
	assert_int_equal(ASK(zone, BASE, 6, 0), SUCCESS);
	assert_int_equal(zone->word[0], 0);
	assert_int_equal(ASK0(zone, CLOCK, 0), NOT_SUPPORTED);
	assert_int_equal(ASK(zone, BASE, 7, 1), SUCCESS);
	assert_string_equal((char *)(zone->word + 1), "a zone with a n");
	/* A machine that lends none. */
	want(hv_sim_set_clocks(hyp, "clock osc 1\n", &err), 0, &err);
	opts.allow[HV_LENT_POWER].all = true;
	want(hv_scmi_init(&(struct hv_vdev){ 0 }, "linux3/scmi", &opts, &err), -ENOENT, NULL);
	want_text(&err, "power domain");
}

/* The machine dies under a zone: it is told so. */
static void test_machine_fails(void **state)
{
	(void)state;
	assert_int_equal(ASK(&z[0], CLOCK, 7, UART0, 1, 0), SUCCESS);
	want(hv_sim_set_clocks(hyp, "clock osc 1\n", &err), 0, &err);
	assert_int_equal(ASK(&z[0], CLOCK, 6, UART0), NOT_FOUND);
	assert_int_equal(ASK(&z[0], CLOCK, 3, UART0), NOT_FOUND);
	assert_int_equal(ASK(&z[0], CLOCK, 4, UART0, 0), NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_base, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clock, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rates, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_clock_versions, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_power, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reset_lines, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_two_zones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lists, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_machine_fails, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
