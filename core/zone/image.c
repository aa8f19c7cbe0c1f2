// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/image_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/opener.h"

#define DTB_MAGIC 0xd00dfeed
#define UIMAGE_MAGIC 0x27051956
#define UIMAGE_HEADER 64

/* Ways to pack an image that are refused, with how to unpack it. */
static const struct {
	const char *name;
	const char *command;
	size_t len;
	const char *magic;
	size_t at, len2; /* a second mark, where the first is short */
	const char *magic2;
} packed[] = {
	{ "xz", "xz -dk", 6, "\3757zXZ\0", 0, 0, NULL },
	{ "zstd", "zstd -dk", 4, "\x28\xb5\x2f\xfd", 0, 0, NULL },
	{ "lz4", "lz4 -dk", 4, "\x04\x22\x4d\x18", 0, 0, NULL },
	{ "lz4 (legacy)", "lz4 -dk", 4, "\x02\x21\x4c\x18", 0, 0, NULL },
	{ "lzop", "lzop -dk", 9, "\x89LZO\0\r\n\x1a\n", 0, 0, NULL },
	{ "bzip2", "bzip2 -dk", 3, "BZh", 4, 6, "1AY&SY" },
	{ "lzma", "xz -dk --format=lzma", 3, "\x5d\0\0", 5, 8, "\xff\xff\xff\xff\xff\xff\xff\xff" },
};

/* What a zboot image calls its packer, and the program that undoes it. */
static const struct {
	const char *kind, *command;
} zboot_kinds[] = {
	{ "gzip", "gzip -dc" }, { "lz4", "lz4 -dc" },	{ "lzma", "xz -dc --format=lzma" },
	{ "lzo", "lzop -dc" },	{ "xzkern", "xz -dc" }, { "zstd22", "zstd -dc" },
	{ "zstd", "zstd -dc" },
};
#define ZBOOT_KIND_AT 24
#define ZBOOT_KIND_LEN 32

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

int image_pread(struct hv_image *image, uint64_t offset, void *bytes, size_t len,
		struct hv_err *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(image->fd, (char *)bytes + got, len - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hv_err_sys(err, errno, "cannot read at offset %#llx",
					  (unsigned long long)offset + got);
		if (n == 0)
			return hv_err_set(err, EIO,
					  "truncated: it ends at %#llx, became shorter while it "
					  "was read",
					  (unsigned long long)offset + got);
		got += (size_t)n;
	}
	return 0;
}

int image_read_at(struct hv_image *image, uint64_t offset, void *bytes, size_t len,
		  struct hv_err *err)
{
	struct image_gunzip *gz;
	uint8_t skipped[4096];
	size_t got = 0, n;
	int rc = 0;

	if (!image->info.gzip)
		return image_pread(image, offset, bytes, len, err);
	if (offset > IMAGE_GZIP_HEADER_MAX || len > IMAGE_GZIP_HEADER_MAX - offset)
		return hv_err_set(
			err, EINVAL,
			"its headers lie %#llx bytes inside the gzip data, too far to look "
			"for: unpack the file first (gunzip -k)",
			(unsigned long long)offset);
	gz = image_gunzip_new(image, err);
	if (!gz)
		return -ENOMEM;
	while (!rc && offset > 0) {
		n = offset < sizeof(skipped) ? (size_t)offset : sizeof(skipped);
		rc = image_gunzip_read(gz, skipped, n, &got, err);
		if (!rc && got < n)
			rc = hv_err_set(err, EINVAL, "its headers lie behind the end of the file");
		offset -= n;
	}
	if (!rc)
		rc = image_gunzip_read(gz, bytes, len, &got, err);
	if (!rc && got < len)
		rc = hv_err_set(err, EINVAL, "its headers reach behind the end of the file");
	image_gunzip_free(gz);
	return rc;
}

int image_set_single(struct hv_image *image, uint64_t file_size, uint64_t mem_size,
		     struct hv_err *err)
{
	image->segments = calloc(1, sizeof(*image->segments));
	if (!image->segments)
		return hv_err_nomem(err);
	image->segments[0].file_size = file_size;
	image->segments[0].mem_size = mem_size;
	image->info.n_segments = 1;
	image->info.high = mem_size;
	return 0;
}

static bool is_dtb(const uint8_t *head, size_t len)
{
	return len >= 8 && be32(head) == DTB_MAGIC;
}

static int parse_dtb(struct hv_image *image, const uint8_t *head, struct hv_err *err)
{
	uint32_t total = be32(head + 4);

	if (total > image->contents)
		return hv_err_set(err, EINVAL,
				  "truncated device tree: its header says %u bytes, there are %llu",
				  total, (unsigned long long)image->contents);
	if (total < 40)
		return hv_err_set(err, EINVAL, "damaged device tree: its header says %u bytes",
				  total);
	image->contents = image->info.gzip ? image->contents : total;
	image->info.align = 8;
	return image_set_single(image, total, total, err);
}

static int refuse_zboot(const struct hv_image *image, const uint8_t *head, struct hv_err *err)
{
	const char *kind = (const char *)head + ZBOOT_KIND_AT;
	const char *command = "<its packer> -dc";

	/* Never the file's own words: people paste this into a shell. */
	for (size_t i = 0; i < sizeof(zboot_kinds) / sizeof(*zboot_kinds); i++)
		if (strncmp(kind, zboot_kinds[i].kind, ZBOOT_KIND_LEN) == 0)
			command = zboot_kinds[i].command;
	return hv_err_set(
		err, EOPNOTSUPP,
		"is an EFI zboot image, which only firmware unpacks; get the kernel out of it: "
		"tail -c +%llu '%s' | head -c %u | %s > Image",
		(unsigned long long)le32(head + 8) + 1, image->path, le32(head + 12), command);
}

/* What AUTO does not take for raw, because loaded as it is it could not run. */
static int refuse_packed(const struct hv_image *image, const uint8_t *head, size_t len,
			 struct hv_err *err)
{
	for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++)
		if (len >= packed[i].len && len >= packed[i].at + packed[i].len2 &&
		    memcmp(head, packed[i].magic, packed[i].len) == 0 &&
		    (!packed[i].magic2 ||
		     memcmp(head + packed[i].at, packed[i].magic2, packed[i].len2) == 0))
			return hv_err_set(
				err, EOPNOTSUPP,
				"is compressed with %s, only gzip is unpacked here: run %s '%s' "
				"and name its result (or say format \"raw\" to load the bytes as "
				"they are)",
				packed[i].name, packed[i].command, image->path);
	if (len >= IMAGE_HEAD && memcmp(head, "MZ", 2) == 0 && memcmp(head + 4, "zimg", 4) == 0)
		return refuse_zboot(image, head, err);
	if (len >= UIMAGE_HEADER && be32(head) == UIMAGE_MAGIC)
		return hv_err_set(
			err, EOPNOTSUPP,
			"is a U-Boot image (uImage), whose header is no code; get the kernel out "
			"of it: tail -c +%d '%s' > Image (or say format \"raw\" to load the "
			"bytes as they are)",
			UIMAGE_HEADER + 1, image->path);
	return 0;
}

static int parse(struct hv_image *image, enum hv_image_format format, struct hv_err *err)
{
	static const char *const wanted[] = {
		[HV_IMAGE_ELF] = "an ELF file",
		[HV_IMAGE_LINUX] = "a Linux Image for arm64 or riscv64",
		[HV_IMAGE_DTB] = "a device tree blob (.dtb)",
	};
	/* Aligned as the Linux header is. */
	_Alignas(8) uint8_t head[IMAGE_HEAD] = { 0 };
	enum hv_image_format is = HV_IMAGE_RAW;
	uint64_t claim;
	size_t len;
	int rc;

	image->info.align = 1;
	image->info.arch = -1;
	image->info.format = HV_IMAGE_RAW;
	if (format == HV_IMAGE_RAW)
		return image_set_single(image, image->contents, image->contents, err);
	len = image->contents < sizeof(head) ? (size_t)image->contents : sizeof(head);
	rc = image_read_at(image, 0, head, len, err);
	if (rc)
		return rc;
	if (image_is_gzip(head, len)) {
		rc = image_gzip_claim(image, &claim, err);
		if (rc)
			return rc;
		image->info.gzip = true;
		image->contents = claim;
		len = claim < sizeof(head) ? (size_t)claim : sizeof(head);
		memset(head, 0, sizeof(head));
		rc = image_read_at(image, 0, head, len, err);
		if (rc)
			return rc;
		if (image_is_gzip(head, len))
			return hv_err_set(
				err, EOPNOTSUPP,
				"is compressed with gzip twice: unpack it once (gunzip -k)");
	}
	if (image_is_elf(head, len))
		is = HV_IMAGE_ELF;
	else if (is_dtb(head, len))
		is = HV_IMAGE_DTB;
	else if (image_is_linux(head, len))
		is = HV_IMAGE_LINUX;
	else
		rc = refuse_packed(image, head, len, err);
	if (rc)
		return rc;
	if (format != HV_IMAGE_AUTO && format != is)
		return hv_err_set(err, EINVAL, "is not %s: it starts with %02x %02x %02x %02x",
				  wanted[format], head[0], head[1], head[2], head[3]);
	image->info.format = is;
	switch (is) {
	case HV_IMAGE_ELF:
		return image_parse_elf(image, err);
	case HV_IMAGE_LINUX:
		return image_parse_linux(image, head, err);
	case HV_IMAGE_DTB:
		return parse_dtb(image, head, err);
	default:
		return image_set_single(image, image->contents, image->contents, err);
	}
}

static int open_file(struct hv_image *image, struct hv_err *err)
{
	struct hv_image_info *info = &image->info;
	struct stat st;
	off_t size;

	/* Without O_NONBLOCK a FIFO would wait for its writer. */
	image->fd = hv_opener_open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (image->fd < 0)
		return hv_err_sys(err, errno, "cannot open");
	if (fstat(image->fd, &st) < 0)
		return hv_err_sys(err, errno, "cannot stat");
	if (S_ISDIR(st.st_mode))
		return hv_err_set(err, EISDIR, "is a folder, not an image file");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return hv_err_set(err, EINVAL, "is neither a regular file nor a block device");
	size = S_ISREG(st.st_mode) ? st.st_size : lseek(image->fd, 0, SEEK_END);
	if (size < 0)
		return hv_err_sys(err, errno, "cannot find its size");
	if (size == 0)
		return hv_err_set(err, EINVAL, "is empty");
	if ((uint64_t)size > IMAGE_SIZE_MAX)
		return hv_err_set(err, EFBIG, "has %lld bytes, more than 1 TiB", (long long)size);
	info->file_size = (uint64_t)size;
	info->id_dev = st.st_dev;
	info->id_ino = st.st_ino;
	info->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	image->contents = info->file_size;
	return 0;
}

int hv_image_open(const char *path, enum hv_image_format format, struct hv_image **out,
		  struct hv_err *err)
{
	struct hv_image *image = calloc(1, sizeof(*image));
	int rc;

	if (!image)
		return hv_err_nomem(err);
	image->fd = -1;
	image->path = strdup(path);
	if (!image->path) {
		rc = hv_err_nomem(err);
		goto fail;
	}
	rc = open_file(image, err);
	if (!rc)
		rc = parse(image, format, err);
	if (rc)
		goto fail;
	image->info.segments = image->segments;
	*out = image;
	return 0;

fail:
	hv_image_close(image);
	if (err)
		hv_err_prefix(err, "%s: ", path);
	return rc;
}

void hv_image_close(struct hv_image *image)
{
	if (!image)
		return;
	if (image->fd >= 0)
		close(image->fd);
	free(image->path);
	free(image->segments);
	free(image);
}

const struct hv_image_info *hv_image_info(const struct hv_image *image)
{
	return &image->info;
}

const char *hv_image_path(const struct hv_image *image)
{
	return image->path;
}
