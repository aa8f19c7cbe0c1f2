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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "zone/board.h"
#include "zone/host.h"

static int warnings;
static char last_warning[512];

static void count_warning(enum hv_log_level level, const char *line, void *arg)
{
	(void)arg;
	warnings += level == HV_LOG_WARN;
	snprintf(last_warning, sizeof(last_warning), "%s", line);
}

static void read_fixture(const char *name, struct hv_host *host)
{
	const char *tests = getenv("HVSH_TESTS");
	char path[PATH_MAX];
	struct hv_err err = { 0 };

	snprintf(path, sizeof(path), "%s/core/zone/data/%s", tests ? tests : "tests", name);
	if (hv_host_read(path, host, &err))
		fail_msg("%s", err.msg);
}

static void assert_range(const struct hv_host_range *r, uint64_t start, uint64_t size,
			 const char *name, bool no_map)
{
	assert_int_equal(r->start, start);
	assert_int_equal(r->size, size);
	assert_string_equal(r->name, name);
	assert_int_equal(r->no_map, no_map);
}

static void test_arm64(void **state)
{
	struct hv_host host;

	(void)state;
	warnings = 0;
	read_fixture("host-arm64", &host);
	assert_true(host.addresses_known);
	assert_int_equal(host.n_ram, 2);
	assert_range(&host.ram[0], 0x80000000, 0x40000000, "System RAM", false);
	assert_range(&host.ram[1], 0x100000000, 0x40000000, "System RAM (kmem)", false);
	assert_int_equal(host.n_reserved, 7);
	assert_range(&host.reserved[0], 0x2000, 0x1000, "short@2000", false);
	assert_range(&host.reserved[1], 0x50000000, 0x30000000, "reserved", true);
	assert_range(&host.reserved[2], 0x50000000, 0x30000000, "zone1@50000000", true);
	assert_range(&host.reserved[3], 0x81960000, 0x870000, "reserved", false);
	assert_range(&host.reserved[4], 0xb0000000, 0x8000000, "dsp@b0000000", false);
	assert_range(&host.reserved[5], 0xb0000000, 0x8000000, "reserved", false);
	assert_range(&host.reserved[6], 0x13f000000, 0x1000, "dsp@b0000000", false);
	assert_int_equal(host.cpus, 3); /* the tree, not /sys */
	assert_int_equal(warnings, 2);	/* a reg cut short, one that wraps */
	hv_host_free(&host);
}

static void test_cpus(void **state)
{
	struct hv_host host;

	(void)state;
	read_fixture("host-dynamiq", &host);
	assert_int_equal(host.cpus, 0x13);
	assert_false(host.addresses_known);
	assert_int_equal(host.n_ram, 0);
	assert_int_equal(host.n_reserved, 0);
	hv_host_free(&host);

	read_fixture("host-clusters", &host);
	assert_int_equal(host.cpus, 0);
	assert_false(host.addresses_known);
	hv_host_free(&host);

	read_fixture("host-riscv64", &host);
	assert_int_equal(host.cpus, 0xa);
	assert_true(host.addresses_known);
	hv_host_free(&host);

	read_fixture("host-x86_64", &host);
	assert_int_equal(host.cpus, UINT64_C(0xc00000000000002f));
	assert_int_equal(host.n_ram, 2);
	assert_int_equal(host.ram[0].start, 0x1000);
	assert_int_equal(host.n_reserved, 1);
	hv_host_free(&host);
}

static void test_this_machine(void **state)
{
	struct hv_host host;
	struct hv_err err = { 0 };

	(void)state;
	if (hv_host_read("/", &host, &err))
		fail_msg("%s", err.msg);
	hv_host_free(&host);
	assert_int_equal(hv_host_read("/no/such/folder", &host, &err), -ENOENT);
	assert_int_equal(host.n_ram, 0);
}

/* ---- files as no kernel writes them */

static char root[] = "/tmp/hvsh-host-XXXXXX";

static void put(const char *path, const void *bytes, size_t len)
{
	char full[PATH_MAX];
	int fd;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + sizeof(root); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	return ftw->level ? remove(path) : 0;
}

static int clear_root(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void assert_refused(const char *words)
{
	struct hv_host host;
	struct hv_err err = { 0 };

	assert_int_equal(hv_host_read(root, &host, &err), -EINVAL);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, err.msg);
	assert_int_equal(host.n_ram, 0);
	assert_null(host.ram);
}

static void test_nothing(void **state)
{
	struct hv_host host;
	struct hv_err err = { 0 };

	(void)state;
	assert_int_equal(hv_host_read(root, &host, &err), 0);
	assert_false(host.addresses_known);
	assert_int_equal(host.cpus, 0);
	hv_host_free(&host);
}

static void test_bad_iomem(void **state)
{
	static const char *const lines[] = {
		"garbage",
		"80000000 : System RAM",
		"80000000-bfffffff System RAM",
		"bfffffff-80000000 : System RAM",
		"-1-2 : System RAM",
		"0x8-0x9 : System RAM",
		"8-0x9 : System RAM",
		"00000000-ffffffffffffffff : System RAM",
		"80000000-fffffffffffffffff : System RAM",
		"\t80000000-bfffffff : System RAM",
	};
	char *big = malloc(5 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "00001000-00001fff : x\n%s\n", lines[i]);
		put("/proc/iomem", text, strlen(text));
		assert_refused("/proc/iomem:2: ");
	}
	put("/proc/iomem", "1-2 : a\0b\n", 10);
	assert_refused("not text");
	memset(big, 'x', 5 << 20);
	put("/proc/iomem", big, 100000);
	assert_refused("/proc/iomem:1: \"xxx");
	put("/proc/iomem", big, 5 << 20);
	assert_refused("no kernel writes");
	free(big);
}

static void test_bad_tree(void **state)
{
	struct hv_host host;
	struct hv_err err = { 0 };

	(void)state;
	put("/proc/device-tree/reserved-memory/#address-cells", "\0\0\0\5", 4);
	assert_refused("reserved-memory/#address-cells");
	put("/proc/device-tree/reserved-memory/#address-cells", "\0\0", 2);
	assert_refused("reserved-memory/#address-cells");
	put("/proc/device-tree/reserved-memory/#address-cells", "\0\0\0\0", 4);
	assert_refused("without address or size");
	put("/proc/device-tree/reserved-memory/#address-cells", "\0\0\0\3", 4);
	put("/proc/device-tree/reserved-memory/#size-cells", "\0\0\0\1", 4);
	put("/proc/device-tree/reserved-memory/a/reg", "\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\x20\0", 16);
	put("/proc/device-tree/reserved-memory/b/reg", "\0\0\0\1\0\0\0\0\0\0\x10\0\0\0\x20\0", 16);
	put("/proc/device-tree/cpus/cpu@0/reg", "\0\0\0\7", 4);
	warnings = 0;
	if (hv_host_read(root, &host, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(host.n_reserved, 1);
	assert_range(host.reserved, 0x1000, 0x2000, "a", false);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(last_warning, "reserved-memory/b"));
	assert_int_equal(host.cpus, 0x80);
	hv_host_free(&host);
	put("/proc/device-tree/cpus/cpu@1/reg", "\0", 1);
	assert_refused("cpus/cpu@1");
}

static void test_bad_cpu_list(void **state)
{
	static const char *const lists[] = { "x",   "3-1",   "0-",
					     "-1",  "0,,1",  "0,",
					     "0 1", "0-3-5", "99999999999999999999" };
	struct hv_host host;
	struct hv_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		put("/sys/devices/system/cpu/online", lists[i], strlen(lists[i]));
		assert_refused("no list of CPUs");
	}
	put("/sys/devices/system/cpu/online", "\n", 1);
	put("/sys/devices/system/cpu/possible", "0-4294967295", 12);
	assert_int_equal(hv_host_read(root, &host, &err), 0);
	assert_int_equal(host.cpus, UINT64_MAX);
	hv_host_free(&host);
}

static void test_board(void **state)
{
	const struct hv_board_range ram[] = { { 0x90000000, 0x1000, "high" },
					      { 0x80000000, 0x1000, NULL } };
	struct hv_board board = { .root_cpus = 3, .n_root_ram = 2, .root_ram = ram };
	struct hv_host host;
	struct hv_err err;

	(void)state;
	assert_int_equal(hv_host_from_board(&board, &host, &err), 0);
	assert_int_equal(host.n_ram, 2);
	assert_range(&host.ram[0], 0x80000000, 0x1000, "ram", false);
	assert_range(&host.ram[1], 0x90000000, 0x1000, "high", false);
	assert_int_equal(host.cpus, 3);
	assert_true(host.addresses_known);
	hv_host_free(&host);
	assert_int_equal(hv_host_from_board(NULL, &host, &err), 0);
	assert_false(host.addresses_known);
	hv_host_free(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test_teardown(test_nothing, clear_root),
		cmocka_unit_test_teardown(test_bad_iomem, clear_root),
		cmocka_unit_test_teardown(test_bad_tree, clear_root),
		cmocka_unit_test_teardown(test_bad_cpu_list, clear_root),
		cmocka_unit_test(test_board),
	};
	int failed;

	hv_log_set_sink(count_warning, NULL);
	hv_log_set_level(HV_LOG_WARN);
	if (!mkdtemp(root))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(root);
	return failed;
}
