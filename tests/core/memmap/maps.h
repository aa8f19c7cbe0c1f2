/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_MEMMAP_MAPS_H
#define TESTS_MEMMAP_MAPS_H

#include <assert.h>

#include "memmap/memmap.h"

/* Maps as they are met on boards, for the tests of the pictures. */
struct map_line {
	uint64_t start, size;
	enum hv_span_kind kind;
	const char *zone, *what;
	int line;
};

#define MAP_END { 0 }

static const struct map_line map_qemu[] = {
	{ 0x40000000, 0x80000000, HV_SPAN_WINDOW, "board", "ram", 0 },
	{ 0x40400000, 0x4380000, HV_SPAN_HYPERVISOR, "hvisor", "hvisor", 0 },
	{ 0x80000000, 0x40000000, HV_SPAN_ROOT, "zone0", "System RAM", 0 },
	{ 0x09000000, 0x1000, HV_SPAN_IO, "zone0", "uart0", 0 },
	{ 0x50000000, 0x20000000, HV_SPAN_RAM, "linux1", "ram", 12 },
	{ 0x0a003600, 0x200, HV_SPAN_VIRTIO, "linux1", "blk root", 15 },
	{ 0x0a003800, 0x200, HV_SPAN_VIRTIO, "linux1", "net eth0", 16 },
	{ 0x0a003c00, 0x200, HV_SPAN_VIRTIO, "linux1", "console hvc0", 17 },
	{ 0x08000000, 0x10000, HV_SPAN_IO, "linux1", "gicd", 18 },
	{ 0x70000000, 0x8000000, HV_SPAN_RAM, "linux2", "ram", 31 },
	{ 0x0a003800, 0x200, HV_SPAN_VIRTIO, "linux2", "blk root", 33 },
	{ 0x0a003e00, 0x200, HV_SPAN_VIRTIO, "linux2", "console hvc0", 34 },
	{ 0x78000000, 0x400000, HV_SPAN_RESERVED, "zone0", "dsp@78000000", 0 },
	MAP_END,
};

static const struct map_line map_overlap[] = {
	{ 0x40000000, 0x80000000, HV_SPAN_WINDOW, "board", "ram", 0 },
	{ 0x40400000, 0x4380000, HV_SPAN_HYPERVISOR, "hvisor", "hvisor", 0 },
	{ 0x80000000, 0x40000000, HV_SPAN_ROOT, "zone0", "System RAM", 0 },
	{ 0x50000000, 0x30000000, HV_SPAN_RAM, "linux1", "ram", 12 },
	{ 0x7f000000, 0x11000000, HV_SPAN_RAM, "linux2", "ram", 31 },
	{ 0x09000000, 0x1000, HV_SPAN_IO, "linux1", "uart0", 14 },
	{ 0x09000000, 0x1000, HV_SPAN_IO, "linux2", "uart0", 35 },
	MAP_END,
};

static const struct map_line map_rk3588[] = {
	{ 0x00200000, 0xefe00000, HV_SPAN_WINDOW, "board", "ram", 0 },
	{ 0x100000000, 0x2fc000000, HV_SPAN_WINDOW, "board", "ram high", 0 },
	{ 0x00480000, 0x4000000, HV_SPAN_HYPERVISOR, "hvisor", "hvisor", 0 },
	{ 0x09400000, 0xa6c00000, HV_SPAN_ROOT, "zone0", "System RAM", 0 },
	{ 0x10f000, 0x1000, HV_SPAN_SHARED, "npu", "scmi shmem", 9 },
	{ 0xb0000000, 0x40000000, HV_SPAN_RAM, "npu", "ram", 10 },
	{ 0xfb000000, 0x200000, HV_SPAN_IO, "npu", "gpu", 11 },
	{ 0xfd58a000, 0x2000, HV_SPAN_IO, "npu", "grf", 12 },
	{ 0xfd590000, 0x1000, HV_SPAN_IO, "npu", "npu grf", 13 },
	{ 0xfd8d8000, 0x1000, HV_SPAN_IO, "npu", "pmu", 14 },
	{ 0xfdab0000, 0x10000, HV_SPAN_IO, "npu", "rknpu core0", 15 },
	{ 0xfdac0000, 0x10000, HV_SPAN_IO, "npu", "rknpu core1", 16 },
	{ 0xfdad0000, 0x10000, HV_SPAN_IO, "npu", "rknpu core2", 17 },
	{ 0xfdb50000, 0x1000, HV_SPAN_IO, "display", "vepu", 40 },
	{ 0xfdd90000, 0x8000, HV_SPAN_IO, "display", "vop", 41 },
	{ 0xfdd97e00, 0x200, HV_SPAN_IO, "display", "vop mmu", 42 },
	{ 0xfde80000, 0x20000, HV_SPAN_IO, "display", "hdmi0", 43 },
	{ 0xfe1b0000, 0x10000, HV_SPAN_IO, "zone0", "gmac0", 0 },
	{ 0xfe1c0000, 0x10000, HV_SPAN_IO, "display", "gmac1", 44 },
	{ 0xfe2c0000, 0x4000, HV_SPAN_IO, "zone0", "sdmmc", 0 },
	{ 0xfe2e0000, 0x10000, HV_SPAN_IO, "zone0", "sdhci emmc", 0 },
	{ 0xfe600000, 0x10000, HV_SPAN_IO, "npu", "gicd", 18 },
	{ 0xfe680000, 0x100000, HV_SPAN_IO, "npu", "gicr", 19 },
	{ 0xfeb50000, 0x1000, HV_SPAN_IO, "zone0", "uart2", 0 },
	{ 0xfeb60000, 0x1000, HV_SPAN_IO, "npu", "uart3", 20 },
	{ 0xff9d0000, 0x200, HV_SPAN_VIRTIO, "npu", "blk root", 21 },
	{ 0xff9d0200, 0x200, HV_SPAN_VIRTIO, "npu", "net eth0", 22 },
	{ 0xff9d0400, 0x200, HV_SPAN_VIRTIO, "display", "console", 45 },
	{ 0x200000000, 0x80000000, HV_SPAN_RAM, "display", "ram", 39 },
	{ 0x1fff00000, 0x100000, HV_SPAN_SHARED, "npu", "ivc", 23 },
	{ 0x1fff00000, 0x100000, HV_SPAN_SHARED, "display", "ivc", 46 },
	MAP_END,
};

static inline struct hv_memmap *map_make(const struct map_line *lines)
{
	struct hv_memmap *map = hv_memmap_new();

	assert(map);
	for (; lines->size; lines++) {
		struct hv_span span = {
			.start = lines->start,
			.size = lines->size,
			.kind = lines->kind,
			.zone = lines->zone,
			.what = lines->what,
			.origin = { .file = lines->line ? "boot_zones.lua" : NULL,
				    .line = lines->line,
				    .field = lines->line ? "ram" : NULL },
		};

		assert(!hv_memmap_add(map, &span, NULL));
	}
	return map;
}

#endif
