// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/blk_overlay_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/size.h"

#define MAP_COMFORT (4 * HV_MIB) /* clusters grow rather than maps beyond this */
#define MAP_ROOM 4		 /* the disk may grow to this many times its size */
#define MAP_MIN (64 * HV_KIB)
#define PRINT_BYTES (64 * HV_KIB)

int hv_overlay_pread(int fd, void *to, uint64_t len, uint64_t off)
{
	for (uint64_t done = 0; done < len;) {
		ssize_t n =
			pread(fd, (uint8_t *)to + done, (size_t)(len - done), (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += (uint64_t)n;
	}
	return 0;
}

int hv_overlay_pwrite(int fd, const void *from, uint64_t len, uint64_t off)
{
	for (uint64_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const uint8_t *)from + done, (size_t)(len - done),
				   (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static uint64_t map_needed(uint64_t bytes, unsigned int shift)
{
	uint64_t clusters = (bytes + (UINT64_C(1) << shift) - 1) >> shift;

	return (clusters + 7) / 8;
}

static uint64_t data_place(const struct hv_overlay_header *h)
{
	return hv_align_up(HV_OVERLAY_HEADER_BYTES + 2 * h->map_bytes, UINT64_C(1)
									       << h->cluster_shift);
}

int hv_overlay_header_plan(struct hv_overlay_header *h, uint64_t bytes, struct hv_err *err)
{
	unsigned int shift = HV_OVERLAY_SHIFT_MIN;
	uint64_t room;

	if (bytes > HV_OVERLAY_DISK_MAX ||
	    map_needed(bytes, HV_OVERLAY_SHIFT_MAX) > HV_OVERLAY_MAP_MAX)
		return hv_err_set(err, EFBIG,
				  "a disk of %" PRIu64 " bytes is too large for an overlay", bytes);
	while (shift < HV_OVERLAY_SHIFT_MAX && map_needed(bytes, shift) > MAP_COMFORT)
		shift++;
	room = map_needed(bytes, shift) * MAP_ROOM;
	if (room < MAP_MIN)
		room = MAP_MIN;
	if (room > HV_OVERLAY_MAP_MAX)
		room = HV_OVERLAY_MAP_MAX;
	*h = (struct hv_overlay_header){
		.version = HV_OVERLAY_VERSION,
		.cluster_shift = shift,
		.bytes = bytes,
		.map_bytes = hv_align_up(room, HV_PAGE_SIZE),
	};
	memcpy(h->magic, HV_OVERLAY_MAGIC, sizeof(h->magic));
	h->data_at = data_place(h);
	return 0;
}

static uint32_t header_crc(const struct hv_overlay_header *h)
{
	return (uint32_t)crc32(0, (const Bytef *)h, offsetof(struct hv_overlay_header, crc));
}

static bool fields_agree(const struct hv_overlay_header *h)
{
	return h->cluster_shift >= HV_OVERLAY_SHIFT_MIN &&
	       h->cluster_shift <= HV_OVERLAY_SHIFT_MAX && h->bytes && h->bytes % 512 == 0 &&
	       h->bytes <= HV_OVERLAY_DISK_MAX && h->map_bytes &&
	       h->map_bytes % HV_PAGE_SIZE == 0 && h->map_bytes <= HV_OVERLAY_MAP_MAX &&
	       map_needed(h->bytes, h->cluster_shift) <= h->map_bytes &&
	       h->data_at == data_place(h) && memchr(h->boot, '\0', sizeof(h->boot));
}

int hv_overlay_header_read(int fd, const char *path, struct hv_overlay_header *h,
			   struct hv_err *err)
{
	struct stat st;
	int rc = hv_overlay_pread(fd, h, sizeof(*h), 0);

	if (rc == -ENODATA || (!rc && memcmp(h->magic, HV_OVERLAY_MAGIC, sizeof(h->magic))))
		return hv_err_set(err, EINVAL,
				  "%s: is not an overlay; name a file that is one, or that does "
				  "not exist yet",
				  path);
	if (rc)
		return hv_err_sys(err, -rc, "%s: cannot read its header", path);
	if (h->version != HV_OVERLAY_VERSION)
		return hv_err_set(err, EINVAL,
				  "%s: is an overlay of version %" PRIu32
				  "; this hvsh knows version %u",
				  path, h->version, HV_OVERLAY_VERSION);
	if (h->crc != header_crc(h))
		return hv_err_set(err, EINVAL,
				  "%s: the overlay's header is damaged (its sum is wrong)", path);
	if (!fields_agree(h))
		return hv_err_set(err, EINVAL,
				  "%s: the overlay's header contradicts itself (%" PRIu64
				  " bytes, clusters of 2^%" PRIu32 ", maps of %" PRIu64
				  " bytes, data at %" PRIu64 ")",
				  path, h->bytes, h->cluster_shift, h->map_bytes, h->data_at);
	if (fstat(fd, &st))
		return hv_err_sys(err, errno, "%s: cannot ask for its size", path);
	if ((uint64_t)st.st_size < h->data_at + h->bytes)
		return hv_err_set(err, EINVAL,
				  "%s: the overlay was cut off: it has %jd bytes of %" PRIu64, path,
				  (intmax_t)st.st_size, h->data_at + h->bytes);
	return 0;
}

int hv_overlay_header_write(int fd, struct hv_overlay_header *h)
{
	h->crc = header_crc(h);
	return hv_overlay_pwrite(fd, h, sizeof(*h), 0);
}

int hv_overlay_base_print(const struct hv_blk_file *base, uint32_t *print, struct hv_err *err)
{
	uint64_t part = base->bytes < PRINT_BYTES ? base->bytes : PRINT_BYTES;
	const uint64_t from[] = { 0, base->bytes - part };
	uint8_t bytes[PRINT_BYTES];
	uLong crc = 0;

	for (unsigned int i = 0; i < 2; i++) {
		int rc = hv_overlay_pread(base->fd, bytes, part, from[i]);

		if (rc)
			return hv_err_sys(err, -rc, "%s: cannot read it", base->path);
		crc = crc32(crc, bytes, (uInt)part);
	}
	*print = (uint32_t)crc;
	return 0;
}

void hv_overlay_boot_id(char boot[HV_OVERLAY_BOOT_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, boot, HV_OVERLAY_BOOT_BYTES - 1);

	memset(boot + (n > 0 ? n : 0), 0, (size_t)(HV_OVERLAY_BOOT_BYTES - (n > 0 ? n : 0)));
	if (fd >= 0)
		close(fd);
}
