// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * docs/failures.md for network devices. A frame may be lost, as on any wire, and that is told; what
 * waits at the host is read later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/now.h"
#include "fault_sweep.h"
#include "kept_log.h"
#include "net_box.h"
#include "told.h"
#include "virtio/policy.h"

#define NAME "linux1/eth0 (boot.lua:7: devices.eth0): "
#define MQ (HV_FEATURE(VIRTIO_NET_F_MQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_VQ))
#define FRAMES 6u
#define LEN 300u

static struct net_box box;
static uint8_t frame[LEN], got[70000];

enum outcome {
	NOTHING, /* no frame is lost, nothing is said */
	LATER,	 /* none is lost, which takes a while and is told */
	LOST,	 /* one frame to the host, which is told */
};

static void open_box(void)
{
	kept_log_begin();
	nb_open_pair(&box, SOCK_DGRAM);
}

/* Guest → host. Returns how many frames did not arrive; those that did are whole and in order. */
static unsigned int send_frames(void)
{
	unsigned int next = 0, lost = FRAMES;
	ssize_t n;

	for (unsigned int i = 0; i < FRAMES; i++) {
		nb_frame(frame, NULL, NULL, i, LEN);
		nb_send(&box, NB_TX, NULL, frame, LEN);
	}
	/* The device has sent what it gave back. */
	while ((n = recv(box.peer, got, sizeof(got), MSG_DONTWAIT)) >= 0) {
		assert_int_equal(n, NB_HDR + LEN);
		do {
			assert_true(next < FRAMES);
			nb_frame(frame, NULL, NULL, next++, LEN);
		} while (memcmp(got + NB_HDR, frame, LEN));
		lost--;
	}
	return lost;
}

/* Host → guest; all arrive. */
static void receive_frames(void)
{
	for (unsigned int i = 0; i < FRAMES; i++) {
		uint8_t *buf;
		int head;

		buf = nb_post(&box, NB_RX, 2000, &head);
		nb_frame(frame, NULL, NULL, 100 + i, LEN);
		nb_peer_send(&box, NULL, frame, LEN);
		vrig_kick(&box.rig, NB_RX);
		assert_int_equal(vrig_finish(&box.rig, NB_RX, head), NB_HDR + LEN);
		assert_memory_equal(buf + NB_HDR, frame, LEN);
	}
}

static bool once(const struct fault *f, unsigned int place, const void *arg)
{
	const char *name = sf_name(f->fault);
	unsigned int lost, hit;

	(void)arg;
	open_box();
	vrig_start(&box.rig, 0, 64, 0);
	assert_int_equal(send_frames(), 0);
	sf_arm(f->fault, place, 1);
	lost = send_frames();
	receive_frames();
	hit = sf_disarm();
	if (lost > (hit && f->outcome == LOST))
		fail_msg("%s at place %u: %u frames are lost", name, place, lost);
	told(hit && f->outcome != NOTHING ? NAME : NULL, name, place);
	assert_int_equal(send_frames(), 0);
	receive_frames();
	nb_close(&box);
	return hit;
}

static void once_each(void **state)
{
	static const struct fault faults[] = {
		{ { SF_readv, EINTR }, NOTHING },	 { { SF_readv, EAGAIN }, NOTHING },
		{ { SF_readv, ENOMEM }, LATER },	 { { SF_readv, EIO }, LATER },
		{ { SF_readv, EFAULT }, LATER },	 { { SF_readv, ENODEV }, LATER },
		{ { SF_writev, EINTR }, NOTHING },	 { { SF_writev, EAGAIN }, NOTHING },
		{ { SF_writev, ENOMEM }, LOST },	 { { SF_writev, EIO }, LOST },
		{ { SF_writev, ENOBUFS }, LOST },	 { { SF_ppoll, EINTR }, NOTHING },
		{ { SF_ppoll, ENOMEM }, NOTHING },	 { { SF_event_read, EAGAIN }, NOTHING },
		{ { SF_event_write, EAGAIN }, NOTHING },
	};

	(void)state;
	FAULT_SWEEP(once, faults, NULL);
}

/* A TAP that fails for long is told of, and asked now and then only. */
static void lasting(void **state)
{
	uint64_t deadline = 0, begun;
	uint8_t *buf;
	int head;

	(void)state;
	open_box();
	vrig_start(&box.rig, 0, 64, 0);
	buf = nb_post(&box, NB_RX, 2000, &head);
	begun = hv_now();
	sf_arm((struct sf_fault){ SF_readv, ENOMEM }, 1, 0);
	nb_frame(frame, NULL, NULL, 1, LEN);
	nb_peer_send(&box, NULL, frame, LEN);
	vrig_kick(&box.rig, NB_RX);
	while (sf_hits() < 4)
		vrig_pause(&deadline, "another try");
	assert_true(sf_hits() <= 10 + (hv_now() - begun) / 20000000);
	told(NAME, "readv for ever", 1);
	/* The other way is open. */
	assert_int_equal(send_frames(), 0);
	sf_disarm();
	assert_int_equal(vrig_finish(&box.rig, NB_RX, head), NB_HDR + LEN);
	nb_frame(frame, NULL, NULL, 1, LEN);
	assert_memory_equal(buf + NB_HDR, frame, LEN);
	nb_close(&box);
}

/* ---- a TAP's queues */

static bool have_network;

static void need_network(void)
{
	if (!have_network) {
		print_message("this needs root and /dev/net/tun\n");
		skip();
	}
}

/* The other queues' workers are kept awake meanwhile: each looks at its queue in all the moments in
 * which the switch is half done. */
static uint8_t set_pairs(uint16_t n)
{
	uint8_t *at = vrig_alloc(&box.rig, 5, 16);
	struct vrig_buf bufs[] = { { at, 4, false }, { at + 4, 1, true } };
	uint64_t deadline = 0;
	struct vrig_used used;

	at[0] = VIRTIO_NET_CTRL_MQ;
	at[1] = VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET;
	memcpy(at + 2, &n, 2);
	at[4] = 0xee;
	assert_true(vrig_add(&box.rig, 6, bufs, 2) >= 0);
	vrig_kick(&box.rig, 6);
	while (!vrig_poll(&box.rig, 6, &used)) {
		for (unsigned int q = 2; q < 6; q += 2)
			vrig_write(&box.rig, VIRTIO_MMIO_QUEUE_NOTIFY, q);
		vrig_pause(&deadline, "the switch of queues");
	}
	return at[4];
}

/* Frames of many connections, which the kernel spreads over the queues that are on: all arrive. */
static void spread(int fd, unsigned int pairs)
{
	struct virtio_net_hdr_v1 hdr;
	uint8_t packet[256];
	size_t len = nb_packet(packet, &hdr, &(struct nb_packet){ .udp = true }, 64);
	unsigned int missing = 32;
	uint64_t deadline = 0;
	bool seen[32] = { false };
	struct vrig_used used;

	for (uint8_t i = 0; i < 32; i++) {
		packet[34] = 0x40; /* source port */
		packet[35] = i;
		assert_int_equal(send(fd, packet, len, 0), len);
	}
	while (missing) {
		for (unsigned int q = 0; q < pairs; q++) {
			while (vrig_poll(&box.rig, 2 * q, &used)) {
				const struct vrig_queue *vq = &box.rig.queue[2 * q];
				const uint8_t *at =
					box.rig.ram + vq->desc[used.id].addr - VRIG_BASE;
				uint8_t i = at[NB_HDR + 35];

				if (used.len == NB_HDR + len && at[NB_HDR + 34] == 0x40 && i < 32 &&
				    !seen[i]) {
					seen[i] = true;
					missing--;
				}
				nb_post(&box, 2 * q, 2000, NULL);
				vrig_kick(&box.rig, 2 * q);
			}
		}
		vrig_ack(&box.rig);
		vrig_pause(&deadline, "frames on all queues");
	}
}

static void open_tap(void)
{
	kept_log_begin();
	nb_open(&box, &(struct hv_net_opts){ .tap = "tap0", .pairs = 3 }, 8 << 20);
}

static bool switch_once(const struct fault *f, unsigned int place, const void *arg)
{
	static const uint16_t steps[] = { 3, 2, 3, 1, 3 };
	struct hv_net_info info;
	unsigned int refused = 0, active = 1;
	int fd;

	(void)arg;
	open_tap();
	fd = nb_packet_socket("tap0");
	vrig_start(&box.rig, MQ, 64, 0);
	for (unsigned int q = 0; q < 3; q++) {
		for (int k = 0; k < 50; k++)
			nb_post(&box, 2 * q, 2000, NULL);
		vrig_kick(&box.rig, 2 * q);
	}
	assert_int_equal(set_pairs(1), VIRTIO_NET_OK);
	/* The thread that switches: the others may still be at their start, and ask for offloads.
	 */
	sf_arm_on(f->fault, place, 1, "net-0");
	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (set_pairs(steps[i]) == VIRTIO_NET_OK)
			active = steps[i];
		else
			refused++;
		hv_net_info(&box.dev, &info);
		assert_int_equal(info.active, active);
		spread(fd, active);
	}
	assert_int_equal(refused, sf_disarm());
	told(refused ? NAME : NULL, sf_name(f->fault), place);
	assert_int_equal(set_pairs(3), VIRTIO_NET_OK);
	close(fd);
	nb_close(&box);
	return refused;
}

static void queues_are_switched_or_as_they_were(void **state)
{
	static const struct fault faults[] = { { { SF_ioctl, ENOMEM }, LATER } };

	(void)state;
	need_network();
	FAULT_SWEEP(switch_once, faults, NULL);
}

static void offloads_at_the_start(void **state)
{
	(void)state;
	need_network();
	open_tap();
	sf_arm((struct sf_fault){ SF_ioctl, EBUSY }, 1, 1);
	vrig_start(&box.rig, 0, 64, 0);
	vrig_wait_status(&box.rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(sf_disarm(), 1);
	told(NAME, "ioctl EBUSY", 1);
	assert_true(kept_log_has("cannot set the offloads of the TAP tap0"));
	vrig_start(&box.rig, 0, 64, 0);
	nb_frame(frame, NULL, NULL, 1, LEN);
	nb_send(&box, NB_TX, NULL, frame, LEN);
	nb_close(&box);
}

/* ---- memory for frames that a policy decides about */

static struct hv_policy *policy;

static void answer_until_taken(int head)
{
	struct hv_desk *desk = hv_policy_desk(policy);
	struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	struct hv_question q;
	uint64_t deadline = 0;
	struct vrig_used used;

	for (;;) {
		if (hv_desk_take(desk, &q))
			assert_int_equal(hv_desk_answer(desk, q.ticket, &allow), 0);
		if (vrig_poll(&box.rig, NB_TX, &used)) {
			assert_int_equal(used.id, head);
			return;
		}
		vrig_ack(&box.rig);
		vrig_pause(&deadline, "a frame to be taken");
	}
}

static bool without_memory_once(const struct fault *f, unsigned int place, const void *arg)
{
	struct hv_policy_opts opts = { .ops = 1u << HV_POLICY_OUT,
				       .overload = *(const enum hv_policy_overload *)arg,
				       .desk = { .depth = 8, .bytes = 1 << 20 } };
	unsigned int arrived = 0, hit;
	struct hv_err err = { 0 };

	open_box();
	vrig_start(&box.rig, 0, 64, 0);
	assert_int_equal(hv_policy_new(&opts, &policy, &err), 0);
	hv_vdev_set_policy(&box.dev, policy);
	sf_arm(f->fault, place, 1);
	for (unsigned int i = 0; i < FRAMES; i++) {
		int head;

		nb_frame(frame, NULL, NULL, i, LEN);
		head = nb_add(&box, NB_TX, NULL, frame, LEN);
		vrig_kick(&box.rig, NB_TX);
		answer_until_taken(head);
	}
	hit = sf_disarm();
	while (recv(box.peer, got, sizeof(got), MSG_DONTWAIT) >= 0)
		arrived++;
	assert_in_range(arrived, FRAMES - hit, FRAMES);
	/* One that its policy never saw is the policy's to count. */
	if (arrived < FRAMES)
		assert_int_equal(atomic_load(&box.dev.stats.dropped), 1);
	told(hit ? NAME : NULL, sf_name(f->fault), place);
	hv_vdev_set_policy(&box.dev, NULL);
	nb_close(&box);
	hv_policy_put(policy);
	return hit;
}

static void without_memory(void **state)
{
	static const enum hv_policy_overload ways[] = { HV_POLICY_STALL, HV_POLICY_PASS,
							HV_POLICY_DENY };

	static const struct fault faults[] = { { { SF_malloc, ENOMEM }, LOST } };

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		FAULT_SWEEP(without_memory_once, faults, &ways[i]);
}

static int begin(void **state)
{
	sf_begin(state);
	have_network = nb_own_network();
	return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, sf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(once_each),
		TEST(lasting),
		TEST(queues_are_switched_or_as_they_were),
		TEST(offloads_at_the_start),
		TEST(without_memory),
	};

	return cmocka_run_group_tests_name("net: every call fails once", tests, begin, NULL);
}
