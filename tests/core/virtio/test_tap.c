// SPDX-License-Identifier: GPL-2.0-or-later
/* Real TAPs, in a network namespace of this process's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_mmio.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_box.h"
#include "virtio/dev/tap_link.h"

#define EVENT HV_FEATURE(HV_F_EVENT_IDX)
#define MRG HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define STATUS HV_FEATURE(VIRTIO_NET_F_STATUS)
#define MQ (HV_FEATURE(VIRTIO_NET_F_MQ) | HV_FEATURE(VIRTIO_NET_F_CTRL_VQ))

static bool have_network;
static uint8_t bytes[70000], got[70000];

static int setup(void **state)
{
	(void)state;
	have_network = nb_own_network();
	return 0;
}

static void need_network(void)
{
	if (!have_network) {
		print_message("this needs root and /dev/net/tun\n");
		skip();
	}
}

static void sh(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static void open_tap(struct net_box *box, const char *name, unsigned int pairs)
{
	nb_open(box, &(struct hv_net_opts){ .tap = name, .pairs = pairs }, 32 << 20);
}

/* The next frame of the experiments' protocol, or of any when tag is below 0, on a packet socket.
 */
static size_t next_frame(int fd, bool any)
{
	uint64_t deadline = 0;

	for (;;) {
		ssize_t n = recv(fd, got, sizeof(got), 0);

		if (n >= 14 && (any || (got[12] == 0x88 && got[13] == 0xb5)))
			return (size_t)n;
		if (n < 0)
			vrig_pause(&deadline, "a frame on the host");
	}
}

static void test_both_ways(void **state)
{
	struct net_box box;
	struct hv_net_info info;
	uint8_t *buf;
	int fd, head;

	(void)state;
	need_network();
	open_tap(&box, "tap0", 1);
	assert_true(box.dev.offered & HV_FEATURE(VIRTIO_NET_F_CSUM));
	assert_true(box.dev.offered & HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4));
	hv_net_info(&box.dev, &info);
	assert_true(info.made && info.link);
	assert_string_equal(info.tap, "tap0");
	fd = nb_packet_socket("tap0");
	vrig_start(&box.rig, EVENT, 64, 0);
	nb_frame(bytes, NULL, NULL, 3, 1000);
	nb_send(&box, NB_TX, NULL, bytes, 1000);
	assert_int_equal(next_frame(fd, false), 1000);
	assert_memory_equal(got, bytes, 1000);
	/* The host may have frames of its own for it (IPv6 neighbours); ours comes among them. */
	assert_int_equal(send(fd, bytes, 1000, 0), 1000);
	do {
		buf = nb_post(&box, NB_RX, 2000, &head);
		vrig_kick(&box.rig, NB_RX);
		vrig_finish(&box.rig, NB_RX, head);
	} while (memcmp(buf + NB_HDR, bytes, 1000));
	close(fd);
	nb_close(&box);
	assert_int_equal(if_nametoindex("tap0"), 0);
}

/* Segments too large for the link reach the host in one piece, and the other way round. */
static void test_offload(void **state)
{
	const uint64_t features =
		MRG | EVENT | HV_FEATURE(VIRTIO_NET_F_CSUM) | HV_FEATURE(VIRTIO_NET_F_HOST_TSO4) |
		HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4);
	struct virtio_net_hdr_v1 hdr;
	struct net_box box;
	uint8_t *bufs[64];
	size_t len, sum = 0;
	struct ifreq ifr = { .ifr_name = "tap0" };
	int fd, head, one = 1;

	(void)state;
	need_network();
	open_tap(&box, "tap0", 1);
	fd = nb_packet_socket("tap0");
	assert_int_equal(setsockopt(fd, SOL_PACKET, 15 /* PACKET_VNET_HDR */, &one, sizeof(one)),
			 0);
	(void)ifr;
	for (int i = 0; i < 2; i++) {
		struct virtio_net_hdr_v1 seen;
		uint16_t left = 0;

		vrig_start(&box.rig, i ? MRG | EVENT : features, 64, 0);
		if (!i) {
			len = nb_packet(bytes, &hdr, &(struct nb_packet){ .gso_size = 1448 },
					40000);
			nb_send(&box, NB_TX, &hdr, bytes, len);
			/* 10 bytes of header, then the frame */
			do {
				sum = next_frame(fd, true);
			} while (sum < 10 + 60 || memcmp(got + 10, bytes, 12) || got[22] != 8);
			assert_int_equal(sum, 10 + len);
			assert_memory_equal(got + 10, bytes, len);
			assert_int_equal(got[1], VIRTIO_NET_HDR_GSO_TCPV4);
		}
		/* From the host: whole to who agreed to that, cut by the kernel for who did not. */
		len = nb_packet(bytes, &hdr, &(struct nb_packet){ .gso_size = 1448 }, 20000);
		memcpy(got, &hdr, 10);
		memcpy(got + 10, bytes, len);
		assert_int_equal(send(fd, got, 10 + len, 0), 10 + len);
		for (int k = 0; k < 40; k++) {
			uint8_t *at = nb_post(&box, NB_RX, 1600, &head);

			bufs[head] = at;
		}
		vrig_kick(&box.rig, NB_RX);
		for (sum = 0; sum < (i ? 20000 : len + NB_HDR);) {
			struct vrig_used used = vrig_wait(&box.rig, NB_RX);
			const uint8_t *data;

			if (!left) {
				memcpy(&seen, bufs[used.id], NB_HDR);
				left = seen.num_buffers;
				/* not one of the host's own */
				if (bufs[used.id][NB_HDR + 12] != 8 ||
				    bufs[used.id][NB_HDR + 23] != 6) {
					left = 0;
					continue;
				}
			}
			left--;
			if (i) {
				size_t part = nb_check_packet(bufs[used.id] + NB_HDR,
							      used.len - NB_HDR, &data);

				assert_int_equal(seen.num_buffers, 1);
				assert_int_equal(seen.flags | seen.gso_type, 0);
				assert_memory_equal(data, bytes + 54 + sum, part);
				sum += part;
			} else {
				memcpy(got + sum, bufs[used.id], used.len);
				sum += used.len;
			}
		}
		if (!i) {
			assert_int_equal(seen.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
			assert_int_equal(seen.gso_size, 1448);
			assert_int_equal(seen.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_memory_equal(got + NB_HDR, bytes, len);
		}
		vrig_reset(&box.rig);
	}
	close(fd);
	nb_close(&box);
}

static uint8_t set_pairs(struct net_box *box, unsigned int ctrl, uint16_t n)
{
	return nb_ctrl(box, ctrl, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &n, 2);
}

/* Queues are switched on and off under load; none is taken for a vanished TAP, frames pass on each.
 */
static void test_queues(void **state)
{
	struct net_box box;
	struct hv_net_info info;
	uint64_t wakeups;
	int fd;

	(void)state;
	need_network();
	open_tap(&box, "tap0", 3);
	assert_int_equal(vrig_config(&box.rig, 8, 2), 3);
	fd = nb_packet_socket("tap0");
	vrig_start(&box.rig, MQ | EVENT, 64, 0);
	for (unsigned int i = 0; i < 3; i++) {
		for (int k = 0; k < 32; k++)
			nb_post(&box, 2 * i, 2000, NULL);
		vrig_kick(&box.rig, 2 * i);
	}
	for (int round = 0; round < 50; round++) {
		uint16_t n = (uint16_t)(round % 3 + 1);

		assert_int_equal(set_pairs(&box, 6, n), VIRTIO_NET_OK);
		hv_net_info(&box.dev, &info);
		assert_int_equal(info.active, n);
		for (unsigned int i = 0; i < n; i++) {
			nb_frame(bytes, NULL, NULL, i, 100);
			nb_send(&box, 2 * i + 1, NULL, bytes, 100);
			assert_int_equal(next_frame(fd, false), 100);
			assert_memory_equal(got, bytes, 100);
			assert_int_equal(send(fd, bytes, 100, 0), 100);
		}
	}
	assert_int_equal(set_pairs(&box, 6, 4), VIRTIO_NET_ERR);
	/* Workers of queues that are switched off sleep. */
	assert_int_equal(set_pairs(&box, 6, 1), VIRTIO_NET_OK);
	wakeups = box.dev.stats.wakeups;
	poll(NULL, 0, 100);
	assert_in_range(box.dev.stats.wakeups - wakeups, 0, 50);
	assert_int_equal(box.errors, 0);
	hv_net_info(&box.dev, &info);
	assert_true(info.link);
	vrig_reset(&box.rig);
	hv_net_info(&box.dev, &info);
	assert_int_equal(info.active, 1);
	close(fd);
	nb_close(&box);
}

static void test_vanish(void **state)
{
	struct net_box box;
	uint64_t deadline = 0, wakeups;

	(void)state;
	need_network();
	open_tap(&box, "tap0", 2);
	vrig_start(&box.rig, MQ | STATUS | EVENT, 64, 0);
	assert_int_equal(set_pairs(&box, 4, 2), VIRTIO_NET_OK);
	for (unsigned int i = 0; i < 2; i++) {
		for (int k = 0; k < 8; k++)
			nb_post(&box, 2 * i, 2000, NULL);
		vrig_kick(&box.rig, 2 * i);
	}
	sh("ip link del tap0");
	while (!box.links)
		vrig_pause(&deadline, "the link to go down");
	assert_int_equal(box.errors, 1);
	assert_non_null(strstr(box.message, "the TAP tap0 has vanished"));
	assert_int_equal(vrig_config(&box.rig, 6, 2), 0);
	nb_send(&box, 1, NULL, bytes, 100);
	nb_send(&box, 3, NULL, bytes, 100);
	wakeups = box.dev.stats.wakeups;
	poll(NULL, 0, 100);
	assert_in_range(box.dev.stats.wakeups - wakeups, 0, 5);
	assert_int_equal(set_pairs(&box, 4, 1), VIRTIO_NET_OK);
	vrig_reset(&box.rig);
	vrig_start(&box.rig, MQ | STATUS, 64, 0);
	nb_send(&box, 1, NULL, bytes, 100);
	assert_int_equal(box.errors, 1);
	nb_close(&box);
}

/* Set down on the host: frames are counted as lost, and it works again afterwards. */
static void test_down(void **state)
{
	struct net_box box;
	int fd;

	(void)state;
	need_network();
	open_tap(&box, "tap0", 1);
	fd = nb_packet_socket("tap0");
	vrig_start(&box.rig, EVENT, 64, 0);
	sh("ip link set tap0 down");
	nb_frame(bytes, NULL, NULL, 1, 100);
	nb_send(&box, NB_TX, NULL, bytes, 100);
	vrig_wait_count(&box.dev.stats.dropped, 1);
	assert_int_equal(box.errors, 0);
	sh("ip link set tap0 up");
	nb_send(&box, NB_TX, NULL, bytes, 100);
	close(fd);
	nb_close(&box);
}

static void refused(const struct hv_net_opts *opts, int rc, const char *says)
{
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };
	int got_rc = hv_net_init(&dev, "linux1/eth0", opts, &err);

	if (!got_rc)
		hv_vdev_destroy(&dev);
	if (got_rc != rc || !strstr(err.msg, says))
		fail_msg("%d \"%s\", expected %d \"%s\"", got_rc, err.msg, rc, says);
}

static void test_refusals(void **state)
{
	struct net_box box;

	(void)state;
	need_network();
	sh("ip tuntap add dev one mode tap && ip tuntap add dev many mode tap multi_queue && "
	   "ip link add veth0 type veth peer name veth1");
	open_tap(&box, "one", 1);
	refused(&(struct hv_net_opts){ .tap = "one" }, -EBUSY, "in use");
	refused(&(struct hv_net_opts){ .tap = "one", .pairs = 2 }, -EINVAL, "multi_queue");
	nb_close(&box);
	assert_int_not_equal(if_nametoindex("one"), 0);
	refused(&(struct hv_net_opts){ .tap = "veth0" }, -EEXIST, "is no TAP");
	refused(&(struct hv_net_opts){ .tap = "lo" }, -EEXIST, "is no TAP");
	refused(&(struct hv_net_opts){ .tap = "one", .mtu = 9000 }, -EINVAL, "mtu 9000");
	refused(&(struct hv_net_opts){ .tap = "one", .bridge = "lo" }, -EINVAL, "no bridge");
	open_tap(&box, "many", 1);
	nb_close(&box);
	open_tap(&box, "many", 2);
	nb_close(&box);
	/* An MTU of one's own is told to the guest. */
	sh("ip link set one mtu 1400");
	open_tap(&box, "one", 1);
	assert_int_equal(vrig_config(&box.rig, 10, 2), 1400);
	nb_close(&box);
	nb_open(&box, &(struct hv_net_opts){ .tap = "new0", .mtu = 9000 }, 1 << 20);
	assert_int_equal(vrig_config(&box.rig, 10, 2), 9000);
	nb_close(&box);
	sh("ip link del one && ip link del many && ip link del veth0");
}

static void test_bridge(void **state)
{
	uint64_t deadline = 0;
	struct net_box a, b;
	struct vrig_used used;
	uint8_t *bufs[64];
	bool came = false;

	(void)state;
	need_network();
	nb_open(&a, &(struct hv_net_opts){ .tap = "tapa", .bridge = "br7" }, 32 << 20);
	nb_open(&b, &(struct hv_net_opts){ .tap = "tapb", .bridge = "br7" }, 32 << 20);
	sh("ip link show br7 | grep -q '[<,]UP[,>]'");
	vrig_start(&a.rig, EVENT, 64, 0);
	vrig_start(&b.rig, EVENT, 64, 0);
	nb_frame(bytes, (const uint8_t *)"\xff\xff\xff\xff\xff\xff", NULL, 5, 200);
	for (int i = 0; i < 64; i++) {
		int head;
		uint8_t *at = nb_post(&b, NB_RX, 2000, &head);

		bufs[head] = at;
	}
	vrig_kick(&b.rig, NB_RX);
	/* A bridge passes nothing on before it has noticed that its ports are up. */
	while (!came) {
		nb_send(&a, NB_TX, NULL, bytes, 200);
		a.rig.ram_used -= NB_HDR + 200;
		for (int i = 0; i < 1000 && !came; i++) {
			if (vrig_poll(&b.rig, NB_RX, &used))
				came = !memcmp(bufs[used.id] + NB_HDR, bytes, 200);
			vrig_pause(&deadline, "a frame over the bridge");
		}
	}
	nb_close(&a);
	nb_close(&b);
	assert_int_not_equal(if_nametoindex("br7"), 0);
	/* One that is in it already is fine, in another it is not. */
	sh("ip tuntap add dev tapc mode tap && ip link set tapc master br7 && ip link add br8 type "
	   "bridge");
	nb_open(&a, &(struct hv_net_opts){ .tap = "tapc", .bridge = "br7" }, 1 << 20);
	nb_close(&a);
	refused(&(struct hv_net_opts){ .tap = "tapc", .bridge = "br8" }, -EBUSY,
		"tapc belongs to br7, not to br8");
	sh("ip link del tapc && ip link del br7 && ip link del br8");
}

/* Without rights: a message that says which. In a child, which gives its rights away. */
static void test_no_rights(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	need_network();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct hv_vdev dev = { 0 };
		struct hv_err err = { 0 };

		if (setgid(65534) || setuid(65534))
			_exit(2);
		if (hv_net_init(&dev, "linux1/eth0", &(struct hv_net_opts){ .tap = "tap9" },
				&err) >= 0)
			_exit(3);
		_exit(strstr(err.msg, "CAP_NET_ADMIN") ||
				      strstr(err.msg, "/dev/net/tun cannot be opened")
			      ? 0
			      : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- resets, queues and detaching while the host sends */

static void *host_flood(void *arg)
{
	_Atomic bool *stop = arg;
	uint8_t frame[300];
	int fd = nb_packet_socket("tap0");

	nb_frame(frame, NULL, NULL, 0, sizeof(frame));
	while (!atomic_load(stop))
		if (send(fd, frame, sizeof(frame), 0) < 0)
			sched_yield();
	close(fd);
	return NULL;
}

static void test_reset_under_load(void **state)
{
	static _Atomic bool stop;
	struct net_box box;
	pthread_t thread;

	(void)state;
	need_network();
	open_tap(&box, "tap0", 2);
	pthread_create(&thread, NULL, host_flood, &stop);
	for (int i = 0; i < 40; i++) {
		uint64_t deadline = 0;
		struct vrig_used used;
		uint8_t *last = NULL;

		vrig_start(&box.rig, MQ | EVENT, 64, 0);
		for (unsigned int q = 0; q < 2; q++) {
			for (int k = 0; k < 16; k++)
				last = nb_post(&box, 2 * q, 400, NULL);
			vrig_kick(&box.rig, 2 * q);
		}
		assert_int_equal(set_pairs(&box, 4, 2), VIRTIO_NET_OK);
		/* The kernel chooses the queue: which one is the same for all of them. */
		for (int k = 0; k < 8;) {
			k += vrig_poll(&box.rig, NB_RX, &used);
			k += vrig_poll(&box.rig, NB_RX + 2, &used);
			vrig_pause(&deadline, "frames from the host");
		}
		if (i & 1)
			assert_int_equal(set_pairs(&box, 4, 1), VIRTIO_NET_OK);
		vrig_reset(&box.rig);
		memset(last, 0x55, 400);
		if (i % 10 == 9) {
			vrig_free(&box.rig);
			vrig_init(&box.rig, &box.dev, 32 << 20);
		} else {
			for (int k = 0; k < 400; k++)
				assert_int_equal(last[k], 0x55);
		}
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(box.errors, 0);
	assert_int_equal(box.broken, 0);
	nb_close(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_offload),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_vanish),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_no_rights),
		cmocka_unit_test(test_reset_under_load),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
