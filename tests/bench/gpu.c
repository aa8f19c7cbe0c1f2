// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <endian.h>
#include <linux/virtio_gpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/now.h"
#include "virtio/dev/gpu.h"
#include "vrig.h"

/*
 * gpu: full-screen flushes of a guest (transfer and flush, 1920 × 1080, its memory in shuffled
 * pages) against plain copies of the same frame into a mapped buffer, in turns; the best round of
 * each. Prints: flushes per second, copies per second, CPU of an idle device in ms per second.
 */
#define W 1920u
#define H 1080u
#define BYTES (W * H * 4)
#define PAGE 4096u
#define PAGES ((BYTES + PAGE - 1) / PAGE)
#define ROUNDS 15
#define FRAMES 8		  /* of a round */
#define IDLE UINT64_C(2000000000) /* ns */

static struct vrig rig;
static uint8_t *req, *answer, *pages[PAGES];

static void command(const void *request, uint32_t len)
{
	struct virtio_gpu_ctrl_hdr hdr;

	memcpy(req, request, len);
	vrig_request(&rig, 0, (struct vrig_buf[]){ { req, len, false }, { answer, 512, true } }, 2);
	memcpy(&hdr, answer, sizeof(hdr));
	if (le32toh(hdr.type) != VIRTIO_GPU_RESP_OK_NODATA)
		abort();
}

static void attach(void)
{
	size_t size = sizeof(struct virtio_gpu_resource_attach_backing) +
		      PAGES * sizeof(struct virtio_gpu_mem_entry);
	struct virtio_gpu_resource_attach_backing *a = calloc(1, size);
	struct virtio_gpu_mem_entry *e = (void *)(a + 1);
	uint8_t *first = vrig_alloc(&rig, PAGES * PAGE, PAGE);

	a->hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING);
	a->resource_id = htole32(1);
	a->nr_entries = htole32(PAGES);
	for (uint32_t i = 0; i < PAGES; i++)
		pages[i] = first + (size_t)i * PAGE;
	srand(1);
	for (uint32_t i = PAGES - 1; i; i--) {
		uint32_t j = (uint32_t)rand() % (i + 1);
		uint8_t *t = pages[i];

		pages[i] = pages[j];
		pages[j] = t;
	}
	for (uint32_t i = 0; i < PAGES; i++) {
		memset(pages[i], (int)i, PAGE);
		e[i] = (struct virtio_gpu_mem_entry){ htole64(vrig_ipa(&rig, pages[i])),
						      htole32(PAGE), 0 };
	}
	command(a, (uint32_t)size);
	free(a);
}

/* Two frames are under way at a time, as with a guest that draws into one while the other is shown.
 */
static void add_frame(unsigned int slot)
{
	static const struct virtio_gpu_rect all = { .width = W, .height = H };
	struct virtio_gpu_transfer_to_host_2d t = { .hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
						    .r = all,
						    .resource_id = 1 };
	struct virtio_gpu_resource_flush f = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
					       .r = all,
					       .resource_id = 1 };
	uint8_t *at = req + 256 * slot, *to = answer + 64 * slot;

	memcpy(at, &t, sizeof(t));
	memcpy(at + 128, &f, sizeof(f));
	vrig_add(&rig, 0, (struct vrig_buf[]){ { at, sizeof(t), false }, { to, 24, true } }, 2);
	vrig_add(&rig, 0,
		 (struct vrig_buf[]){ { at + 128, sizeof(f), false }, { to + 32, 24, true } }, 2);
	vrig_kick(&rig, 0);
}

/* Sleeps between looks: a guest waits for an interrupt and leaves the CPU to others. */
static void finish_frame(void)
{
	struct vrig_used used;

	for (int n = 0; n < 2;)
		if (vrig_poll(&rig, 0, &used))
			n++;
		else
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
}

static void flush(unsigned int frames)
{
	add_frame(0);
	for (unsigned int i = 1; i < frames; i++) {
		add_frame(i % 2);
		finish_frame();
	}
	finish_frame();
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of all threads but this one: of the device. */
static uint64_t cpu_ns(void)
{
	DIR *tasks = opendir("/proc/self/task");
	uint64_t sum = 0;

	for (struct dirent *e; tasks && (e = readdir(tasks));) {
		unsigned long long ns = 0;
		char path[300];
		FILE *file;

		if (atoi(e->d_name) == getpid() || *e->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", e->d_name);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%llu", &ns) != 1)
			abort();
		fclose(file);
		sum += ns;
	}
	closedir(tasks);
	return sum;
}

/* After the last frame the worker looks for more for a while: that belongs to the frame. */
static void become_idle(void)
{
	uint64_t before, now = cpu_ns();

	do {
		before = now;
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		now = cpu_ns();
	} while (now != before);
}

static void bench(void **state)
{
	struct virtio_gpu_resource_create_2d create = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D },
		1,
		VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		W,
		H
	};
	struct virtio_gpu_set_scanout scanout = { .hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
						  .r = { .width = W, .height = H },
						  .resource_id = 1 };
	double flushes[ROUNDS], copies[ROUNDS];
	struct hv_gpu_opts opts = { 0 };
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };
	uint8_t *buffer;
	uint64_t start;

	(void)state;
	buffer = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffer == MAP_FAILED || hv_gpu_memory_new(&opts.output, &err) ||
	    hv_gpu_init(&dev, "bench/gpu", &opts, &err))
		fail_msg("%s", err.msg);
	vrig_init(&rig, &dev, 64 << 20);
	vrig_start(&rig, HV_FEATURE(HV_F_EVENT_IDX), 64, 0);
	req = vrig_alloc(&rig, 65536, 16);
	answer = vrig_alloc(&rig, 512, 16);
	command(&create, sizeof(create));
	attach();
	command(&scanout, sizeof(scanout));
	flush(1);
	for (int r = 0; r < ROUNDS; r++) {
		start = hv_now();
		flush(FRAMES);
		flushes[r] = FRAMES * 1e9 / (double)(hv_now() - start);
		start = hv_now();
		for (int i = 0; i < FRAMES; i++)
			for (uint32_t p = 0; p < PAGES; p++)
				memcpy(buffer + (size_t)p * PAGE, pages[p], PAGE);
		copies[r] = FRAMES * 1e9 / (double)(hv_now() - start);
	}
	qsort(flushes, ROUNDS, sizeof(double), by_value);
	qsort(copies, ROUNDS, sizeof(double), by_value);
	become_idle();
	start = cpu_ns();
	nanosleep(&(struct timespec){ .tv_sec = IDLE / 1000000000u }, NULL);
	fprintf(stdout, "BENCH %.0f %.0f %.3f\n", flushes[ROUNDS - 1], copies[ROUNDS - 1],
		(double)(cpu_ns() - start) / 1e6 / (IDLE / 1e9));
	vrig_free(&rig);
	hv_vdev_destroy(&dev);
	munmap(buffer, PAGES * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bench) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
