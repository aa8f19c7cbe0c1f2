// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <string.h>

#include "net_box.h"

#define EVENT HV_FEATURE(HV_F_EVENT_IDX)
#define MRG HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define SENDS                                                                                      \
	(HV_FEATURE(VIRTIO_NET_F_CSUM) | HV_FEATURE(VIRTIO_NET_F_HOST_TSO4) |                      \
	 HV_FEATURE(VIRTIO_NET_F_HOST_TSO6) | HV_FEATURE(HV_NET_F_HOST_USO))
#define TAKES                                                                                      \
	(HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4) |               \
	 HV_FEATURE(VIRTIO_NET_F_GUEST_TSO6) | HV_FEATURE(HV_NET_F_GUEST_USO4) |                   \
	 HV_FEATURE(HV_NET_F_GUEST_USO6))

static const uint8_t mac_a[6] = { 2, 0, 0, 0, 0, 0xa }, mac_b[6] = { 2, 0, 0, 0, 0, 0xb },
		     everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
static uint8_t bytes[70000];

struct pair {
	struct hv_switch *sw;
	struct net_box a, b;
};

static void open_one(struct net_box *box, struct hv_switch *sw, const uint8_t mac[6],
		     unsigned int pairs)
{
	struct hv_net_opts opts = { .sw = sw, .has_mac = true, .pairs = pairs };

	memcpy(opts.mac, mac, 6);
	nb_open(box, &opts, 32 << 20);
}

static void open_two(struct pair *p, uint64_t features_a, uint64_t features_b)
{
	assert_int_equal(hv_switch_new("s0", &p->sw, NULL), 0);
	open_one(&p->a, p->sw, mac_a, 1);
	open_one(&p->b, p->sw, mac_b, 1);
	vrig_start(&p->a.rig, features_a, 256, 0);
	vrig_start(&p->b.rig, features_b, 256, 0);
	/* Until this has been answered the receiving side may not have begun. */
	nb_frame(bytes, mac_a, mac_b, 0, 60);
	nb_send(&p->b, NB_TX, NULL, bytes, 60);
	nb_send(&p->a, NB_TX, NULL, bytes, 13);
}

static void close_two(struct pair *p)
{
	nb_close(&p->a);
	nb_close(&p->b);
	hv_switch_put(p->sw);
}

static void test_pass(void **state)
{
	struct pair p;
	uint8_t *buf;
	uint64_t dropped;
	int head;

	(void)state;
	open_two(&p, EVENT, EVENT);
	buf = nb_post(&p.b, NB_RX, 2000, &head);
	/* The device never asks for these kicks. */
	vrig_kick(&p.b.rig, NB_RX);
	nb_frame(bytes, mac_b, mac_a, 1, 1514);
	nb_send(&p.a, NB_TX, NULL, bytes, 1514);
	assert_int_equal(vrig_finish(&p.b.rig, NB_RX, head), 1526);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
	assert_memory_equal(buf + NB_HDR, bytes, 1514);
	for (int i = 1526; i < 2000; i++)
		assert_int_equal(buf[i], 0xee);
	vrig_wait_count(&p.b.dev.stats.read_bytes, 1514);
	vrig_wait_irqs(&p.b.rig, 1);
	/* Without buffers the frame is lost and counted, and the sender goes on. */
	dropped = p.b.dev.stats.dropped;
	nb_send(&p.a, NB_TX, NULL, bytes, 1514);
	vrig_wait_count(&p.b.dev.stats.dropped, dropped + 1);
	/* Too large for a link of this MTU. */
	nb_send(&p.a, NB_TX, NULL, bytes, 1523);
	vrig_wait_count(&p.b.dev.stats.dropped, dropped + 2);
	/* Nobody there, paused, and cable out are the same to the sender. */
	nb_post(&p.b, NB_RX, 2000, &head);
	vrig_kick(&p.b.rig, NB_RX);
	hv_net_set_link(&p.b.dev, false);
	nb_send(&p.a, NB_TX, NULL, bytes, 1514);
	hv_net_set_link(&p.b.dev, true);
	hv_vdev_pause(&p.b.dev, true);
	nb_send(&p.a, NB_TX, NULL, bytes, 1514);
	hv_vdev_pause(&p.b.dev, false);
	vrig_wait_count(&p.b.dev.stats.dropped, dropped + 4);
	nb_send(&p.a, NB_TX, NULL, bytes, 1514);
	assert_int_equal(vrig_finish(&p.b.rig, NB_RX, head), 1526);
	vrig_reset(&p.b.rig);
	nb_send(&p.a, NB_TX, NULL, bytes, 1514);
	vrig_wait_count(&p.b.dev.stats.dropped, dropped + 5);
	close_two(&p);
}

/* A large segment goes to who can take it in one piece, and to who cannot in many. */
static void test_offloads(void **state)
{
	static const struct nb_packet packets[] = {
		{ .gso_size = 1448, .dst = mac_b, .src = mac_a },
		{ .gso_size = 1428, .ipv6 = true, .dst = mac_b, .src = mac_a },
		{ .gso_size = 1472, .udp = true, .dst = mac_b, .src = mac_a },
	};
	const size_t payload = 20000;
	static uint8_t flat[70000];

	(void)state;
	for (int able = 0; able < 2; able++) {
		struct pair p;
		struct hv_net_info info;

		open_two(&p, SENDS | EVENT, MRG | EVENT | (able ? TAKES : 0));
		for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
			struct virtio_net_hdr_v1 hdr;
			size_t len = nb_packet(bytes, &hdr, &packets[i], payload), sum = 0;
			uint8_t *bufs[256];
			int head;

			for (int k = 0; k < 20; k++) {
				uint8_t *at = nb_post(&p.b, NB_RX, 2000, &head);

				bufs[head] = at;
			}
			vrig_kick(&p.b.rig, NB_RX);
			nb_send(&p.a, NB_TX, &hdr, bytes, len);
			if (able) {
				struct virtio_net_hdr_v1 seen;
				uint16_t left = 1;
				bool first = true;

				for (; left; left--) {
					struct vrig_used used = vrig_wait(&p.b.rig, NB_RX);

					if (first) {
						memcpy(&seen, bufs[used.id], NB_HDR);
						left = seen.num_buffers;
						first = false;
					}
					memcpy(flat + sum, bufs[used.id], used.len);
					sum += used.len;
				}
				assert_int_equal(sum, len + NB_HDR);
				assert_memory_equal(flat + NB_HDR, bytes, len);
				hdr.num_buffers = seen.num_buffers;
				assert_memory_equal(&seen, &hdr, NB_HDR);
			} else {
				while (sum < payload) {
					struct vrig_used used = vrig_wait(&p.b.rig, NB_RX);
					const uint8_t *data;
					size_t part;

					assert_memory_equal(bufs[used.id],
							    "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
					part = nb_check_packet(bufs[used.id] + NB_HDR,
							       used.len - NB_HDR, &data);
					assert_memory_equal(data, bytes + len - payload + sum,
							    part);
					sum += part;
				}
			}
			/* All buffers back for the next round. */
			vrig_reset(&p.b.rig);
			vrig_start(&p.b.rig, MRG | EVENT | (able ? TAKES : 0), 256, 0);
			nb_send(&p.b, NB_TX, NULL, bytes, 13);
		}
		hv_net_info(&p.b.dev, &info);
		assert_int_equal(info.software, able ? 0 : 3);
		close_two(&p);
	}
}

/* Headers that lie go no further than the sender. */
static void test_lies(void **state)
{
	struct virtio_net_hdr_v1 hdr;
	const struct nb_packet packet = { .gso_size = 1448, .dst = mac_b, .src = mac_a };
	uint64_t dropped;
	struct pair p;
	uint8_t *buf;
	size_t len;
	int head;

	(void)state;
	open_two(&p, HV_FEATURE(VIRTIO_NET_F_CSUM) | EVENT, MRG | TAKES | EVENT);
	buf = nb_post(&p.b, NB_RX, 2000, &head);
	vrig_kick(&p.b.rig, NB_RX);
	len = nb_packet(bytes, &hdr, &packet, 10000);
	nb_send(&p.a, NB_TX, &hdr, bytes, len); /* not negotiated */
	hdr = (struct virtio_net_hdr_v1){ .flags = 1, .csum_start = 60, .csum_offset = 60 };
	nb_send(&p.a, NB_TX, &hdr, bytes, 100);
	vrig_wait_count(&p.a.dev.stats.errors, 3);
	memcpy(bytes + 6, mac_b, 6);
	dropped = p.a.dev.stats.dropped;
	nb_send(&p.a, NB_TX, NULL, bytes, 100); /* somebody else's address */
	vrig_wait_count(&p.a.dev.stats.dropped, dropped + 1);
	hdr = (struct virtio_net_hdr_v1){
		.flags = 0xfe, .hdr_len = 1, .gso_size = 2, .num_buffers = 77
	};
	nb_frame(bytes, mac_b, mac_a, 1, 100);
	nb_send(&p.a, NB_TX, &hdr, bytes, 100);
	assert_int_equal(vrig_finish(&p.b.rig, NB_RX, head), 112);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
	close_two(&p);
}

/* A receiver that breaks its ring breaks itself; the sender goes on. */
static void test_broken_receiver(void **state)
{
	uint64_t deadline = 0;
	struct pair p;

	(void)state;
	open_two(&p, EVENT, EVENT);
	nb_post(&p.b, NB_RX, 2000, NULL);
	p.b.rig.queue[NB_RX].desc[0].addr = 0x10;
	vrig_kick(&p.b.rig, NB_RX);
	nb_frame(bytes, mac_b, mac_a, 1, 100);
	nb_send(&p.a, NB_TX, NULL, bytes, 100);
	vrig_wait_status(&p.b.rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	/* The event comes after what the guest sees. */
	while (!p.b.broken)
		vrig_pause(&deadline, "the event that it is broken");
	assert_int_equal(p.b.broken, 1);
	nb_send(&p.a, NB_TX, NULL, bytes, 100);
	assert_int_equal(p.a.broken, 0);
	/* It recovers by a reset. */
	vrig_reset(&p.b.rig);
	vrig_start(&p.b.rig, EVENT, 256, 0);
	nb_send(&p.b, NB_TX, NULL, bytes, 13);
	{
		int head;
		uint8_t *buf = nb_post(&p.b, NB_RX, 2000, &head);

		vrig_kick(&p.b.rig, NB_RX);
		nb_send(&p.a, NB_TX, NULL, bytes, 100);
		assert_int_equal(vrig_finish(&p.b.rig, NB_RX, head), 112);
		assert_memory_equal(buf + NB_HDR, bytes, 100);
	}
	close_two(&p);
}

static void test_same_mac(void **state)
{
	struct hv_net_opts opts = { .has_mac = true, .mac = { 2, 0, 0, 0, 0, 0xa } };
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };
	struct pair p;

	(void)state;
	open_two(&p, EVENT, EVENT);
	opts.sw = p.sw;
	assert_int_equal(hv_net_init(&dev, "linux2/eth0", &opts, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "linux2/eth0: linux1/eth0 has the same MAC address"));
	close_two(&p);
}

/* Two pairs: a sender's queue decides on the receiver's, as far as that uses several. */
static void test_pairs(void **state)
{
	const uint64_t features =
		EVENT | HV_FEATURE(VIRTIO_NET_F_MQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_VQ);
	struct hv_switch *sw;
	struct hv_net_info info;
	struct net_box a, b;
	uint16_t pairs = 2;
	int heads[2];

	(void)state;
	assert_int_equal(hv_switch_new("s0", &sw, NULL), 0);
	open_one(&a, sw, mac_a, 2);
	open_one(&b, sw, mac_b, 2);
	assert_int_equal(vrig_config(&b.rig, 8, 2), 2);
	vrig_start(&a.rig, features, 64, 0);
	vrig_start(&b.rig, features, 64, 0);
	assert_int_equal(nb_ctrl(&a, 4, VIRTIO_NET_CTRL_MQ, 0, &pairs, 2), VIRTIO_NET_OK);
	nb_frame(bytes, mac_b, mac_a, 1, 100);
	for (unsigned int i = 0; i < 2; i++) {
		nb_post(&b, 2 * i, 2000, &heads[i]);
		vrig_kick(&b.rig, 2 * i);
	}
	nb_send(&b, 1, NULL, bytes, 13);
	nb_send(&b, 3, NULL, bytes, 13);
	assert_int_equal(nb_ctrl(&b, 4, VIRTIO_NET_CTRL_MQ, 0, &pairs, 2), VIRTIO_NET_OK);
	hv_net_info(&b.dev, &info);
	assert_int_equal(info.active, 2);
	nb_send(&a, 3, NULL, bytes, 100);
	assert_int_equal(vrig_finish(&b.rig, 2, heads[1]), 112);
	nb_send(&a, 1, NULL, bytes, 100);
	assert_int_equal(vrig_finish(&b.rig, 0, heads[0]), 112);
	pairs = 3;
	assert_int_equal(nb_ctrl(&b, 4, VIRTIO_NET_CTRL_MQ, 0, &pairs, 2), VIRTIO_NET_ERR);
	pairs = 0;
	assert_int_equal(nb_ctrl(&b, 4, VIRTIO_NET_CTRL_MQ, 0, &pairs, 2), VIRTIO_NET_ERR);
	pairs = 1;
	assert_int_equal(nb_ctrl(&b, 4, VIRTIO_NET_CTRL_MQ, 0, &pairs, 2), VIRTIO_NET_OK);
	nb_post(&b, 0, 2000, &heads[0]);
	vrig_kick(&b.rig, 0);
	nb_send(&a, 3, NULL, bytes, 100);
	assert_int_equal(vrig_finish(&b.rig, 0, heads[0]), 112);
	/* Without multi-queue the control queue is number 2. */
	vrig_reset(&b.rig);
	vrig_start(&b.rig,
		   EVENT | HV_FEATURE(VIRTIO_NET_F_CTRL_VQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_RX), 64,
		   0);
	assert_int_equal(nb_ctrl(&b, 2, VIRTIO_NET_CTRL_RX, 0, "\1", 1), VIRTIO_NET_OK);
	nb_close(&a);
	nb_close(&b);
	hv_switch_put(sw);
}

/* ---- resets and detaching while others send */

#define ROUNDS 60

struct flood {
	struct net_box *box;
	_Atomic bool stop;
	uint64_t sent;
};

static void *flood(void *arg)
{
	struct flood *f = arg;
	struct vrig_buf buf = { vrig_alloc(&f->box->rig, NB_HDR + 100, 16), NB_HDR + 100, false };
	struct vrig_used used;

	nb_frame((uint8_t *)buf.at + NB_HDR, everyone, mac_a, 0, 100);
	memcpy((uint8_t *)buf.at + NB_HDR, mac_b, 6);
	while (!atomic_load(&f->stop)) {
		while (vrig_add(&f->box->rig, NB_TX, &buf, 1) >= 0)
			f->sent++;
		vrig_kick(&f->box->rig, NB_TX);
		while (vrig_poll(&f->box->rig, NB_TX, &used))
			;
	}
	return NULL;
}

static void test_reset_under_load(void **state)
{
	struct pair p;
	struct flood f = { .box = &p.a };
	pthread_t thread;

	(void)state;
	open_two(&p, EVENT, EVENT);
	pthread_create(&thread, NULL, flood, &f);
	for (int i = 0; i < ROUNDS; i++) {
		struct vrig_used used;
		uint8_t *last = NULL;

		for (int k = 0; k < 8; k++)
			last = nb_post(&p.b, NB_RX, 200, NULL);
		vrig_kick(&p.b.rig, NB_RX);
		for (int k = 0; k < 4; k++)
			assert_int_equal((used = vrig_wait(&p.b.rig, NB_RX)).len, 112);
		vrig_reset(&p.b.rig);
		/* Nothing of the old life is written any more: this memory is the driver's again.
		 */
		memset(last, 0x55, 200);
		vrig_start(&p.b.rig, EVENT, 64, 0);
		for (int k = 0; k < 200; k++)
			assert_int_equal(last[k], 0x55);
		if (i % 16 == 15) {
			vrig_free(&p.b.rig);
			vrig_init(&p.b.rig, &p.b.dev, 32 << 20);
			vrig_start(&p.b.rig, EVENT, 64, 0);
		}
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(p.a.broken, 0);
	assert_int_equal(p.b.broken, 0);
	close_two(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_offloads),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_broken_receiver),
		cmocka_unit_test(test_same_mac),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_reset_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
