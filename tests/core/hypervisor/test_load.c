// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct hv_err err;

/* Every test runs with the ioctl's way of loading and with the one through a mapping. */
static struct hv_hyp *machine(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_hyp *hyp = NULL;

	memset(&err, 0, sizeof(err));
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	if (*state)
		want(hv_sim_fault(hyp, *state, &err), 0, &err);
	return hyp;
}

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 4096);
}

static int file_of(uint64_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t *map;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (uint64_t i = 0; i < size; i++)
		map[i] = byte_at(i);
	munmap(map, size);
	return fd;
}

/* Memory at phys holds the file's bytes from offset on, and nothing before and after. */
static void check_memory(struct hv_hyp *hyp, uint64_t phys, uint64_t offset, uint64_t size)
{
	uint8_t *bytes = malloc(size + 2);

	want(hv_sim_read(hyp, phys - 1, bytes, size + 2, &err), 0, &err);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[size + 1], 0);
	for (uint64_t i = 0; i < size; i++)
		if (bytes[i + 1] != byte_at(offset + i))
			fail_msg("byte %llu is wrong", (unsigned long long)i);
	free(bytes);
}

struct watch {
	uint64_t calls, last, total, largest;
	uint64_t stop_at; /* 0 = never */
	int truncate_fd;  /* 0 = none */
	uint64_t truncate_to;
};

static int watch(uint64_t done, uint64_t total, void *arg)
{
	struct watch *w = arg;

	w->calls++;
	if (done - w->last > w->largest)
		w->largest = done - w->last;
	w->last = done;
	w->total = total;
	if (w->truncate_fd)
		assert_int_equal(ftruncate(w->truncate_fd, (off_t)w->truncate_to), 0);
	return w->stop_at && done >= w->stop_at;
}

static void test_file(void **state)
{
	struct hv_hyp *hyp = machine(state);
	uint64_t size = 9 * HV_MIB + 123;
	struct watch w = { 0 };
	int fd = file_of(size + 5000);

	want(hv_hyp_load_fd(hyp, fd, 4500, size, SAMPLE_LOAD + 0x1001, watch, &w, &err), 0, &err);
	check_memory(hyp, SAMPLE_LOAD + 0x1001, 4500, size);
	assert_int_equal(w.calls, 3);
	assert_int_equal(w.last, size);
	assert_int_equal(w.total, size);
	assert_true(w.largest <= 4 * HV_MIB);
	/* The file's own position is nobody's business here. */
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	want(hv_hyp_load_fd(hyp, fd, 0, 0, SAMPLE_LOAD, NULL, NULL, &err), 0, &err);
	close(fd);
	hv_hyp_close(hyp);
}

static void test_memory(void **state)
{
	struct hv_hyp *hyp = machine(state);
	uint64_t size = 5 * HV_MIB;
	uint8_t *bytes = malloc(size);
	uint8_t window[8];

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	want(hv_hyp_load_mem(hyp, bytes, size, SAMPLE_LOAD + 3, &err), 0, &err);
	check_memory(hyp, SAMPLE_LOAD + 3, 0, size);
	/* Zeroes over it, from the middle of a page to the middle of another. */
	want(hv_hyp_load_mem(hyp, NULL, size - 200, SAMPLE_LOAD + 103, &err), 0, &err);
	check_memory(hyp, SAMPLE_LOAD + 3, 0, 0);
	want(hv_sim_read(hyp, SAMPLE_LOAD + 99, window, 8, &err), 0, &err);
	for (int i = 0; i < 8; i++)
		assert_int_equal(window[i], i < 4 ? byte_at(96 + (uint64_t)i) : 0);
	want(hv_sim_read(hyp, SAMPLE_LOAD + 3 + size - 104, window, 8, &err), 0, &err);
	for (int i = 0; i < 8; i++)
		assert_int_equal(window[i], i < 4 ? 0 : byte_at(size - 104 + (uint64_t)i));
	free(bytes);
	hv_hyp_close(hyp);
}

static void test_truncated(void **state)
{
	struct hv_hyp *hyp = machine(state);
	struct watch w = { .truncate_to = 5 * HV_MIB };
	int fd = file_of(12 * HV_MIB);

	want_error(hv_hyp_load_fd(hyp, fd, 0, 12 * HV_MIB + 1, SAMPLE_LOAD, NULL, NULL, &err), EIO,
		   &err, "truncated: it has 12582912 bytes");
	check_memory(hyp, SAMPLE_LOAD + 1, 0, 0);
	w.truncate_fd = fd;
	want_error(hv_hyp_load_fd(hyp, fd, 0, 12 * HV_MIB, SAMPLE_LOAD, watch, &w, &err), EIO, &err,
		   "truncated");
	assert_int_equal(w.calls, 1);
	close(fd);
	hv_hyp_close(hyp);
}

static void test_cancelled(void **state)
{
	struct hv_hyp *hyp = machine(state);
	struct watch w = { .stop_at = 6 * HV_MIB };
	int fd = file_of(24 * HV_MIB);
	uint8_t beyond;

	want_error(hv_hyp_load_fd(hyp, fd, 0, 24 * HV_MIB, SAMPLE_LOAD, watch, &w, &err), ECANCELED,
		   &err, "cancelled after 8388608 of 25165824 bytes");
	assert_int_equal(w.calls, 2);
	want(hv_sim_read(hyp, SAMPLE_LOAD + 9 * HV_MIB, &beyond, 1, &err), 0, &err);
	assert_int_equal(beyond, 0);
	close(fd);
	hv_hyp_close(hyp);
}

static void test_beyond(void **state)
{
	struct hv_hyp *hyp = machine(state);
	uint64_t end = SAMPLE_RAM + SAMPLE_RAM_SIZE;
	int fd = file_of(2 * HV_MIB);
	uint8_t byte = 1;

	want_error(hv_hyp_load_fd(hyp, fd, 0, HV_MIB, end - HV_MIB + 1, NULL, NULL, &err), EFAULT,
		   &err, "bus error: not all of 0x7ff00001-0x80000000 is memory");
	want_text(&err, "this machine has 0x40000000-0x7fffffff");
	check_memory(hyp, end - 2, 0, 0);
	want(hv_hyp_load_fd(hyp, fd, 0, HV_MIB, end - HV_MIB, NULL, NULL, &err), 0, &err);
	want_error(hv_hyp_load_mem(hyp, &byte, 1, end, &err), EFAULT, &err, "bus error");
	want_error(hv_hyp_load_mem(hyp, &byte, 1, 0x9000000, &err), EFAULT, &err, "bus error");
	want_error(hv_hyp_load_mem(hyp, NULL, UINT64_MAX, 4096, &err), EFAULT, &err, "64 bits");
	want_error(hv_sim_read(hyp, end - 1, &byte, 2, &err), EFAULT, &err, "bus error");
	want_error(hv_hyp_load_fd(hyp, fd, UINT64_MAX, 2, SAMPLE_LOAD, NULL, NULL, &err), EINVAL,
		   &err, "no file has");
	want_error(hv_hyp_load_fd(hyp, -1, 0, 2, SAMPLE_LOAD, NULL, NULL, &err), EBADF, &err,
		   "no file");
	close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY);
	want_error(hv_hyp_load_fd(hyp, fd, 0, 2, SAMPLE_LOAD, NULL, NULL, &err), EISDIR, &err,
		   "reading");
	close(fd);
	hv_hyp_close(hyp);
}

static void test_map(void **state)
{
	struct hv_hyp *hyp = machine(state);
	uint8_t byte = 0x5a;
	uint8_t *addr;
	void *map;

	want(hv_hyp_map(hyp, SAMPLE_LOAD + 0x1234, 5000, &map, &err), 0, &err);
	addr = map;
	want(hv_hyp_load_mem(hyp, &byte, 1, SAMPLE_LOAD + 0x1234, &err), 0, &err);
	assert_int_equal(addr[0], 0x5a);
	addr[4999] = 0xa5;
	want(hv_sim_read(hyp, SAMPLE_LOAD + 0x1234 + 4999, &byte, 1, &err), 0, &err);
	assert_int_equal(byte, 0xa5);
	hv_hyp_unmap(hyp, map, 5000);
	hv_hyp_unmap(hyp, NULL, 5000);
	want_error(hv_hyp_map(hyp, SAMPLE_LOAD, 0, &map, &err), EINVAL, &err, "no such range");
	want_error(hv_hyp_map(hyp, UINT64_MAX - 10, 100, &map, &err), EINVAL, &err,
		   "no such range");
	want_error(hv_hyp_map(hyp, SAMPLE_RAM + SAMPLE_RAM_SIZE - 4096, 8192, &map, &err), EFAULT,
		   &err, "bus error");
	hv_hyp_close(hyp);
}

/* Windows that touch are one; the order they are given in does not matter. */
static void test_windows(void **state)
{
	static const struct hv_sim_ram ram[] = {
		{ 0x80000000, 0x1000 },
		{ 0x40000000, 0x3000 },
		{ 0x40003000, 0x2000 },
	};
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	uint8_t bytes[0x5000], back[0x5000];
	struct hv_hyp *hyp;
	void *map;

	memset(bytes, 0x77, sizeof(bytes));
	opts.ram = ram;
	opts.n_ram = 3;
	opts.hypervisor.size = 0;
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	if (*state)
		want(hv_sim_fault(hyp, *state, &err), 0, &err);
	want(hv_hyp_load_mem(hyp, bytes, 0x5000, 0x40000000, &err), 0, &err);
	want(hv_hyp_load_mem(hyp, "hello", 5, 0x80000ffb, &err), 0, &err);
	want(hv_sim_read(hyp, 0x40000000, back, 0x5000, &err), 0, &err);
	assert_memory_equal(bytes, back, 0x5000);
	want(hv_hyp_map(hyp, 0x80000000, 4096, &map, &err), 0, &err);
	assert_memory_equal((char *)map + 0xffb, "hello", 5);
	hv_hyp_unmap(hyp, map, 4096);
	want_error(hv_hyp_load_mem(hyp, bytes, 0x5000, 0x40001000, &err), EFAULT, &err,
		   "0x40000000-0x40004fff, 0x80000000-0x80000fff");
	hv_hyp_close(hyp);
}

int main(void)
{
	static char through_map[] = "no-load-image";
#define BOTH(test)                                                                                 \
	cmocka_unit_test(test),                                                                    \
	{                                                                                          \
#test " through a mapping", test, NULL, NULL, through_map                          \
	}
	const struct CMUnitTest tests[] = {
		BOTH(test_file),   BOTH(test_memory), BOTH(test_truncated), BOTH(test_cancelled),
		BOTH(test_beyond), BOTH(test_map),    BOTH(test_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
