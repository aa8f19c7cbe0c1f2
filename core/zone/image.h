/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_IMAGE_H
#define HV_ZONE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hypervisor/hypervisor.h"
#include "zone/spec.h"

/*
 * An image file, opened and understood but not read: the headers are parsed
 * from a few small reads, the contents go straight from the file to guest
 * memory when it is loaded. The file stays open in between, so what was checked is what is loaded.
 * One thread at a time. Messages begin with the path.
 */
struct hv_image;

struct hv_image_segment {
	uint64_t addr;      /* guest physical; relative to the load address when the image is position independent */
	uint64_t mem_size;  /* bytes it occupies, .bss and image_size included */
	uint64_t file_size; /* bytes that come from the file; the rest of an ELF segment is zeroed */
	uint64_t offset;    /* of those bytes in the (unpacked) file */
};

struct hv_image_info {
	enum hv_image_format format; /* what it is, never AUTO */
	bool gzip;                   /* it is unpacked when loaded; segments are of the unpacked image */
	int arch;                    /* enum hv_arch, or -1 where the format does not say */
	bool fixed;                  /* ELF: segments have addresses of their own; base is not used */
	uint64_t align;              /* load address - text_offset is a multiple of this power of two */
	uint64_t text_offset;        /* Linux: offset from an aligned base that the header asks for */
	bool has_entry;              /* ELF and Linux; raw images start where the author says */
	uint64_t entry;              /* guest physical; relative like segment addresses */
	uint64_t low, high;          /* the span of all segments: high exclusive */
	size_t n_segments;           /* at least 1 */
	const struct hv_image_segment *segments; /* by address; they do not overlap */
	uint64_t file_size;          /* as on disk */
	uint64_t id_dev, id_ino;     /* of the opened file, with size and time: "is it still the same?" */
	int64_t mtime_ns;
};

/*
 * Opens and parses. AUTO looks at the contents: gzip of any format is unpacked, what no format
 * claims is raw. RAW takes the bytes as they are, compressed or not (an initrd, a module).
 * Another value insists, on the contents of a gzip file as well.
 * Refused with a message naming the path and what would be right: not a regular file or readable
 * block device, empty, truncated headers or segments, sizes over 2^40; ELF that is 32 bit, big
 * endian, of no architecture we know or without loadable segments, segments that overlap or wrap;
 * a gzip file whose header or length cannot be right (its data is checked when loaded);
 * what is packed in another way (xz, zstd, lz4, bzip2, EFI zboot, uImage: -EOPNOTSUPP).
 */
int hv_image_open(const char *path, enum hv_image_format format, struct hv_image **image,
		  struct hv_err *err);
void hv_image_close(struct hv_image *image);
const struct hv_image_info *hv_image_info(const struct hv_image *image);
const char *hv_image_path(const struct hv_image *image);

/*
 * Loads with base added to relative addresses; phys_of translates one guest
 * range to physical (it lies in one region; -EFAULT otherwise). Nothing is written before all
 * segments translate. BSS of an ELF file is zeroed. gzip is unpacked through a bounded buffer; a
 * stream that is damaged, ends early or is longer than it claimed when opened is -EIO, and
 * nothing outside the claimed range has been written. -ESTALE when the file changed since it was
 * opened, before anything is written. progress may be NULL.
 */
typedef int hv_image_phys_fn(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys,
			     struct hv_err *err);
int hv_image_load(struct hv_image *image, uint64_t base, struct hv_hyp *hyp,
		  hv_image_phys_fn *phys_of, void *phys_arg, hv_progress_fn *progress,
		  void *progress_arg, struct hv_err *err);

/*
 * Reads a whole small file (a dtb: as long as it says) into memory the caller frees; -EFBIG over
 * max. Unpacks what hv_image_load would unpack.
 */
int hv_image_read(struct hv_image *image, uint64_t max, void **bytes, size_t *size,
		  struct hv_err *err);

#endif
