// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/image_priv.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* The header of arm64 and riscv `Image` files
 * (Documentation/arch/{arm64/booting,riscv/boot-image-header}.rst). */
struct linux_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size;
	uint64_t flags;
	uint64_t reserved[2];
	uint8_t magic[8];  /* riscv: "RISCV" */
	uint8_t magic2[4]; /* "ARM\x64", "RSC\x05" */
	uint32_t pe_offset;
};
_Static_assert(sizeof(struct linux_header) == IMAGE_HEAD, "64 bytes");

#define BASE_ALIGN (UINT64_C(2) << 20)
/* Kernels before 3.17 left image_size 0 and meant this text_offset. */
#define OLD_ARM64_TEXT_OFFSET 0x80000

static int arch_of(const uint8_t *head)
{
	const struct linux_header *h = (const void *)head;

	if (memcmp(h->magic2, "ARM\x64", 4) == 0)
		return HV_ARCH_ARM64;
	if (memcmp(h->magic2, "RSC\x05", 4) == 0 && memcmp(h->magic, "RISCV\0\0\0", 8) == 0)
		return HV_ARCH_RISCV64;
	return -1;
}

bool image_is_linux(const uint8_t *head, size_t len)
{
	return len >= sizeof(struct linux_header) && arch_of(head) >= 0;
}

int image_parse_linux(struct hv_image *image, const uint8_t *head, struct hv_err *err)
{
	struct linux_header h;
	uint64_t text_offset, image_size;

	memcpy(&h, head, sizeof(h));
	text_offset = le64toh(h.text_offset);
	image_size = le64toh(h.image_size);
	image->info.arch = arch_of(head);
	if (image->info.arch == HV_ARCH_ARM64 && image_size == 0)
		text_offset = OLD_ARM64_TEXT_OFFSET;
	if (image_size > IMAGE_SIZE_MAX || text_offset > IMAGE_SIZE_MAX)
		return hv_err_set(
			err, EINVAL,
			"damaged Linux Image: its header asks for %#llx bytes at offset %#llx",
			(unsigned long long)image_size, (unsigned long long)text_offset);
	image->info.align = BASE_ALIGN;
	image->info.text_offset = text_offset;
	image->info.has_entry = true;
	return image_set_single(image, image->contents,
				image_size > image->contents ? image_size : image->contents, err);
}
