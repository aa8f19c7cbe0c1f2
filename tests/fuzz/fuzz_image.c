// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor/sim.h"
#include "zone/image.h"

#define RAM UINT64_C(0x40000000)
#define RAM_SIZE UINT64_C(0x400000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hv_hyp *machine(void)
{
	static struct hv_hyp *hyp;
	const struct hv_sim_ram ram = { RAM, RAM_SIZE };
	const struct hv_sim_opts opts = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 2,
		.root_cpus = 1,
		.ram = &ram,
		.n_ram = 1,
	};

	if (!hyp && hv_hyp_open_sim(&opts, &hyp, NULL))
		abort();
	return hyp;
}

/* Wherever a segment wants to be, it goes to the start of the RAM: the sizes are what is tried. */
static int phys_of(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys, struct hv_err *err)
{
	(void)arg;
	(void)ipa;
	if (size > RAM_SIZE)
		return hv_err_set(err, EFAULT, "does not fit");
	*phys = RAM;
	return 0;
}

/* What was opened must hold together. */
static void check(const struct hv_image_info *info)
{
	uint64_t end = info->low;

	if (info->n_segments == 0 || (info->align & (info->align - 1)) != 0)
		abort();
	for (size_t i = 0; i < info->n_segments; i++) {
		const struct hv_image_segment *seg = &info->segments[i];

		if (seg->addr < end || seg->mem_size == 0 || seg->file_size > seg->mem_size)
			abort();
		end = seg->addr + seg->mem_size;
	}
	if (end != info->high)
		abort();
}

/* An image file of any format; the first byte says which one is insisted on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum hv_image_format format;
	struct hv_image *image;
	struct hv_err err;
	char path[64];
	void *bytes;
	size_t n;
	int fd;

	if (size == 0)
		return 0;
	format = data[0] % (HV_IMAGE_DTB + 1);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (hv_image_open(path, format, &image, &err) == 0) {
		check(hv_image_info(image));
		hv_image_load(image, RAM, machine(), phys_of, NULL, NULL, NULL, &err);
		if (hv_image_read(image, 1 << 20, &bytes, &n, &err) == 0)
			free(bytes);
		hv_image_close(image);
	}
	close(fd);
	return 0;
}
