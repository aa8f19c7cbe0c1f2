// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "memmap/memmap.h"

static void add(struct hv_memmap *map, uint64_t start, uint64_t size, enum hv_span_kind kind,
		const char *zone)
{
	struct hv_span span = {
		.start = start, .size = size, .kind = kind, .zone = zone, .what = "x"
	};
	struct hv_err err;

	assert_int_equal(hv_memmap_add(map, &span, &err), 0);
}

static void test_add(void **state)
{
	struct hv_memmap *map = hv_memmap_new();
	char zone[] = "linux1", file[] = "a.lua";
	struct hv_span span = { .start = 0x2000,
				.size = 0x1000,
				.kind = HV_SPAN_RAM,
				.zone = zone,
				.what = "ram",
				.origin = { .file = file, .line = 3 } };
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_memmap_add(map, &span, &err), 0);
	memset(zone, 'x', 3);
	memset(file, 'x', 3);
	assert_string_equal(hv_memmap_at(map, 0)->zone, "linux1");
	assert_string_equal(hv_memmap_at(map, 0)->origin.file, "a.lua");

	span.size = 0;
	assert_int_equal(hv_memmap_add(map, &span, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "empty"));
	span.start = UINT64_MAX;
	span.size = 1;
	assert_int_equal(hv_memmap_add(map, &span, &err), -EINVAL);
	span.start = 1;
	span.size = UINT64_MAX;
	assert_int_equal(hv_memmap_add(map, &span, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "64-bit"));
	assert_int_equal(hv_memmap_count(map), 1);

	span.start = 0;
	span.size = UINT64_MAX;
	assert_int_equal(hv_memmap_add(map, &span, &err), 0);
	assert_int_equal(hv_memmap_at(map, 0)->start, 0);
	assert_int_equal(hv_memmap_order(map, 0), 1);
	assert_int_equal(hv_memmap_order(map, 1), 0);
	hv_memmap_free(map);
	hv_memmap_free(NULL);
}

struct found {
	size_t n, stop_after;
	const struct hv_span *a, *b;
	uint64_t start, size;
};

static int note(const struct hv_span *a, const struct hv_span *b, uint64_t start, uint64_t size,
		void *arg)
{
	struct found *f = arg;

	f->a = a;
	f->b = b;
	f->start = start;
	f->size = size;
	return ++f->n == f->stop_after ? 7 : 0;
}

static struct found conflicts(const struct hv_memmap *map)
{
	struct found f = { 0 };

	assert_int_equal(hv_memmap_conflicts(map, note, &f), 0);
	return f;
}

static void test_conflict(void **state)
{
	struct hv_memmap *map = hv_memmap_new();
	struct found f;

	(void)state;
	assert_int_equal(conflicts(map).n, 0);
	add(map, 0x7f000000, 0x11000000, HV_SPAN_RAM, "linux2");
	add(map, 0x50000000, 0x2f000000, HV_SPAN_RAM, "linux0");
	assert_int_equal(conflicts(map).n, 0); /* they touch */
	add(map, 0x50000000, 0x30000000, HV_SPAN_RAM, "linux1");
	f = conflicts(map);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.a->zone, "linux2"); /* added first, though it starts later */
	assert_string_equal(f.b->zone, "linux1");
	assert_int_equal(f.start, 0x7f000000);
	assert_int_equal(f.size, 0x1000000);
	f = (struct found){ .stop_after = 1 };
	assert_int_equal(hv_memmap_conflicts(map, note, &f), 7);
	assert_int_equal(f.n, 1);
	hv_memmap_free(map);
}

static void test_may_overlap(void **state)
{
	static const struct {
		enum hv_span_kind a, b;
		const char *zone_b;
		size_t conflicts;
	} cases[] = {
		{ HV_SPAN_RAM, HV_SPAN_WINDOW, "board", 0 },
		{ HV_SPAN_RAM, HV_SPAN_RESERVED, "zone0", 0 },
		{ HV_SPAN_SHARED, HV_SPAN_SHARED, "b", 0 },
		{ HV_SPAN_SHARED, HV_SPAN_RAM, "b", 1 },
		{ HV_SPAN_VIRTIO, HV_SPAN_VIRTIO, "b", 0 },
		{ HV_SPAN_VIRTIO, HV_SPAN_VIRTIO, "a", 1 },
		{ HV_SPAN_VIRTIO, HV_SPAN_RAM, "b", 0 },
		{ HV_SPAN_VIRTIO, HV_SPAN_IO, "a", 1 },
		{ HV_SPAN_RAM, HV_SPAN_ROOT, "zone0", 1 },
		{ HV_SPAN_RAM, HV_SPAN_HYPERVISOR, "hvisor", 1 },
		{ HV_SPAN_IO, HV_SPAN_IO, "b", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hv_memmap *map = hv_memmap_new();

		add(map, 0x1000, 0x1000, cases[i].a, "a");
		add(map, 0x1800, 0x1000, cases[i].b, cases[i].zone_b);
		assert_int_equal(conflicts(map).n, cases[i].conflicts);
		hv_memmap_free(map);
	}
}

static void test_covers(void **state)
{
	struct hv_memmap *map = hv_memmap_new();

	(void)state;
	add(map, 0x1000, 0x1000, HV_SPAN_WINDOW, "board");
	add(map, 0x2000, 0x1000, HV_SPAN_WINDOW, "board");
	add(map, 0x1800, 0x2000, HV_SPAN_RAM, "a");
	add(map, 0x4000, 0x1000, HV_SPAN_WINDOW, "board");
	assert_true(hv_memmap_covers(map, HV_SPAN_WINDOW, 0x1000, 0x2000));
	assert_true(hv_memmap_covers(map, HV_SPAN_WINDOW, 0x1fff, 2));
	assert_true(hv_memmap_covers(map, HV_SPAN_WINDOW, 0x4fff, 1));
	assert_false(hv_memmap_covers(map, HV_SPAN_WINDOW, 0xfff, 2));
	assert_false(hv_memmap_covers(map, HV_SPAN_WINDOW, 0x1000, 0x2001));
	assert_false(hv_memmap_covers(map, HV_SPAN_WINDOW, 0x2000, 0x3000));
	assert_false(hv_memmap_covers(map, HV_SPAN_WINDOW, 0x4000, UINT64_MAX));
	assert_true(hv_memmap_covers(map, HV_SPAN_RAM, 0x1800, 0x2000));
	hv_memmap_free(map);
}

static void test_find_free(void **state)
{
	struct hv_memmap *map = hv_memmap_new();
	struct hv_err err;
	uint64_t at = 0;

	(void)state;
	assert_int_equal(hv_memmap_find_free(map, 1, 1, &at, &err), -ENOSPC);
	add(map, 0x40000000, 0x40000000, HV_SPAN_WINDOW, "board");
	add(map, 0x80000000, 0x40000000, HV_SPAN_WINDOW, "board");
	add(map, 0x40000000, 0x400000, HV_SPAN_RESERVED, "zone0");
	add(map, 0x40400000, 0x4380000, HV_SPAN_HYPERVISOR, "hvisor");
	add(map, 0x30000000, 0x10001000, HV_SPAN_IO, "a"); /* reaches into the window */
	assert_int_equal(hv_memmap_find_free(map, 0x1000, 0x1000, &at, &err), 0);
	assert_int_equal(at, 0x40001000);
	assert_int_equal(hv_memmap_find_free(map, 0x200000, 0x200000, &at, &err), 0);
	assert_int_equal(at, 0x40200000);
	assert_int_equal(hv_memmap_find_free(map, 0x40000000, 0x200000, &at, &err), 0);
	assert_int_equal(at, 0x44800000); /* across two windows that touch */
	assert_int_equal(hv_memmap_find_free(map, 0x80000000, 0x1000, &at, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "0x44780000"));
	assert_int_equal(hv_memmap_find_free(map, 0x1000, UINT64_C(1) << 63, &at, &err), -ENOSPC);
	assert_int_equal(hv_memmap_find_free(map, UINT64_MAX, 1, &at, &err), -ENOSPC);
	assert_int_equal(hv_memmap_find_free(map, 0, 1, &at, &err), -EINVAL);
	assert_int_equal(hv_memmap_find_free(map, 1, 0, &at, &err), -EINVAL);
	assert_int_equal(hv_memmap_find_free(map, 1, 3, &at, &err), -EINVAL);
	add(map, 0, UINT64_MAX, HV_SPAN_ROOT, "zone0");
	assert_int_equal(hv_memmap_find_free(map, 1, 1, &at, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "nothing"));
	hv_memmap_free(map);
}

/* A small address space, every byte looked at. */
#define SPACE 96

static int mark_hole(uint64_t start, uint64_t size, void *arg)
{
	bool *holes = arg;

	for (uint64_t i = start; i < start + size; i++) {
		assert_false(holes[i]);
		holes[i] = true;
	}
	return 0;
}

static void test_against_bytes(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct hv_memmap *map = hv_memmap_new();
		bool window[SPACE + 1] = { 0 }, busy[SPACE + 1] = { 0 }, holes[SPACE + 1] = { 0 };
		struct hv_span spans[12];
		size_t pairs = 0, n = (size_t)rand_r(&seed) % 12;
		uint64_t want = 1 + (uint64_t)rand_r(&seed) % 12, align = 1u << rand_r(&seed) % 4;
		uint64_t at = 0, expected = SPACE;

		for (size_t i = 0; i < n; i++) {
			uint64_t start = (uint64_t)rand_r(&seed) % SPACE;
			uint64_t size = 1 + (uint64_t)rand_r(&seed) % (SPACE - start) / 2;
			enum hv_span_kind kind = rand_r(&seed) % 2 ? HV_SPAN_WINDOW : HV_SPAN_RAM;

			spans[i] = (struct hv_span){ .start = start, .size = size, .kind = kind };
			add(map, start, size, kind, "z");
			memset((kind == HV_SPAN_WINDOW ? window : busy) + start, true, size);
			for (size_t k = 0; k < i; k++)
				pairs += kind == HV_SPAN_RAM && spans[k].kind == HV_SPAN_RAM &&
					 spans[k].start < start + size &&
					 start < hv_span_end(&spans[k]);
		}
		assert_int_equal(conflicts(map).n, pairs);
		assert_int_equal(hv_memmap_holes(map, mark_hole, holes), 0);
		for (size_t i = 0; i < SPACE; i++)
			assert_int_equal(holes[i], window[i] && !busy[i]);
		for (uint64_t i = 0; i + want <= SPACE && expected == SPACE; i += align)
			if (!memchr(holes + i, false, want))
				expected = i;
		if (hv_memmap_find_free(map, want, align, &at, NULL))
			at = SPACE;
		assert_int_equal(at, expected);
		for (uint64_t i = 0; i + want <= SPACE; i++)
			assert_int_equal(hv_memmap_covers(map, HV_SPAN_WINDOW, i, want),
					 !memchr(window + i, false, want));
		hv_memmap_free(map);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),	    cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_may_overlap), cmocka_unit_test(test_covers),
		cmocka_unit_test(test_find_free),   cmocka_unit_test(test_against_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
