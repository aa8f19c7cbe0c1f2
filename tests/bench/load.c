// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading a 256 MiB image into a zone's memory on the simulated hypervisor, against a
 * plain read() of the same file into fresh memory, in turn; and how much anonymous memory the load needed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/size.h"
#include "hypervisor/sim.h"
#include "zone/image.h"

#define IMAGE_BYTES (256 * HV_MIB)
#define RAM_START UINT64_C(0x40000000)
#define ROUNDS 7

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long rss_anon_kib(void)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static long peak_kib;

static int watch(uint64_t done, uint64_t total, void *arg)
{
	long kib = rss_anon_kib();

	(void)done;
	(void)total;
	(void)arg;
	if (kib > peak_kib)
		peak_kib = kib;
	return 0;
}

static int same_place(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys, struct hv_err *err)
{
	(void)arg;
	(void)size;
	(void)err;
	*phys = ipa;
	return 0;
}

static double copy_plainly(const char *path)
{
	double start = now();
	uint8_t *to = malloc(IMAGE_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t done = 0;

	while (to && fd >= 0 && done < IMAGE_BYTES) {
		ssize_t n = read(fd, to + done, IMAGE_BYTES - done);

		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	start = now() - start;
	free(to);
	close(fd);
	return done == IMAGE_BYTES ? start : -1;
}

static double load(const char *path, hv_progress_fn *progress, struct hv_err *err)
{
	struct hv_sim_ram ram = { RAM_START, HV_GIB };
	struct hv_sim_opts opts = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 4,
		.root_cpus = 3,
		.ram = &ram,
		.n_ram = 1,
	};
	struct hv_image *image = NULL;
	struct hv_hyp *hyp = NULL;
	double start = -1;

	if (!hv_hyp_open_sim(&opts, &hyp, err)) {
		start = now();
		if (!hv_image_open(path, HV_IMAGE_RAW, &image, err) &&
		    !hv_image_load(image, RAM_START, hyp, same_place, NULL, progress, NULL, err))
			start = now() - start;
		else
			start = -1;
	}
	hv_image_close(image);
	hv_hyp_close(hyp);
	return start;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	char path[] = "/tmp/hvsh-bench-XXXXXX";
	double plain[ROUNDS], ours[ROUNDS];
	struct hv_err err = { 0 };
	int fd = mkstemp(path), status = 1;
	char *block = malloc(HV_MIB);

	if (fd < 0 || !block)
		goto out;
	memset(block, 0x5a, HV_MIB);
	for (uint64_t i = 0; i < IMAGE_BYTES / HV_MIB; i++)
		if (write(fd, block, HV_MIB) != (ssize_t)HV_MIB)
			goto out;
	for (int i = 0; i < ROUNDS; i++) {
		plain[i] = copy_plainly(path);
		ours[i] = load(path, NULL, &err);
		if (plain[i] < 0 || ours[i] < 0)
			goto out;
	}
	qsort(plain, ROUNDS, sizeof(double), by_value);
	qsort(ours, ROUNDS, sizeof(double), by_value);
	long before = rss_anon_kib();

	if (load(path, watch, &err) < 0)
		goto out;
	printf("%.1f %.1f %ld\n", plain[ROUNDS / 2] * 1e3, ours[ROUNDS / 2] * 1e3,
	       peak_kib - before);
	status = 0;
out:
	if (status)
		fprintf(stderr, "load: %s\n", err.msg[0] ? err.msg : "cannot prepare the image");
	if (fd >= 0)
		close(fd);
	unlink(path);
	free(block);
	return status;
}
