// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/log.h"
#include "zone/record.h"

static int warnings;
static char last_warning[1024];

static void count_warning(enum hv_log_level level, const char *line, void *arg)
{
	(void)arg;
	warnings += level == HV_LOG_WARN;
	snprintf(last_warning, sizeof(last_warning), "%s", line);
}

/* A fresh parent per test; the folder itself does not exist yet. */
static char parent[32], dir[64], file[80];

static int set_up(void **state)
{
	(void)state;
	strcpy(parent, "/tmp/hvsh-record-XXXXXX");
	if (!mkdtemp(parent))
		return -1;
	snprintf(dir, sizeof(dir), "%s/run/zones", parent);
	snprintf(file, sizeof(file), "%s/zone1", dir);
	warnings = 0;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(parent, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Something in every field; numbers that differ from each other. */
static struct hv_record *sample(enum hv_arch arch, uint32_t id)
{
	struct hv_record *r = calloc(1, sizeof(*r));
	struct hv_abi_zone *z = &r->config;

	assert_non_null(r);
	r->arch = arch;
	z->id = id;
	z->cpus = 0xc;
	strcpy(z->name, "a name of 31 bytes, not shorter");
	z->n_regions = HV_MAX_REGIONS;
	for (uint32_t i = 0; i < z->n_regions; i++)
		z->regions[i] = (struct hv_abi_region){ i % 3, UINT64_MAX - i, i << 20, 4096 + i };
	z->n_irqs = HV_MAX_IRQ;
	for (uint32_t i = 0; i < z->n_irqs; i++)
		z->irqs[i] = i ^ 0x5a5;
	z->n_ivc = 2;
	z->ivc[1] = (struct hv_abi_ivc){ 1, 2, 3, 4, 5, 6, 7, 8 };
	z->entry = 0x50400000;
	z->kernel_phys = 0x50400001;
	z->kernel_size = 0x1234567;
	z->dtb_phys = 0x50000002;
	z->dtb_size = 0x8000;
	z->n_pci_buses = 4;
	z->pci_buses[3] = (struct hv_abi_pci_bus){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };
	z->n_pci_devs = 32;
	z->pci_devs[31] = (struct hv_abi_pci_dev){ 1, 2, 3, 4, 5, 6, 7, 0xdeadbeef };
	if (arch == HV_ARCH_ARM64)
		z->arm64 = (struct hv_abi_arm64){ true, 3,  1,	2,  3,	4,    5,  6,  7, 8,
						  9,	10, 11, 12, 13, true, 14, 15, 16 };
	else if (arch == HV_ARCH_RISCV64)
		z->riscv64 = (struct hv_abi_riscv64){ 1, 2, 3, 4 };
	else if (arch == HV_ARCH_X86_64)
		z->x86_64 = (struct hv_abi_x86_64){ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	r->n_images = HV_RECORD_IMAGES;
	for (size_t i = 0; i < r->n_images; i++) {
		struct hv_record_image *m = &r->images[i];

		snprintf(m->what, sizeof(m->what), "module %zu", i);
		memset(m->path, 'p', sizeof(m->path) - 1);
		m->phys = i;
		m->size = i + 1;
		m->dev = i + 2;
		m->ino = i + 3;
		m->file_size = i + 4;
		m->mtime_ns = -5 - (int64_t)i;
		m->digest = i + 6;
	}
	return r;
}

static struct hv_records *open_records(const char *where)
{
	struct hv_records *records = NULL;
	struct hv_err err = { 0 };

	if (hv_records_open(where, &records, &err))
		fail_msg("%s", err.msg);
	return records;
}

static void put(struct hv_records *records, const struct hv_record *record)
{
	struct hv_err err = { 0 };

	if (hv_records_put(records, record, &err))
		fail_msg("%s", err.msg);
}

/* The boot id is the only thing that put() adds. Padding is zero on both sides: they were zeroed
 * whole. */
static void assert_same(const struct hv_record *put_in, struct hv_record *got)
{
	memset(got->boot_id, 0, sizeof(got->boot_id));
	assert_int_equal(got->arch, put_in->arch);
	assert_int_equal(got->n_images, put_in->n_images);
	for (uint32_t i = 0; i < put_in->config.n_regions; i++) {
		assert_int_equal(got->config.regions[i].type, put_in->config.regions[i].type);
		assert_int_equal(got->config.regions[i].phys, put_in->config.regions[i].phys);
	}
	assert_memory_equal(&got->config, &put_in->config, sizeof(got->config));
	assert_memory_equal(got->images, put_in->images, sizeof(got->images));
}

static void check_round_trip(const char *where)
{
	for (int arch = 0; arch < HV_ARCH_COUNT; arch++) {
		struct hv_records *records = open_records(where);
		struct hv_record *record = sample((enum hv_arch)arch, 1),
				 *got = calloc(1, sizeof(*got));
		struct hv_err err;

		memset(&got->config, 0xee, sizeof(got->config));
		put(records, record);
		if (where) { /* another process */
			hv_records_close(records);
			records = open_records(where);
		}
		assert_int_equal(hv_records_get(records, 1, got, &err), 0);
		assert_same(record, got);
		assert_int_equal(hv_records_get(records, 2, got, &err), -ENOENT);
		record->config.n_irqs = 0;
		put(records, record);
		assert_int_equal(hv_records_get(records, 1, got, &err), 0);
		assert_int_equal(got->config.n_irqs, 0);
		assert_int_equal(hv_records_drop(records, 1, &err), 0);
		assert_int_equal(hv_records_drop(records, 1, &err), 0);
		assert_int_equal(hv_records_get(records, 1, got, &err), -ENOENT);
		hv_records_close(records);
		free(record);
		free(got);
	}
	assert_int_equal(warnings, 0);
}

static void test_round_trip(void **state)
{
	struct stat st;

	(void)state;
	check_round_trip(dir);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_memory(void **state)
{
	struct stat st;

	(void)state;
	check_round_trip(NULL);
	assert_int_equal(stat(dir, &st), -1);
	hv_records_close(NULL);
}

static void test_nothing_written(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record got;
	struct hv_err err;
	struct stat st;

	(void)state;
	assert_int_equal(hv_records_get(records, 1, &got, &err), -ENOENT);
	assert_int_equal(hv_records_drop(records, 1, &err), 0);
	assert_int_equal(stat(dir, &st), -1);
	hv_records_close(records);
}

static void test_bad_record(void **state)
{
	const char *const dirs[] = { NULL, dir };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct hv_records *records = open_records(dirs[i]);
		struct hv_err err;

		for (int what = 0; what < 6; what++) {
			struct hv_record *r = sample(HV_ARCH_ARM64, 1);

			if (what == 0)
				r->config.id = 0;
			else if (what == 1)
				r->config.id = HV_MAX_ZONES;
			else if (what == 2)
				r->config.n_regions = HV_MAX_REGIONS + 1;
			else if (what == 3)
				r->n_images = SIZE_MAX;
			else if (what == 4)
				memset(r->config.name, 'x', sizeof(r->config.name));
			else
				r->config.regions[0].type = (enum hv_region_type)3;
			assert_int_equal(hv_records_put(records, r, &err), -EINVAL);
			free(r);
		}
		hv_records_close(records);
	}
}

static size_t read_bytes(uint8_t *bytes, size_t cap)
{
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, bytes, cap);

	assert_true(n > 0);
	close(fd);
	return (size_t)n;
}

static void write_bytes(const uint8_t *bytes, size_t n)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void assert_none(struct hv_records *records)
{
	struct hv_record *got = malloc(sizeof(*got)), *before = malloc(sizeof(*before));
	struct hv_err err;

	memset(got, 0x5c, sizeof(*got));
	memcpy(before, got, sizeof(*got));
	assert_int_equal(hv_records_get(records, 1, got, &err), -ENOENT);
	assert_memory_equal(got, before, sizeof(*got));
	free(got);
	free(before);
}

/* Each byte wrong in turn, each length cut, one byte more: none, and one warning for each. */
static void test_damage(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_ARM64, 1);
	uint8_t bytes[40000];
	struct hv_err err;
	size_t n;

	(void)state;
	put(records, record);
	n = read_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < n; i++) {
		bytes[i] ^= (uint8_t)(1u << i % 8);
		write_bytes(bytes, n);
		bytes[i] ^= (uint8_t)(1u << i % 8);
		hv_records_close(records);
		records = open_records(dir);
		warnings = 0;
		assert_none(records);
		assert_none(records);
		assert_int_equal(warnings, 1);
	}
	for (size_t len = 0; len < n; len += len < 64 ? 1 : 97) {
		write_bytes(bytes, len);
		assert_none(records);
	}
	bytes[n] = 0;
	write_bytes(bytes, n + 1);
	assert_none(records);
	write_bytes(bytes, sizeof(bytes));
	assert_none(records);
	write_bytes(bytes, n);
	assert_int_equal(hv_records_get(records, 1, record, &err), 0);
	free(record);
	hv_records_close(records);
}

static void seal(uint8_t *bytes, size_t n)
{
	uint32_t crc = (uint32_t)crc32(0, bytes, (uInt)(n - 4));

	for (size_t i = 0; i < 4; i++)
		bytes[n - 4 + i] = (uint8_t)(crc >> (8 * i));
}

/* Whoever can make the checksum right still gets no count or type out of bounds past the reader. */
static void test_sealed_damage(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_X86_64, 1), *got = calloc(1, sizeof(*got));
	uint8_t bytes[40000];
	size_t n;

	(void)state;
	put(records, record);
	n = read_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < n - 4; i++) {
		uint8_t was = bytes[i];
		struct hv_err err;
		int ret;

		bytes[i] = 0xff;
		seal(bytes, n);
		write_bytes(bytes, n);
		ret = hv_records_get(records, 1, got, &err);
		if (!ret) {
			assert_int_equal(got->config.id, 1);
			assert_true(got->config.n_regions <= HV_MAX_REGIONS);
			assert_true(got->config.n_irqs <= HV_MAX_IRQ);
			assert_true(got->config.n_ivc <= HV_MAX_IVC);
			assert_true(got->config.n_pci_buses <= HV_MAX_PCI_BUSES);
			assert_true(got->config.n_pci_devs <= HV_MAX_PCI_DEVICES);
			assert_true(got->n_images <= HV_RECORD_IMAGES);
			assert_true((unsigned int)got->arch < HV_ARCH_COUNT);
			assert_non_null(memchr(got->config.name, 0, sizeof(got->config.name)));
		} else {
			assert_int_equal(ret, -ENOENT);
		}
		bytes[i] = was;
	}
	free(record);
	free(got);
	hv_records_close(records);
}

/* The boot id's 16 bytes follow magic, version, length and architecture. */
#define BOOT_ID_AT 20

static void test_stale(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_RISCV64, 1);
	uint8_t bytes[40000];
	struct hv_err err;
	size_t n;

	(void)state;
	put(records, record);
	n = read_bytes(bytes, sizeof(bytes));
	assert_int_equal(hv_records_get(records, 1, record, &err), 0);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(bytes[BOOT_ID_AT + i], (uint8_t)(record->boot_id[0] >> (8 * i)));
	bytes[BOOT_ID_AT] ^= 1;
	seal(bytes, n);
	write_bytes(bytes, n);
	assert_int_equal(hv_records_get(records, 1, record, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "boot"));
	assert_int_equal(warnings, 0);
	free(record);
	hv_records_close(records);
}

static void test_foreign_version(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_RISCV64, 1);
	uint8_t bytes[40000];
	size_t n;

	(void)state;
	put(records, record);
	n = read_bytes(bytes, sizeof(bytes));
	bytes[8] = 99;
	seal(bytes, n);
	write_bytes(bytes, n);
	assert_none(records);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last_warning, "another version"));
	free(record);
	hv_records_close(records);
}

static void test_wrong_zone(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_ARM64, 2);
	char other[80];

	(void)state;
	put(records, record);
	snprintf(other, sizeof(other), "%s/zone2", dir);
	assert_int_equal(rename(other, file), 0);
	assert_none(records);
	assert_int_equal(warnings, 1);
	free(record);
	hv_records_close(records);
}

static void test_file_not_trusted(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_ARM64, 1);
	char other[80];
	struct hv_err err;

	(void)state;
	put(records, record);
	assert_int_equal(chmod(file, 0622), 0);
	assert_none(records);
	assert_non_null(strstr(last_warning, "writable by others"));
	assert_int_equal(chmod(file, 0600), 0);
	snprintf(other, sizeof(other), "%s/elsewhere", parent);
	assert_int_equal(rename(file, other), 0);
	assert_int_equal(symlink(other, file), 0);
	assert_none(records);
	put(records, record); /* the link is replaced, not followed */
	assert_int_equal(hv_records_get(records, 1, record, &err), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_none(records); /* and does not wait for a writer */
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_none(records);
	free(record);
	hv_records_close(records);
}

/* That this process has no descriptor left says nothing about the file. */
static void test_no_descriptor(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_ARM64, 1);
	struct rlimit all, one;
	struct hv_err err;
	int free_fd = dup(0);

	(void)state;
	put(records, record);
	assert_true(free_fd > 0);
	close(free_fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	for (int left = 0; left < 2; left++) {
		one = (struct rlimit){ (rlim_t)(free_fd + left), all.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &one), 0);
		assert_int_equal(hv_records_get(records, 1, record, &err), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
		assert_non_null(strstr(err.msg, "open files"));
	}
	assert_int_equal(hv_records_get(records, 1, record, &err), 0);
	free(record);
	hv_records_close(records);
}

static void test_folder_not_trusted(void **state)
{
	struct hv_records *records = open_records(dir), *refused;
	struct hv_record *record = sample(HV_ARCH_ARM64, 1);
	struct hv_err err;

	(void)state;
	put(records, record);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(hv_records_get(records, 1, record, &err), -EPERM);
	assert_int_equal(hv_records_put(records, record, &err), -EPERM);
	assert_int_equal(hv_records_drop(records, 1, &err), -EPERM);
	assert_int_equal(hv_records_open(dir, &refused, &err), -EPERM);
	assert_non_null(strstr(err.msg, "0777"));
	if (!geteuid()) {
		assert_int_equal(chmod(dir, 0700), 0);
		assert_int_equal(chown(dir, 1234, 1234), 0);
		assert_int_equal(hv_records_open(dir, &refused, &err), -EPERM);
		assert_non_null(strstr(err.msg, "1234"));
		assert_int_equal(chown(dir, 0, 0), 0);
	}
	hv_records_close(records);
	snprintf(file, sizeof(file), "%s/link", parent);
	assert_int_equal(symlink(dir, file), 0);
	assert_int_equal(hv_records_open(file, &refused, &err), -EPERM);
	assert_int_equal(unlink(file), 0);
	free(record);
}

/* What a crash left does not stand in the way, and a failed write leaves the old record. */
static void test_left_over(void **state)
{
	struct hv_records *records = open_records(dir);
	struct hv_record *record = sample(HV_ARCH_ARM64, 1);
	char temp[80];
	struct hv_err err;

	(void)state;
	put(records, record);
	snprintf(temp, sizeof(temp), "%s/.zone1.new", dir);
	assert_int_equal(symlink("/etc/passwd", temp), 0);
	put(records, record);
	assert_int_equal(access(temp, F_OK), -1);
	assert_int_equal(mkdir(temp, 0700), 0);
	record->config.n_irqs = 0;
	assert_true(hv_records_put(records, record, &err) < 0);
	assert_non_null(strstr(err.msg, ".zone1.new"));
	assert_int_equal(hv_records_get(records, 1, record, &err), 0);
	assert_int_equal(record->config.n_irqs, HV_MAX_IRQ);
	free(record);
	hv_records_close(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_record, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sealed_damage, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_version, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_zone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_file_not_trusted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_descriptor, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folder_not_trusted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_left_over, set_up, tear_down),
	};

	hv_log_set_sink(count_warning, NULL);
	hv_log_set_level(HV_LOG_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
