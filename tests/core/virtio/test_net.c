// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_box.h"

#define MRG HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define CTRL                                                                                       \
	(HV_FEATURE(VIRTIO_NET_F_CTRL_VQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_RX) |                     \
	 HV_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR))
#define EVENT HV_FEATURE(HV_F_EVENT_IDX)

static uint8_t scratch[70000], got[70000];

static void *at_len(uint8_t *buf)
{
	return buf + NB_HDR;
}

static void read_mac(struct net_box *box, uint8_t mac[6])
{
	for (unsigned int i = 0; i < 6; i++)
		mac[i] = (uint8_t)vrig_config(&box->rig, i, 1);
}

/* Config space 0..12: address, status, pairs, MTU; nothing behind. */
static void test_config(void **state)
{
	static const uint8_t given[6] = { 0x52, 0x54, 0, 1, 2, 3 };
	struct net_box box;
	struct hv_net_info info;
	uint8_t mac[6], again[6];
	int fds[2];

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	read_mac(&box, mac);
	assert_int_equal(mac[0] & 3, 2);
	assert_int_equal(vrig_config(&box.rig, 6, 2), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(vrig_config(&box.rig, 8, 2), 1);
	assert_int_equal(vrig_config(&box.rig, 10, 2), 1500);
	assert_int_equal(vrig_config(&box.rig, 12, 8), 0);
	/* No offloads from something that knows none. */
	assert_false(box.dev.offered & HV_FEATURE(VIRTIO_NET_F_CSUM));
	assert_false(box.dev.offered & HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4));
	assert_true(box.dev.offered & MRG);
	nb_close(&box);
	nb_open_pair(&box, SOCK_SEQPACKET);
	read_mac(&box, again);
	assert_memory_equal(mac, again, 6);
	nb_close(&box);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	nb_open(&box,
		&(struct hv_net_opts){ .fds = fds,
				       .n_fds = 1,
				       .has_mac = true,
				       .mac = { 0x52, 0x54, 0, 1, 2, 3 },
				       .mtu = 9000 },
		1 << 20);
	box.peer = fds[1];
	read_mac(&box, mac);
	assert_memory_equal(mac, given, 6);
	assert_int_equal(vrig_config(&box.rig, 10, 2), 9000);
	hv_net_info(&box.dev, &info);
	assert_true(info.link && !info.gone && !info.sw);
	assert_int_equal(info.mtu, 9000);
	nb_close(&box);
}

static void test_options(void **state)
{
	static const struct {
		struct hv_net_opts opts;
		const char *says;
	} bad[] = {
		{ .says = "either a TAP or a switch" },
		{ { .bridge = "br0" }, "either a TAP or a switch" },
		{ { .tap = "t", .sw = (struct hv_switch *)1 }, "not both" },
		{ { .tap = "t", .has_mac = true, .mac = { 1 } }, "01:00:00:00:00:00" },
		{ { .tap = "t", .mtu = 60 }, "MTU of 60" },
		{ { .tap = "t", .pairs = 8 }, "8 pairs" },
		{ { .tap = "name-of-16-chars" }, "1 to 15 characters" },
		{ { .tap = "" }, "1 to 15 characters" },
		{ { .tap = "a/b" }, "may not contain" },
		{ { .tap = "tap%d" }, "may not contain" },
		{ { .tap = ".." }, "may not contain" },
		{ { .tap = "tap0", .bridge = "b r" }, "bridge" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct hv_net_opts opts = bad[i].opts;
		struct hv_vdev dev = { 0 };
		struct hv_err err = { 0 };

		opts.origin = (struct hv_origin){ "boot.lua", 7, "devices.eth0" };
		assert_int_equal(hv_net_init(&dev, "linux1/eth0", &opts, &err), -EINVAL);
		if (!strstr(err.msg, bad[i].says) ||
		    !strstr(err.msg, "linux1/eth0 (boot.lua:7: devices.eth0): "))
			fail_msg("\"%s\" lacks \"%s\"", err.msg, bad[i].says);
	}
}

static void test_mac_text(void **state)
{
	static const char *const bad[] = { "",
					   "52:54:00:12:34",
					   "52:54:00:12:34:567",
					   "52:54:00:12:34:5g",
					   "52-54-00-12-34-56",
					   "52:54:00:12:34:56 ",
					   " 2:54:00:12:34:56",
					   "01:00:00:00:00:00",
					   "00:00:00:00:00:00",
					   "5:254:00:12:34:56" };
	struct hv_err err = { 0 };
	char text[HV_MAC_TEXT];
	uint8_t mac[6];

	(void)state;
	assert_int_equal(hv_mac_parse("52:54:00:aB:34:ff", mac, &err), 0);
	assert_string_equal(hv_mac_format(mac, text), "52:54:00:ab:34:ff");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hv_mac_parse(bad[i], mac, &err), -EINVAL);
}

/* A frame arrives whole, however its chain is cut. */
static void test_transmit(void **state, uint64_t features, unsigned int flags)
{
	static const uint32_t cuts[][4] = { { 1526 },	      { 12, 1514 },	  { 5, 7, 1514 },
					    { 12, 14, 1500 }, { 1, 1, 1510, 14 }, { 13, 1, 1512 } };
	struct net_box box;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, features, 64, flags);
	for (uint32_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		uint8_t *at = vrig_alloc(&box.rig, 1526, 1);
		struct vrig_buf bufs[4];
		struct virtio_net_hdr_v1 hdr;
		unsigned int n = 0;
		uint32_t off = 0;

		nb_frame(at_len(at), NULL, NULL, i, 1514);
		for (; n < 4 && cuts[i][n]; off += cuts[i][n++])
			bufs[n] = (struct vrig_buf){ at + off, cuts[i][n], false };
		assert_int_equal(off, 1526);
		assert_int_equal(vrig_request(&box.rig, NB_TX, bufs, n), 0);
		assert_int_equal(nb_peer_receive(&box, &hdr, got, sizeof(got)), 1514);
		assert_memory_equal(got, at + NB_HDR, 1514);
		assert_int_equal(hdr.flags, 0);
	}
	vrig_wait_count(&box.dev.stats.write_bytes, 6 * 1514);
	vrig_wait_count(&box.dev.stats.requests, 6);
	nb_close(&box);
}

static void test_transmit_plain(void **state)
{
	test_transmit(state, 0, 0);
}

static void test_transmit_indirect(void **state)
{
	test_transmit(state, EVENT, VRIG_INDIRECT);
}

/* Only what was received is written, behind a header that says nothing but "one buffer". */
static void test_receive(void **state)
{
	struct net_box box;
	uint8_t *buf;
	int head;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, EVENT, 64, 0);
	buf = nb_post(&box, NB_RX, 2000, &head);
	vrig_kick(&box.rig, NB_RX);
	nb_frame(scratch, NULL, NULL, 1, 600);
	nb_peer_send(&box, NULL, scratch, 600);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, head), 612);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
	assert_memory_equal(buf + NB_HDR, scratch, 600);
	for (int i = 612; i < 2000; i++)
		assert_int_equal(buf[i], 0xee);
	vrig_wait_count(&box.dev.stats.read_bytes, 600);
	nb_close(&box);
}

static size_t collect(struct net_box *box, uint8_t *const *bufs, uint16_t *count)
{
	struct vrig_used used = vrig_wait(&box->rig, NB_RX);
	size_t len = 0;
	uint16_t n = 1;

	memcpy(count, bufs[used.id] + 10, 2);
	for (;; n++) {
		memcpy(got + len, bufs[used.id], used.len);
		len += used.len;
		if (n == *count)
			return len;
		used = vrig_wait(&box->rig, NB_RX);
	}
}

/* Frames of all sizes into small buffers, none lost, whatever was expected of their size. */
static void test_mergeable(void **state)
{
	static const size_t sizes[] = { 60, 3000, 60,  60000, 65549, 1514,
					14, 986,  987, 988,   989,   30000 };
	struct net_box box;
	uint8_t *bufs[256];
	uint16_t count;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, MRG | EVENT, 256, 0);
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			int head;

			for (;;) {
				uint8_t *buf = vrig_alloc(&box.rig, 1000, 16);

				head = vrig_add(&box.rig, NB_RX,
						&(struct vrig_buf){ buf, 1000, true }, 1);
				if (head < 0)
					break;
				bufs[head] = buf;
			}
			vrig_kick(&box.rig, NB_RX);
			nb_frame(scratch, NULL, NULL, (uint32_t)i, sizes[i]);
			nb_peer_send(&box, NULL, scratch, sizes[i]);
			assert_int_equal(collect(&box, bufs, &count), sizes[i] + NB_HDR);
			assert_int_equal(count, (sizes[i] + NB_HDR + 999) / 1000);
			assert_memory_equal(got + NB_HDR, scratch, sizes[i]);
		}
	}
	assert_int_equal(box.dev.stats.dropped, 0);
	nb_close(&box);
}

/* Frames wait where they are until there are buffers, also one that has only a part of those it
 * needs. */
static void test_receive_waits(void **state)
{
	struct net_box box;
	uint8_t *bufs[64];
	uint64_t wakeups;
	uint16_t count;
	int head;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	nb_frame(scratch, NULL, NULL, 0, 5000);
	nb_peer_send(&box, NULL, scratch, 5000);
	vrig_start(&box.rig, MRG | EVENT, 64, 0);
	for (uint32_t i = 1; i < 20; i++) {
		nb_frame(scratch, NULL, NULL, i, 100);
		nb_peer_send(&box, NULL, scratch, 100);
	}
	/* It sleeps meanwhile. */
	nb_frame(scratch, NULL, NULL, 0, 64);
	nb_send(&box, NB_TX, NULL, scratch, 64);
	wakeups = box.dev.stats.wakeups;
	poll(NULL, 0, 100);
	assert_in_range(box.dev.stats.wakeups - wakeups, 0, 5);
	for (int i = 0; i < 4; i++) {
		uint8_t *buf = nb_post(&box, NB_RX, 1500, &head);

		bufs[head] = buf;
		vrig_kick(&box.rig, NB_RX);
		/* Something behind which the receiver has looked at the buffer. */
		nb_frame(scratch, NULL, NULL, 0, 64);
		nb_send(&box, NB_TX, NULL, scratch, 64);
	}
	nb_frame(scratch, NULL, NULL, 0, 5000);
	assert_int_equal(collect(&box, bufs, &count), 5000 + NB_HDR);
	assert_int_equal(count, 4);
	assert_memory_equal(got + NB_HDR, scratch, 5000);
	for (uint32_t i = 1; i < 20; i++) {
		uint8_t *buf = nb_post(&box, NB_RX, 1500, &head);

		vrig_kick(&box.rig, NB_RX);
		assert_int_equal(vrig_finish(&box.rig, NB_RX, head), 112);
		nb_frame(scratch, NULL, NULL, i, 100);
		assert_memory_equal(buf + NB_HDR, scratch, 100);
	}
	assert_int_equal(box.dev.stats.dropped, 0);
	nb_close(&box);
}

/* Buffers that hold no header come back empty; a frame that fits no buffer is dropped and counted.
 */
static void test_bad_buffers(void **state)
{
	struct net_box box;
	uint64_t deadline = 0;
	uint8_t *buf;
	int small, large;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, EVENT, 64, 0);
	nb_post(&box, NB_RX, 11, &small);
	buf = nb_post(&box, NB_RX, 112, &large);
	vrig_kick(&box.rig, NB_RX);
	nb_frame(scratch, NULL, NULL, 1, 101);
	nb_peer_send(&box, NULL, scratch, 101);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, small), 0);
	while (!atomic_load(&box.dev.stats.dropped))
		vrig_pause(&deadline, "the drop to be counted");
	nb_peer_send(&box, NULL, scratch, 100);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, large), 112);
	assert_memory_equal(buf + NB_HDR, scratch, 100);
	nb_close(&box);
}

static void test_bad_frames(void **state)
{
	struct net_box box;
	uint8_t *in;
	int head;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, EVENT, 64, 0);
	nb_send(&box, NB_TX, NULL, scratch, 13);
	nb_send(&box, NB_TX, NULL, scratch, 65558);
	in = vrig_alloc(&box.rig, 64, 1);
	head = vrig_add(&box.rig, NB_TX, &(struct vrig_buf){ in, 64, true }, 1);
	vrig_kick(&box.rig, NB_TX);
	assert_int_equal(vrig_finish(&box.rig, NB_TX, head), 0);
	vrig_wait_count(&box.dev.stats.errors, 3);
	assert_int_equal(box.broken, 0);
	nb_frame(scratch, NULL, NULL, 1, 65557);
	nb_send(&box, NB_TX, NULL, scratch, 65557);
	assert_int_equal(nb_peer_receive(&box, NULL, got, sizeof(got)), 65557);
	assert_memory_equal(got, scratch, 65557);
	nb_close(&box);
}

/* The other side takes nothing for a while: nothing is lost, and the stall is counted. */
static void test_stall(void **state)
{
	struct net_box box;
	struct hv_net_info info = { 0 };
	uint64_t deadline = 0;
	uint32_t n = 200;

	(void)state;
	nb_open_pair(&box, SOCK_DGRAM);
	vrig_start(&box.rig, EVENT, 256, 0);
	for (uint32_t i = 0; i < n; i++) {
		nb_frame(scratch, NULL, NULL, i, 1514);
		nb_add(&box, NB_TX, NULL, scratch, 1514);
	}
	vrig_kick(&box.rig, NB_TX);
	while (hv_net_info(&box.dev, &info), !info.stalls)
		vrig_pause(&deadline, "a stall");
	for (uint32_t i = 0; i < n; i++) {
		nb_frame(scratch, NULL, NULL, i, 1514);
		assert_int_equal(nb_peer_receive(&box, NULL, got, sizeof(got)), 1514);
		assert_memory_equal(got, scratch, 1514);
	}
	for (uint32_t i = 0; i < n; i++)
		vrig_wait(&box.rig, NB_TX);
	assert_int_equal(box.dev.stats.dropped, 0);
	nb_close(&box);
}

/* What is behind the device ends: a message, link down, no frames kept, and no running in circles.
 */
static void test_vanish(void **state)
{
	struct net_box box;
	struct hv_net_info info;
	uint64_t deadline = 0, wakeups;
	struct pollfd none = { .fd = -1 };

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, HV_FEATURE(VIRTIO_NET_F_STATUS) | EVENT, 64, 0);
	nb_post(&box, NB_RX, 2000, NULL);
	vrig_kick(&box.rig, NB_RX);
	close(box.peer);
	box.peer = -1;
	while (!box.links)
		vrig_pause(&deadline, "the link to go down");
	assert_int_equal(box.errors, 1);
	assert_non_null(strstr(box.message, "vanished"));
	assert_int_equal(vrig_config(&box.rig, 6, 2), 0);
	assert_true(vrig_ack(&box.rig) & VIRTIO_MMIO_INT_CONFIG);
	hv_net_info(&box.dev, &info);
	assert_true(info.gone && !info.link);
	nb_frame(scratch, NULL, NULL, 1, 100);
	nb_send(&box, NB_TX, NULL, scratch, 100);
	vrig_wait_count(&box.dev.stats.dropped, 1);
	/* It sleeps: a busy loop would wake up thousands of times in this while. */
	wakeups = box.dev.stats.wakeups;
	poll(&none, 1, 100);
	assert_in_range(box.dev.stats.wakeups - wakeups, 0, 5);
	/* The next driver finds the same, without another message. */
	vrig_reset(&box.rig);
	vrig_start(&box.rig, HV_FEATURE(VIRTIO_NET_F_STATUS), 64, 0);
	nb_send(&box, NB_TX, NULL, scratch, 100);
	assert_int_equal(box.errors, 1);
	nb_close(&box);
}

static void test_link(void **state)
{
	struct net_box box;
	uint64_t deadline = 0;
	uint8_t *buf;
	int head;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig,
		   CTRL | HV_FEATURE(VIRTIO_NET_F_STATUS) |
			   HV_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | EVENT,
		   64, 0);
	buf = nb_post(&box, NB_RX, 2000, &head);
	vrig_kick(&box.rig, NB_RX);
	hv_net_set_link(&box.dev, false);
	assert_int_equal(vrig_config(&box.rig, 6, 2), 0);
	assert_true(vrig_ack(&box.rig) & VIRTIO_MMIO_INT_CONFIG);
	nb_frame(scratch, NULL, NULL, 1, 100);
	nb_send(&box, NB_TX, NULL, scratch, 100);
	nb_peer_send(&box, NULL, scratch, 100);
	while (atomic_load(&box.dev.stats.dropped) < 2)
		vrig_pause(&deadline, "both frames to be dropped");
	hv_net_set_link(&box.dev, true);
	assert_int_equal(vrig_config(&box.rig, 6, 2), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(box.links, 2);
	assert_int_equal(nb_ctrl(&box, NB_CTRL, VIRTIO_NET_CTRL_ANNOUNCE,
				 VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0),
			 VIRTIO_NET_OK);
	assert_int_equal(vrig_config(&box.rig, 6, 2), VIRTIO_NET_S_LINK_UP);
	nb_frame(scratch, NULL, NULL, 2, 100);
	nb_peer_send(&box, NULL, scratch, 100);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, head), 112);
	assert_memory_equal(buf + NB_HDR, scratch, 100);
	nb_close(&box);
}

/* With a limit, frames wait for their turn; without it they go on. Both directions. */
static void test_limit(void **state)
{
	const struct hv_limit_rate rate = { .tokens = 1,
					    .period_ns = UINT64_C(3600) * 1000000000,
					    .burst = 3 };
	struct net_box box;
	struct vrig_used used;
	uint8_t *buf;
	int first, second, head;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, EVENT, 64, 0);
	hv_limit_set_rates(&box.dev.limit, rate, (struct hv_limit_rate){ 0 });
	nb_frame(scratch, NULL, NULL, 1, 100);
	nb_send(&box, NB_TX, NULL, scratch, 100);
	nb_post(&box, NB_RX, 2000, &first);
	buf = nb_post(&box, NB_RX, 2000, &second);
	vrig_kick(&box.rig, NB_RX);
	nb_peer_send(&box, NULL, scratch, 100);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, first), 112);
	nb_send(&box, NB_TX, NULL, scratch, 100);
	/* The burst is used up. */
	nb_peer_send(&box, NULL, scratch, 100);
	head = nb_add(&box, NB_TX, NULL, scratch, 100);
	vrig_kick(&box.rig, NB_TX);
	poll(NULL, 0, 50);
	assert_false(vrig_poll(&box.rig, NB_RX, &used));
	assert_false(vrig_poll(&box.rig, NB_TX, &used));
	hv_limit_set(&box.dev.limit, 0, 0, 0, 0);
	hv_vdev_poke(&box.dev);
	assert_int_equal(vrig_finish(&box.rig, NB_TX, head), 0);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, second), 112);
	assert_memory_equal(buf + NB_HDR, scratch, 100);
	nb_close(&box);
}

/* A frame half received when the driver goes does not reach the next one; frames after it do. */
static void test_reset(void **state)
{
	struct net_box box;
	uint8_t *buf;
	int head;

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, MRG | EVENT, 64, 0);
	nb_post(&box, NB_RX, 200, NULL);
	vrig_kick(&box.rig, NB_RX);
	nb_frame(scratch, NULL, NULL, 1, 1000);
	nb_peer_send(&box, NULL, scratch, 1000);
	nb_frame(scratch, NULL, NULL, 2, 100);
	nb_peer_send(&box, NULL, scratch, 100);
	/* The second is sent in a later turn than the first, one in which all was received. */
	nb_send(&box, NB_TX, NULL, scratch, 100);
	nb_send(&box, NB_TX, NULL, scratch, 100);
	vrig_reset(&box.rig);
	assert_int_equal(box.dev.stats.dropped, 1);
	vrig_start(&box.rig, MRG, 64, 0);
	buf = nb_post(&box, NB_RX, 2000, &head);
	vrig_kick(&box.rig, NB_RX);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, head), 112);
	assert_memory_equal(buf + NB_HDR, scratch, 100);
	nb_close(&box);
}

/* Headers from the host: what the driver did not agree to is done for it, or taken away. */
static void test_received_offloads(void **state)
{
	struct virtio_net_hdr_v1 hdr = { .flags = VIRTIO_NET_HDR_F_DATA_VALID };
	struct net_box box;
	const uint8_t *payload;
	uint8_t *bufs[4];
	size_t len;
	int heads[4];

	(void)state;
	nb_open_pair(&box, SOCK_SEQPACKET);
	vrig_start(&box.rig, EVENT, 64, 0);
	for (int i = 0; i < 4; i++)
		bufs[i] = nb_post(&box, NB_RX, 2000, &heads[i]);
	vrig_kick(&box.rig, NB_RX);
	nb_frame(scratch, NULL, NULL, 1, 100);
	nb_peer_send(&box, &hdr, scratch, 100);
	vrig_finish(&box.rig, NB_RX, heads[0]);
	assert_memory_equal(bufs[0], "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
	len = nb_packet(scratch, &hdr, &(struct nb_packet){ .udp = true }, 501);
	nb_peer_send(&box, &hdr, scratch, len);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, heads[1]), len + NB_HDR);
	assert_memory_equal(bufs[1], "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
	assert_int_equal(nb_check_packet(bufs[1] + NB_HDR, len, &payload), 501);
	len = nb_packet(scratch, &hdr, &(struct nb_packet){ .gso_size = 1400 }, 2000);
	nb_peer_send(&box, &hdr, scratch, len);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, heads[2]), NB_HDR + 54 + 1400);
	assert_int_equal(vrig_finish(&box.rig, NB_RX, heads[3]), NB_HDR + 54 + 600);
	assert_int_equal(nb_check_packet(bufs[2] + NB_HDR, 54 + 1400, &payload), 1400);
	assert_memory_equal(payload, scratch + 54, 1400);
	assert_int_equal(nb_check_packet(bufs[3] + NB_HDR, 54 + 600, &payload), 600);
	assert_memory_equal(payload, scratch + 54 + 1400, 600);
	nb_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_mac_text),
		cmocka_unit_test(test_transmit_plain),
		cmocka_unit_test(test_transmit_indirect),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_mergeable),
		cmocka_unit_test(test_receive_waits),
		cmocka_unit_test(test_bad_buffers),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_vanish),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_received_offloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
