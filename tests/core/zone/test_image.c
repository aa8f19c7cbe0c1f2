// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image_box.h"

static void test_files(void **state)
{
	struct hv_image *image;
	struct hv_err err;

	(void)state;
	unlink(box_path);
	box_refused(ENOENT, "cannot open: No such file");
	assert_int_equal(mkdir(box_path, 0700), 0);
	box_refused(EISDIR, "folder");
	rmdir(box_path);
	assert_int_equal(mkfifo(box_path, 0600), 0);
	box_refused(EINVAL, "regular file");
	unlink(box_path);
	box_write("", 0);
	box_refused(EINVAL, "empty");
	assert_int_equal(truncate(box_path, (INT64_C(1) << 40) + 1), 0);
	box_refused(EFBIG, "1 TiB");
	assert_int_equal(hv_image_open("/dev/null", HV_IMAGE_AUTO, &image, &err), -EINVAL);
	assert_int_equal(hv_image_open("/dev/null", HV_IMAGE_AUTO, &image, NULL), -EINVAL);
	hv_image_close(NULL);
}

static void test_raw(void **state)
{
	uint8_t *bytes = box_noise(5000);
	const struct hv_image_info *info;
	struct hv_image *image;
	struct stat st;

	(void)state;
	for (size_t size = 1; size <= 5000; size = size == 1 ? 63 : size + 4937) {
		box_write(bytes, size);
		box_fill();
		image = box_open(HV_IMAGE_AUTO);
		info = hv_image_info(image);
		assert_string_equal(hv_image_path(image), box_path);
		assert_int_equal(info->format, HV_IMAGE_RAW);
		assert_int_equal(info->arch, -1);
		assert_false(info->gzip || info->fixed || info->has_entry);
		assert_int_equal(info->align, 1);
		assert_int_equal(info->n_segments, 1);
		assert_int_equal(info->low, 0);
		assert_int_equal(info->high, size);
		assert_int_equal(info->segments[0].mem_size, size);
		stat(box_path, &st);
		assert_int_equal(info->file_size, size);
		assert_int_equal(info->id_ino, st.st_ino);
		assert_int_equal(info->id_dev, st.st_dev);
		box_load_ok(image, BOX_RAM + 0x1003);
		box_assert_ram(BOX_RAM + 0x1003, bytes, size);
		box_assert_untouched(BOX_RAM, 0x1003);
		box_assert_untouched(BOX_RAM + 0x1003 + size, 0x1000);
		hv_image_close(image);
	}
	free(bytes);
}

static void test_raw_takes_anything_as_it_is(void **state)
{
	struct hv_image *image;
	uint8_t *packed;
	size_t n;

	(void)state;
	packed = box_gzip("initrd", 6, &n);
	box_write(packed, n);
	image = box_open(HV_IMAGE_RAW);
	assert_int_equal(hv_image_info(image)->format, HV_IMAGE_RAW);
	assert_false(hv_image_info(image)->gzip);
	box_load_ok(image, BOX_RAM);
	box_assert_ram(BOX_RAM, packed, n);
	hv_image_close(image);
	free(packed);
}

/* ---- Linux Image */

static size_t make_linux(uint8_t *out, bool riscv, uint64_t text_offset, uint64_t image_size)
{
	memset(out, 0x5a, 1000);
	memset(out, 0, 64);
	memcpy(out + 8, &text_offset, 8);
	memcpy(out + 16, &image_size, 8);
	if (riscv)
		memcpy(out + 48, "RISCV\0\0\0RSC\x05", 12);
	else
		memcpy(out + 56, "ARM\x64", 4);
	return 1000;
}

static void check_linux(enum hv_arch arch, uint64_t text_offset, uint64_t mem_size)
{
	struct hv_image *image = box_open(HV_IMAGE_AUTO);
	const struct hv_image_info *info = hv_image_info(image);

	assert_int_equal(info->format, HV_IMAGE_LINUX);
	assert_int_equal(info->arch, arch);
	assert_int_equal(info->align, 0x200000);
	assert_int_equal(info->text_offset, text_offset);
	assert_true(info->has_entry && !info->fixed);
	assert_int_equal(info->entry, 0);
	assert_int_equal(info->segments[0].mem_size, mem_size);
	assert_int_equal(info->segments[0].file_size, 1000);
	assert_int_equal(info->high, mem_size);
	hv_image_close(image);
}

static void test_linux(void **state)
{
	struct hv_image *image;
	uint8_t bytes[1000];
	struct hv_err err;
	size_t n;

	(void)state;
	n = make_linux(bytes, false, 0, 0x24f0000);
	box_write(bytes, n);
	check_linux(HV_ARCH_ARM64, 0, 0x24f0000);
	/* It does not fit with its .bss, and that is seen before a byte is written. */
	box_fill();
	image = box_open(HV_IMAGE_LINUX);
	assert_int_equal(box_load(image, BOX_RAM, &err), -EFAULT);
	box_assert_untouched(BOX_RAM, 4096);
	hv_image_close(image);

	box_write_gzip(bytes, n);
	check_linux(HV_ARCH_ARM64, 0, 0x24f0000);
	box_write(bytes, make_linux(bytes, false, 0x80000, 16));
	check_linux(HV_ARCH_ARM64, 0x80000, 1000);
	box_write(bytes, make_linux(bytes, false, 0, 0));
	check_linux(HV_ARCH_ARM64, 0x80000, 1000);
	box_write(bytes, make_linux(bytes, true, 0x200000, 0x3000));
	check_linux(HV_ARCH_RISCV64, 0x200000, 0x3000);

	box_fill();
	image = box_open(HV_IMAGE_LINUX);
	box_load_ok(image, BOX_RAM + 0x200000);
	box_assert_ram(BOX_RAM + 0x200000, bytes, 1000);
	/* It clears its own .bss. */
	box_assert_untouched(BOX_RAM + 0x200000 + 1000, 0x2000);
	hv_image_close(image);

	box_write(bytes, make_linux(bytes, false, 0, UINT64_C(1) << 41));
	box_refused(EINVAL, "damaged Linux Image");
	box_write(bytes, make_linux(bytes, false, UINT64_MAX, 4096));
	box_refused(EINVAL, "damaged Linux Image");
	box_write("no kernel at all, but long enough to be one, one would think: yes", 65);
	box_refused_as(HV_IMAGE_LINUX, EINVAL, "is not a Linux Image");
	box_refused_as(HV_IMAGE_ELF, EINVAL, "is not an ELF file: it starts with 6e 6f 20 6b");
}

/* ---- device tree */

static void test_dtb(void **state)
{
	uint8_t bytes[200] = { 0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 100 };
	struct hv_image *image;
	struct hv_err err;
	void *read;
	size_t n;

	(void)state;
	memset(bytes + 8, 7, 192);
	for (int gz = 0; gz < 2; gz++) {
		box_fill();
		if (gz)
			box_write_gzip(bytes, 200);
		else
			box_write(bytes, 200);
		image = box_open(gz ? HV_IMAGE_DTB : HV_IMAGE_AUTO);
		assert_int_equal(hv_image_info(image)->format, HV_IMAGE_DTB);
		assert_int_equal(hv_image_info(image)->high, 100);
		box_load_ok(image, BOX_RAM);
		box_assert_ram(BOX_RAM, bytes, 100);
		box_assert_untouched(BOX_RAM + 100, 100);
		assert_int_equal(hv_image_read(image, 4096, &read, &n, &err), 0);
		assert_int_equal(n, 100);
		assert_memory_equal(read, bytes, 100);
		free(read);
		assert_int_equal(hv_image_read(image, 99, &read, &n, &err), -EFBIG);
		hv_image_close(image);
	}
	box_write(bytes, 99);
	box_refused(EINVAL, "truncated device tree: its header says 100 bytes, there are 99");
	bytes[7] = 8;
	box_write(bytes, 99);
	box_refused(EINVAL, "damaged device tree");
}

/* ---- gzip */

static void test_gzip_of_raw(void **state)
{
	const size_t size = (5 << 20) + 12345;
	uint8_t *bytes = box_noise(size);
	struct hv_image *image;
	struct hv_err err;
	void *read;
	size_t n;

	(void)state;
	/* Lengths around the buffer's, too. */
	for (size_t k = 0; k < 4; k++) {
		size_t len = k == 0 ? 1 : k == 1 ? 1 << 20 : k == 2 ? (1 << 20) + 1 : size;

		box_fill();
		box_write_gzip(bytes, len);
		image = box_open(HV_IMAGE_AUTO);
		assert_int_equal(hv_image_info(image)->format, HV_IMAGE_RAW);
		assert_true(hv_image_info(image)->gzip);
		assert_int_equal(hv_image_info(image)->high, len);
		box_load_ok(image, BOX_RAM + 1);
		box_assert_ram(BOX_RAM + 1, bytes, len);
		box_assert_untouched(BOX_RAM, 1);
		box_assert_untouched(BOX_RAM + 1 + len, 4096);
		assert_int_equal(hv_image_read(image, len, &read, &n, &err), 0);
		assert_int_equal(n, len);
		assert_memory_equal(read, bytes, len);
		free(read);
		hv_image_close(image);
	}
	free(bytes);
}

static void test_gzip_broken(void **state)
{
	uint8_t *bytes = box_noise(3000), *packed, *twice;
	struct hv_image *image;
	struct hv_err err;
	size_t n, n2;

	(void)state;
	packed = box_gzip(bytes, 3000, &n);
	twice = malloc(2 * n + 64);
	box_fill();

	box_write(packed, 10);
	box_refused(EINVAL, "truncated gzip file");
	/* Wherever it is cut, opening or loading says so. */
	for (size_t cut = 1; cut < n; cut++) {
		box_write(packed, cut);
		if (hv_image_open(box_path, HV_IMAGE_AUTO, &image, &err))
			continue;
		/* Three bytes or fewer are no gzip file, nor anything else. */
		if (hv_image_info(image)->gzip)
			assert_int_not_equal(hv_image_load(image, BOX_RAM - BOX_SHIFT, box_hyp,
							   box_phys_of, NULL, NULL, NULL, &err),
					     0);
		hv_image_close(image);
	}
	box_fill();

	memcpy(twice, packed, n);
	memcpy(twice + n, packed, n);
	box_write(twice, 2 * n);
	box_load_refused(EIO, "several gzip files");
	memcpy(twice + n, "tail\xb8\x0b\0\0", 8);
	box_write(twice, n + 8);
	box_load_refused(EIO, "8 bytes of something else");
	memset(twice + n, 0, 64);
	box_write(twice, n + 64);
	box_refused(EINVAL, "empty when unpacked");

	memcpy(twice, packed, n);
	twice[n - 4]++;
	box_write(twice, n);
	box_load_refused(EIO, "incorrect length check");
	box_fill();
	memcpy(twice, packed, n);
	twice[n - 4]--;
	box_write(twice, n);
	box_load_refused(EIO, "more than the 2999 bytes");
	memcpy(twice, packed, n);
	twice[n - 1] = 0xff;
	box_write(twice, n);
	box_refused(EINVAL, "cannot");
	memcpy(twice, packed, n);
	twice[n - 8]++;
	box_write(twice, n);
	box_load_refused(EIO, "incorrect data check");
	memcpy(twice, packed, n);
	twice[2] = 9;
	box_write(twice, n);
	box_refused(EIO, "unknown compression method");
	twice[0] = 0x1f;
	free(twice);

	twice = box_gzip(packed, n, &n2);
	box_write(twice, n2);
	box_refused(EOPNOTSUPP, "twice");
	free(twice);
	free(packed);
	free(bytes);
}

static void test_changed_after_opening(void **state)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	struct hv_image *image;
	struct hv_err err;
	void *read;
	size_t n;

	(void)state;
	box_fill();
	for (int how = 0; how < 2; how++) {
		box_write("a kernel", 8);
		image = box_open(HV_IMAGE_AUTO);
		if (how == 0)
			assert_int_equal(truncate(box_path, 4), 0);
		else
			assert_int_equal(utimensat(AT_FDCWD, box_path, times, 0), 0);
		assert_int_equal(box_load(image, BOX_RAM, &err), -ESTALE);
		assert_non_null(strstr(err.msg, "was changed after it was checked"));
		assert_int_equal(hv_image_read(image, 100, &read, &n, &err), -ESTALE);
		box_assert_untouched(BOX_RAM, 4096);
		hv_image_close(image);
	}
}

static int count_progress(uint64_t done, uint64_t total, void *arg)
{
	uint64_t *seen = arg;

	assert_true(done >= seen[1] && done <= total);
	assert_int_equal(total, 10 << 20);
	seen[0]++;
	seen[1] = done;
	return seen[0] == seen[2];
}

static void test_progress(void **state)
{
	const size_t size = 10 << 20;
	uint8_t *bytes = box_noise(size);
	struct hv_image *image;
	struct hv_err err;

	(void)state;
	for (int gz = 0; gz < 2; gz++) {
		uint64_t seen[3] = { 0, 0, 0 }, cancel[3] = { 0, 0, 1 };

		if (gz)
			box_write_gzip(bytes, size);
		else
			box_write(bytes, size);
		image = box_open(HV_IMAGE_AUTO);
		assert_int_equal(hv_image_load(image, BOX_RAM - BOX_SHIFT, box_hyp, box_phys_of,
					       NULL, count_progress, seen, &err),
				 0);
		assert_in_range(seen[0], 2, 10);
		assert_int_equal(seen[1], size);
		assert_int_equal(hv_image_load(image, BOX_RAM - BOX_SHIFT, box_hyp, box_phys_of,
					       NULL, count_progress, cancel, &err),
				 -ECANCELED);
		assert_int_equal(cancel[0], 1);
		hv_image_close(image);
	}
	free(bytes);
}

static void test_other_packers(void **state)
{
	static const struct {
		size_t len;
		const char *bytes;
		const char *says;
	} cases[] = {
		{ 8,
		  "\xfd"
		  "7zXZ\0\0\1",
		  "compressed with xz, only gzip is unpacked here: run xz -dk '" },
		{ 8, "\x28\xb5\x2f\xfd\0\0\0\0", "zstd -dk" },
		{ 8, "\x04\x22\x4d\x18\0\0\0\0", "lz4 -dk" },
		{ 8, "\x02\x21\x4c\x18\0\0\0\0", "lz4 -dk" },
		{ 12, "BZh91AY&SY\0\0", "bzip2 -dk" },
		{ 16, "\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0", "format=lzma" },
		{ 12, "\x89LZO\0\r\n\x1a\n\0\0\0", "lzop -dk" },
	};
	uint8_t head[64] = { 0x27, 0x05, 0x19, 0x56 };
	char name[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		box_write(cases[i].bytes, cases[i].len);
		box_refused(EOPNOTSUPP, cases[i].says);
		box_refused_as(HV_IMAGE_LINUX, EOPNOTSUPP, cases[i].says);
		hv_image_close(box_open(HV_IMAGE_RAW));
	}
	box_write(head, 64);
	snprintf(name, sizeof(name), "tail -c +65 '%s'", box_path);
	box_refused(EOPNOTSUPP, name);
	memset(head, 0, sizeof(head));
	memcpy(head, "MZ\0\0zimg\x00\x90\0\0\x10\x27\0\0", 16);
	memcpy(head + 24, "zstd22", 6);
	box_write(head, 64);
	snprintf(name, sizeof(name), "tail -c +36865 '%s'", box_path);
	box_refused(EOPNOTSUPP, name);
	box_refused(EOPNOTSUPP, "head -c 10000 | zstd -dc");
	/* Not what the file would like to have pasted into a shell. */
	memcpy(head + 24, "rm -rf", 6);
	box_write(head, 64);
	box_refused(EOPNOTSUPP, "<its packer>");
	/* x86 kernels and other firmware programs are loaded as they are. */
	memcpy(head + 4, "\0\0\0\0", 4);
	box_write(head, 64);
	hv_image_close(box_open(HV_IMAGE_AUTO));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_raw_takes_anything_as_it_is),
		cmocka_unit_test(test_linux),
		cmocka_unit_test(test_dtb),
		cmocka_unit_test(test_gzip_of_raw),
		cmocka_unit_test(test_gzip_broken),
		cmocka_unit_test(test_changed_after_opening),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_other_packers),
	};

	return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
