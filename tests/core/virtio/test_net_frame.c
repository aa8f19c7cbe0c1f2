// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "net_box.h"
#include "virtio/dev/net_frame.h"

#define ALL UINT64_MAX

static uint8_t bytes[70000], scratch[HV_FRAME_MAX], joined[70000];

static struct iovec iov;

static struct hv_frame frame_of(const struct virtio_net_hdr_v1 *hdr, size_t len)
{
	struct hv_frame frame = { .iov = &iov, .n = 1, .len = len };

	iov = (struct iovec){ bytes, len };
	hv_frame_header_read(&frame, hdr);
	return frame;
}

struct pieces {
	unsigned int n, stop_after;
	size_t payload, largest;
	uint8_t flags[100]; /* TCP's */
	uint32_t sequence[100];
	uint16_t ids[100];
};

static int collect(const struct hv_frame *plain, void *arg)
{
	static uint8_t flat[70000];
	struct pieces *p = arg;
	const uint8_t *payload;
	size_t len;

	assert_true(hv_frame_is_plain(plain));
	assert_int_equal(hv_iov_read(plain->iov, plain->n, 0, flat, sizeof(flat)), plain->len);
	len = nb_check_packet(flat, plain->len, &payload);
	memcpy(joined + p->payload, payload, len);
	if (p->n < 100) {
		p->flags[p->n] = payload[-7];
		p->sequence[p->n] = (uint32_t)payload[-16] << 24 | (uint32_t)payload[-15] << 16 |
				    (uint32_t)payload[-14] << 8 | payload[-13];
		p->ids[p->n] = (uint16_t)(flat[18] << 8 | flat[19]);
	}
	p->payload += len;
	if (len > p->largest)
		p->largest = len;
	return ++p->n == p->stop_after ? -1 : 0;
}

/* Cut in software, a packet is the same data in valid packets of the right size. */
static void test_segments(void **state)
{
	static const struct {
		struct nb_packet packet;
		size_t payload;
		unsigned int n;
	} cases[] = {
		{ { .gso_size = 1448 }, 64000, 45 },
		{ { .gso_size = 1448 }, 1448, 1 },
		{ { .gso_size = 1448 }, 1449, 2 },
		{ { .gso_size = 1448 }, 10, 1 },
		{ { .gso_size = 1001 }, 5000, 5 },
		{ { .gso_size = 1448, .vlan = true }, 20000, 14 },
		{ { .gso_size = 1428, .ipv6 = true }, 60001, 43 },
		{ { .gso_size = 1472, .udp = true }, 14719, 10 },
		{ { .gso_size = 1452, .udp = true, .ipv6 = true, .vlan = true }, 4357, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct virtio_net_hdr_v1 hdr;
		size_t len = nb_packet(bytes, &hdr, &cases[i].packet, cases[i].payload);
		struct hv_frame frame = frame_of(&hdr, len);
		struct pieces p = { 0 };

		assert_null(hv_frame_check(&frame, ALL));
		assert_true(hv_frame_fits(&frame, ALL));
		assert_false(hv_frame_fits(&frame, HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM)));
		assert_int_equal(hv_frame_finish(&frame, scratch, collect, &p), 0);
		assert_int_equal(p.n, cases[i].n);
		assert_int_equal(p.payload, cases[i].payload);
		assert_in_range(p.largest, 1, cases[i].packet.gso_size);
		assert_memory_equal(joined, bytes + len - cases[i].payload, cases[i].payload);
	}
}

/* FIN and PSH belong to the last segment, CWR to the first; numbers go on, over their end as well.
 */
static void test_tcp_fields(void **state)
{
	struct virtio_net_hdr_v1 hdr;
	size_t len = nb_packet(bytes, &hdr,
			       &(struct nb_packet){ .gso_size = 100, .tcp_flags = 0x99 }, 400);
	struct hv_frame frame = frame_of(&hdr, len);
	struct pieces p = { 0 };

	(void)state;
	assert_null(hv_frame_check(&frame, ALL));
	assert_int_equal(hv_frame_finish(&frame, scratch, collect, &p), 0);
	assert_int_equal(p.n, 4);
	assert_int_equal(p.flags[0], 0x90);
	assert_int_equal(p.flags[1], 0x10);
	assert_int_equal(p.flags[3], 0x19);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(p.sequence[i], UINT32_C(0xffffff00) + 100 * i);
		assert_int_equal(p.ids[i], (uint16_t)(0xfffe + i));
	}
	p = (struct pieces){ .stop_after = 2 };
	assert_int_equal(hv_frame_finish(&frame, scratch, collect, &p), -1);
	assert_int_equal(p.n, 2);
}

static void test_checksum(void **state)
{
	(void)state;
	for (size_t payload = 0; payload < 70; payload++) {
		for (int kind = 0; kind < 4; kind++) {
			struct nb_packet packet = { .udp = kind & 1, .ipv6 = kind & 2 };
			struct virtio_net_hdr_v1 hdr;
			size_t len = nb_packet(bytes, &hdr, &packet, payload);
			struct hv_frame frame = frame_of(&hdr, len);
			struct pieces p = { 0 };

			assert_null(hv_frame_check(&frame, HV_FEATURE(VIRTIO_NET_F_CSUM)));
			assert_int_equal(hv_frame_finish(&frame, scratch, collect, &p), 0);
			assert_int_equal(p.n, 1);
			assert_int_equal(p.payload, payload);
		}
	}
}

static void expect(const char *says, struct virtio_net_hdr_v1 hdr, size_t len, uint64_t features)
{
	struct hv_frame frame = frame_of(&hdr, len);
	const char *why = hv_frame_check(&frame, features);

	if (!why || !strstr(why, says))
		fail_msg("\"%s\" lacks \"%s\"", why ? why : "(fine)", says);
}

/* What a hostile header might claim. */
static void test_lies(void **state)
{
	struct virtio_net_hdr_v1 good, bad;
	size_t len = nb_packet(bytes, &good, &(struct nb_packet){ .gso_size = 1448 }, 10000);
	const uint64_t csum = HV_FEATURE(VIRTIO_NET_F_CSUM),
		       tso4 = HV_FEATURE(VIRTIO_NET_F_HOST_TSO4);
	struct hv_frame frame = frame_of(&good, len);

	(void)state;
	assert_null(hv_frame_check(&frame, csum | tso4));
	expect("checksum to fill in, which was not", good, len, tso4);
	expect("not negotiated", good, len, csum);
	bad = good;
	bad.flags = 0;
	expect("without a checksum", bad, len, csum | tso4);
	bad = good;
	bad.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	expect("ECN", bad, len, csum | tso4);
	bad = good;
	bad.gso_type = VIRTIO_NET_HDR_GSO_UDP;
	expect("not negotiated", bad, len, ALL);
	bad = good;
	bad.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	expect("not the protocol", bad, len, ALL);
	bad = good;
	bad.gso_type = HV_NET_GSO_UDP_L4;
	expect("not the protocol", bad, len, ALL);
	bad = good;
	bad.gso_size = 0;
	expect("too small", bad, len, ALL);
	bad.gso_size = 1;
	expect("too small", bad, len, ALL);
	bad = good;
	bad.csum_start++;
	expect("wrong place", bad, len, ALL);
	bad = good;
	bad.csum_start = 13;
	expect("outside", bad, len, ALL);
	bad.csum_start = 0xffff;
	expect("outside", bad, len, ALL);
	bad = good;
	bad.csum_offset = (uint16_t)(len - good.csum_start - 1);
	expect("outside", bad, len, ALL);
	expect("outside", good, 50, ALL);
	expect("cut off", good, 53, ALL);
	expect("shorter", good, 13, ALL);
	expect("longer", good, HV_FRAME_MAX + 1, ALL);
	bytes[14] = 0x44; /* IPv4 header of 16 bytes */
	expect("not the protocol", good, len, ALL);
	bytes[14] = 0x45;
	bytes[20] = 0x20; /* more fragments */
	expect("not the protocol", good, len, ALL);
	bytes[20] = 0x40;
	bytes[46] = 0x40; /* TCP header of 16 bytes */
	expect("cut off", good, len, ALL);
	bytes[46] = 0xf0;
	expect("cut off", good, 70, ALL);
	/* IPv6 extension headers without end */
	len = nb_packet(bytes, &good, &(struct nb_packet){ .gso_size = 1448, .ipv6 = true }, 10000);
	memset(bytes + 54, 0, 9000);
	bytes[20] = 0;
	expect("not the protocol", good, len, ALL);
	bytes[55] = 255;
	expect("not the protocol", good, len, ALL);
	/* Fields that mean nothing are cleared, not passed on. */
	bad = (struct virtio_net_hdr_v1){
		.flags = 0xfe, .hdr_len = 7, .gso_size = 8, .csum_start = 9, .csum_offset = 10
	};
	frame = frame_of(&bad, 100);
	assert_null(hv_frame_check(&frame, 0));
	hv_frame_header_write(&frame, &bad);
	assert_memory_equal(&bad, "\0\0\0\0\0\0\0\0\0\0\1\0", 12);
}

static void test_fits(void **state)
{
	static const struct {
		struct nb_packet packet;
		unsigned int feature;
	} cases[] = {
		{ { .gso_size = 1000 }, VIRTIO_NET_F_GUEST_TSO4 },
		{ { .gso_size = 1000, .ipv6 = true }, VIRTIO_NET_F_GUEST_TSO6 },
		{ { .gso_size = 1000, .udp = true }, HV_NET_F_GUEST_USO4 },
		{ { .gso_size = 1000, .udp = true, .ipv6 = true }, HV_NET_F_GUEST_USO6 },
	};
	uint64_t csum = HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct virtio_net_hdr_v1 hdr;
		size_t len = nb_packet(bytes, &hdr, &cases[i].packet, 5000);
		struct hv_frame frame = frame_of(&hdr, len);
		uint64_t one = HV_FEATURE(cases[i].feature);

		assert_null(hv_frame_check(&frame, ALL));
		assert_true(hv_frame_fits(&frame, csum | one));
		assert_false(hv_frame_fits(&frame, one));
		assert_false(hv_frame_fits(&frame, ~one));
		assert_true(hv_frame_within(&frame, 1500));
		assert_false(hv_frame_within(&frame, 900));
		if (!cases[i].packet.udp) {
			frame.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
			assert_false(hv_frame_fits(&frame, csum | one));
			assert_true(hv_frame_fits(&frame,
						  csum | one | HV_FEATURE(VIRTIO_NET_F_GUEST_ECN)));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments), cmocka_unit_test(test_tcp_fields),
		cmocka_unit_test(test_checksum), cmocka_unit_test(test_lies),
		cmocka_unit_test(test_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
