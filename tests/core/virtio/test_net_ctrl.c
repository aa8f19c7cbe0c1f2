// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "net_box.h"
#include "virtio/dev/switch.h"
#include "virtio/state.h"

#define FEATURES                                                                                   \
	(HV_FEATURE(VIRTIO_NET_F_CTRL_VQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_RX) |                     \
	 HV_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | HV_FEATURE(HV_F_EVENT_IDX))

static const uint8_t mine[6] = { 0x02, 0, 0, 0, 0, 1 }, other[6] = { 0x02, 0, 0, 0, 0, 2 },
		     third[6] = { 0x02, 0, 0, 0, 0, 3 }, multi[6] = { 0x33, 0x33, 0, 0, 0, 1 },
		     multi2[6] = { 0x33, 0x33, 0, 0, 0, 2 },
		     all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void open_box(struct net_box *box)
{
	int fds[2];
	struct hv_net_opts opts = { .fds = fds, .n_fds = 1, .has_mac = true };

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	memcpy(opts.mac, mine, 6);
	nb_open(box, &opts, 8 << 20);
	box->peer = fds[1];
}

/* By head; those that no frame needed are there for the next. */
static uint8_t *bufs[256];

/*
 * Sends a frame for each address, the last one for the device itself: what arrives before that one
 * is what the filter lets through. Returns a bit per address.
 */
static unsigned int passes(struct net_box *box, const uint8_t *const *to, unsigned int n,
			   const uint8_t *self)
{
	uint8_t frame[64];
	unsigned int seen = 0;

	for (unsigned int i = 0; i <= n; i++) {
		int head;
		uint8_t *at = nb_post(box, NB_RX, 128, &head);

		bufs[head] = at;
	}
	vrig_kick(&box->rig, NB_RX);
	for (unsigned int i = 0; i <= n; i++) {
		nb_frame(frame, i < n ? to[i] : self, NULL, 0, sizeof(frame));
		frame[20] = (uint8_t)i;
		nb_peer_send(box, NULL, frame, sizeof(frame));
	}
	for (;;) {
		struct vrig_used used = vrig_wait(&box->rig, NB_RX);
		unsigned int which = bufs[used.id][NB_HDR + 20];

		if (which == n)
			return seen;
		seen |= 1u << which;
	}
}

static unsigned int try(struct net_box *box, const uint8_t *self)
{
	static const uint8_t *const to[] = { mine, other, third, multi, multi2, all };

	return passes(box, to, 6, self);
}

enum { MINE = 1, OTHER = 2, THIRD = 4, MULTI = 8, MULTI2 = 16, ALL = 32, EVERY = 63 };

static uint8_t rx(struct net_box *box, uint8_t cmd, uint8_t on)
{
	return nb_ctrl(box, NB_CTRL, VIRTIO_NET_CTRL_RX, cmd, &on, 1);
}

static size_t table(uint8_t *to, const uint8_t *uni, uint32_t n_uni, const uint8_t *group,
		    uint32_t n_multi)
{
	uint8_t *p = to;

	memcpy(p, &n_uni, 4);
	p += 4;
	for (uint32_t i = 0; i < n_uni; i++, p += 6)
		memcpy(p, uni, 6);
	memcpy(p, &n_multi, 4);
	p += 4;
	for (uint32_t i = 0; i < n_multi; i++, p += 6)
		memcpy(p, group, 6);
	return (size_t)(p - to);
}

static void test_filter(void **state)
{
	static uint8_t data[1000];
	struct net_box box;
	size_t len;

	(void)state;
	open_box(&box);
	vrig_start(&box.rig, FEATURES, 256, 0);
	assert_int_equal(try(&box, mine), EVERY);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	assert_int_equal(try(&box, mine), MINE | ALL);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), VIRTIO_NET_OK);
	assert_int_equal(try(&box, mine), MINE | ALL | MULTI | MULTI2);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_ALLMULTI, 0), VIRTIO_NET_OK);
	len = table(data, other, 1, multi, 2);
	assert_int_equal(nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
				 data, len),
			 VIRTIO_NET_OK);
	assert_int_equal(try(&box, mine), MINE | ALL | OTHER | MULTI);
	/* More than the table holds: all of that kind. */
	len = table(data, other, 65, multi, 1);
	assert_int_equal(nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
				 data, len),
			 VIRTIO_NET_OK);
	assert_int_equal(try(&box, mine), MINE | ALL | OTHER | THIRD | MULTI);
	len = table(data, other, 0, multi, 65);
	assert_int_equal(nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
				 data, len),
			 VIRTIO_NET_OK);
	assert_int_equal(try(&box, mine), MINE | ALL | MULTI | MULTI2);
	len = table(data, other, 0, multi, 0);
	assert_int_equal(nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
				 data, len),
			 VIRTIO_NET_OK);
	assert_int_equal(try(&box, mine), MINE | ALL);
	nb_close(&box);
}

static void test_mac(void **state)
{
	struct net_box box;
	struct hv_net_info info;

	(void)state;
	open_box(&box);
	vrig_start(&box.rig, FEATURES, 256, 0);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	assert_int_equal(
		nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, third, 6),
		VIRTIO_NET_OK);
	assert_int_equal(try(&box, third), THIRD | ALL);
	assert_int_equal(vrig_config(&box.rig, 5, 1), 3);
	hv_net_info(&box.dev, &info);
	assert_memory_equal(info.mac, third, 6);
	assert_int_equal(
		nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, multi, 6),
		VIRTIO_NET_ERR);
	assert_int_equal(vrig_config(&box.rig, 5, 1), 3);
	/* The next driver finds address and filter as they were. */
	vrig_reset(&box.rig);
	assert_int_equal(vrig_config(&box.rig, 5, 1), 1);
	vrig_start(&box.rig, FEATURES, 256, 0);
	assert_int_equal(try(&box, mine), EVERY);
	nb_close(&box);
}

/* Unknown, cut off, too long, not negotiated: ERR, and nothing has changed. */
static void test_refusals(void **state)
{
	static const struct {
		uint8_t class, cmd;
		const char *data;
		size_t len;
	} bad[] = {
		{ 99, 0, "", 0 },
		{ VIRTIO_NET_CTRL_RX, 0, "", 0 },
		{ VIRTIO_NET_CTRL_RX, 0, "\0\0", 2 },
		{ VIRTIO_NET_CTRL_RX, 0, "\2", 1 },
		{ VIRTIO_NET_CTRL_RX, 9, "\0", 1 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\0\0\0\0", 4 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\1\0\0\0\0\0\0\0", 8 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\xff\xff\xff\xff\0\0\0\0",
		  8 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\0\0\0\0\xff\xff\xff\x7f",
		  8 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, "\0\0\0\0\0\0\0\0\0", 9 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, "\2\0\0\0\0", 5 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, "\0\0\0\0\0\0", 6 },
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, "\1\0", 2 },
		{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, "", 0 },
		{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, "\1\0", 2 },
	};
	struct net_box box;
	uint8_t *at;
	int head;

	(void)state;
	open_box(&box);
	vrig_start(&box.rig, FEATURES, 256, 0);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			nb_ctrl(&box, NB_CTRL, bad[i].class, bad[i].cmd, bad[i].data, bad[i].len),
			VIRTIO_NET_ERR);
	vrig_wait_count(&box.dev.stats.errors, sizeof(bad) / sizeof(bad[0]));
	/* No room for the answer; no command. */
	at = vrig_alloc(&box.rig, 16, 16);
	head = vrig_add(&box.rig, NB_CTRL, &(struct vrig_buf){ at, 3, false }, 1);
	vrig_kick(&box.rig, NB_CTRL);
	assert_int_equal(vrig_finish(&box.rig, NB_CTRL, head), 0);
	at[8] = 0xee;
	assert_int_equal(vrig_request(&box.rig, NB_CTRL, &(struct vrig_buf){ at + 8, 8, true }, 1),
			 1);
	assert_int_equal(at[8], VIRTIO_NET_ERR);
	assert_int_equal(try(&box, mine), MINE | ALL);
	/* Without the features the commands do not exist. */
	vrig_reset(&box.rig);
	vrig_start(&box.rig, HV_FEATURE(VIRTIO_NET_F_CTRL_VQ), 256, 0);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_ERR);
	assert_int_equal(
		nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, third, 6),
		VIRTIO_NET_ERR);
	assert_int_equal(try(&box, mine), EVERY);
	nb_close(&box);
}

/* What a process has kept of one device, in another one: the guest sees no difference. */
static void move(struct net_box *from, struct net_box *to)
{
	uint8_t kept[HV_STATE_EXTRA] = { 0 };

	assert_int_equal(from->dev.ops->kept_size, to->dev.ops->kept_size);
	pthread_mutex_lock(&from->dev.lock);
	from->dev.ops->keep(&from->dev, kept);
	pthread_mutex_unlock(&from->dev.lock);
	to->dev.ops->restore(&to->dev, kept);
}

static void test_kept(void **state)
{
	struct net_box box, next;
	struct hv_net_info info;
	uint8_t data[64];

	(void)state;
	open_box(&box);
	vrig_start(&box.rig, FEATURES, 256, 0);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_PROMISC, 0), VIRTIO_NET_OK);
	assert_int_equal(
		nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, third, 6),
		VIRTIO_NET_OK);
	assert_int_equal(nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
				 data, table(data, other, 1, multi2, 1)),
			 VIRTIO_NET_OK);
	open_box(&next);
	move(&box, &next);
	vrig_start(&next.rig, FEATURES, 256, 0);
	assert_int_equal(try(&next, third), THIRD | ALL | OTHER | MULTI2);
	assert_int_equal(vrig_config(&next.rig, 5, 1), 3);
	nb_close(&next);
	/* Each mode by itself. */
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_ALLMULTI, 1), VIRTIO_NET_OK);
	open_box(&next);
	move(&box, &next);
	vrig_start(&next.rig, FEATURES, 256, 0);
	assert_int_equal(try(&next, third), THIRD | ALL | OTHER | MULTI | MULTI2);
	nb_close(&next);
	assert_int_equal(rx(&box, VIRTIO_NET_CTRL_RX_PROMISC, 1), VIRTIO_NET_OK);
	open_box(&next);
	move(&box, &next);
	vrig_start(&next.rig, FEATURES, 256, 0);
	assert_int_equal(try(&next, third), EVERY);
	nb_close(&next);
	/* The cable. */
	hv_net_set_link(&box.dev, false);
	open_box(&next);
	move(&box, &next);
	hv_net_info(&next.dev, &info);
	assert_false(info.link);
	assert_int_equal(vrig_config(&next.rig, 6, 1), 0);
	hv_net_set_link(&box.dev, true);
	move(&box, &next);
	hv_net_info(&next.dev, &info);
	assert_true(info.link);
	nb_close(&next);
	nb_close(&box);
}

static void open_switched(struct net_box *box, struct hv_switch *sw, const uint8_t mac[6])
{
	struct hv_net_opts opts = { .sw = sw, .pairs = 3, .has_mac = true };

	memcpy(opts.mac, mac, 6);
	nb_open(box, &opts, 8 << 20);
}

static void test_pairs_kept(void **state)
{
	const uint16_t two = 2;
	struct net_box box, next;
	struct hv_net_info info;
	struct hv_switch *sw;
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_switch_new("lan", &sw, &err), 0);
	open_switched(&box, sw, mine);
	vrig_start(&box.rig, FEATURES | HV_FEATURE(VIRTIO_NET_F_MQ), 256, 0);
	assert_int_equal(nb_ctrl(&box, 6, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two,
				 sizeof(two)),
			 VIRTIO_NET_OK);
	open_switched(&next, sw, other);
	hv_net_info(&next.dev, &info);
	assert_int_equal(info.active, 1);
	move(&box, &next);
	hv_net_info(&next.dev, &info);
	assert_int_equal(info.active, 2);
	nb_close(&next);
	nb_close(&box);
	hv_switch_put(sw);
}

/* What cannot be begins as a life does. */
static void test_damaged(void **state)
{
	uint8_t kept[HV_STATE_EXTRA];
	struct net_box box;
	struct hv_net_info info;

	(void)state;
	open_box(&box);
	memset(kept, 0xff, sizeof(kept));
	box.dev.ops->restore(&box.dev, kept);
	memset(kept, 0, sizeof(kept));
	box.dev.ops->restore(&box.dev, kept);
	hv_net_info(&box.dev, &info);
	assert_true(info.link);
	assert_int_equal(info.active, 1);
	assert_memory_equal(info.mac, mine, 6);
	vrig_start(&box.rig, FEATURES, 256, 0);
	assert_int_equal(try(&box, mine), EVERY);
	nb_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter),	   cmocka_unit_test(test_mac),
		cmocka_unit_test(test_refusals),   cmocka_unit_test(test_kept),
		cmocka_unit_test(test_pairs_kept), cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
