// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/image_priv.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

/* Far more than any kernel has; keeps the table of a hostile file small. */
#define PROGRAM_HEADERS_MAX 512

static const struct {
	uint16_t machine;
	enum hv_arch arch;
} machines[] = {
	{ EM_AARCH64, HV_ARCH_ARM64 },
	{ EM_RISCV, HV_ARCH_RISCV64 },
	{ EM_LOONGARCH, HV_ARCH_LOONGARCH64 },
	{ EM_X86_64, HV_ARCH_X86_64 },
};

bool image_is_elf(const uint8_t *head, size_t len)
{
	return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static int check_header(struct hv_image *image, const Elf64_Ehdr *eh, struct hv_err *err)
{
	uint16_t machine = le16toh(eh->e_machine), type = le16toh(eh->e_type);

	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return hv_err_set(
			err, EINVAL,
			"%s ELF file; a zone's must be 64 bit (objcopy -O binary makes a raw "
			"image of it)",
			eh->e_ident[EI_CLASS] == ELFCLASS32 ? "32-bit" : "damaged");
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return hv_err_set(err, EINVAL,
				  "big-endian ELF file; a zone's must be little endian");
	image->info.arch = -1;
	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		if (machines[i].machine == machine)
			image->info.arch = machines[i].arch;
	if (image->info.arch < 0)
		return hv_err_set(err, EINVAL,
				  "ELF file for machine %u; known are arm64 (183), riscv64 (243), "
				  "loongarch64 (258) and x86_64 (62)",
				  machine);
	if (type != ET_EXEC && type != ET_DYN)
		return hv_err_set(
			err, EINVAL,
			"ELF file of type %u is no program: link it (an executable has type 2)",
			type);
	if (le16toh(eh->e_phnum) == PN_XNUM || le16toh(eh->e_phnum) > PROGRAM_HEADERS_MAX)
		return hv_err_set(err, EINVAL, "ELF file with more than %d program headers",
				  PROGRAM_HEADERS_MAX);
	if (le16toh(eh->e_phnum) == 0)
		return hv_err_set(err, EINVAL, "ELF file without program headers: nothing to load");
	if (le16toh(eh->e_phentsize) != sizeof(Elf64_Phdr))
		return hv_err_set(err, EINVAL,
				  "damaged ELF file: program headers of %u bytes, not %zu",
				  le16toh(eh->e_phentsize), sizeof(Elf64_Phdr));
	return 0;
}

/*
 * loongarch64 kernels are linked at the direct-mapped windows 0x8… and 0x9…
 * and give these as physical addresses; the window is not part of the address.
 */
static uint64_t physical(const struct hv_image *image, uint64_t addr)
{
	uint64_t window = addr >> 60;

	if (image->info.arch == HV_ARCH_LOONGARCH64 && (window == 8 || window == 9))
		return addr & ((UINT64_C(1) << 48) - 1);
	return addr;
}

static int add_segment(struct hv_image *image, const Elf64_Phdr *ph, unsigned int i,
		       struct hv_err *err)
{
	struct hv_image_segment seg = {
		.addr = physical(image, le64toh(ph->p_paddr)),
		.mem_size = le64toh(ph->p_memsz),
		.file_size = le64toh(ph->p_filesz),
		.offset = le64toh(ph->p_offset),
	};
	uint64_t end;

	if (seg.file_size > seg.mem_size)
		return hv_err_set(
			err, EINVAL,
			"damaged ELF file: segment %u has more bytes in the file (%#llx) than "
			"in memory (%#llx)",
			i, (unsigned long long)seg.file_size, (unsigned long long)seg.mem_size);
	if (seg.mem_size > IMAGE_SIZE_MAX || __builtin_add_overflow(seg.addr, seg.mem_size, &end))
		return hv_err_set(
			err, EINVAL,
			"damaged ELF file: segment %u, %#llx bytes at %#llx, is larger than any "
			"memory",
			i, (unsigned long long)seg.mem_size, (unsigned long long)seg.addr);
	if (seg.file_size > 0 &&
	    (seg.offset > image->contents || seg.file_size > image->contents - seg.offset))
		return hv_err_set(
			err, EINVAL,
			"truncated ELF file: segment %u needs %#llx bytes from offset %#llx, the "
			"%s has %#llx",
			i, (unsigned long long)seg.file_size, (unsigned long long)seg.offset,
			image->info.gzip ? "unpacked file" : "file",
			(unsigned long long)image->contents);
	image->segments[image->info.n_segments++] = seg;
	return 0;
}

static bool holds(uint64_t start, uint64_t size, uint64_t addr)
{
	return addr >= start && addr - start < size;
}

/* e_entry is virtual; kernels without an MMU's view of themselves give a physical one. */
static int find_entry(struct hv_image *image, const Elf64_Phdr *ph, unsigned int n, uint64_t entry,
		      struct hv_err *err)
{
	uint64_t start;

	for (unsigned int i = 0; i < n; i++) {
		start = le64toh(ph[i].p_vaddr);
		if (le32toh(ph[i].p_type) == PT_LOAD &&
		    holds(start, le64toh(ph[i].p_memsz), entry)) {
			image->info.entry =
				physical(image, le64toh(ph[i].p_paddr)) + (entry - start);
			image->info.has_entry = true;
			return 0;
		}
	}
	for (size_t i = 0; i < image->info.n_segments; i++)
		if (holds(image->segments[i].addr, image->segments[i].mem_size,
			  physical(image, entry))) {
			image->info.entry = physical(image, entry);
			image->info.has_entry = true;
			return 0;
		}
	/* Linkers write 0 for "none". */
	if (entry == 0)
		return 0;
	return hv_err_set(err, EINVAL,
			  "ELF file whose entry point %#llx lies in none of its segments",
			  (unsigned long long)entry);
}

static int by_address(const void *a, const void *b)
{
	const struct hv_image_segment *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int check_segments(struct hv_image *image, struct hv_err *err)
{
	const struct hv_image_segment *a, *b;
	struct hv_image_info *info = &image->info;

	qsort(image->segments, info->n_segments, sizeof(*image->segments), by_address);
	for (size_t i = 1; i < info->n_segments; i++) {
		a = &image->segments[i - 1];
		b = &image->segments[i];
		if (b->addr - a->addr < a->mem_size)
			return hv_err_set(
				err, EINVAL,
				"ELF segments overlap in memory: %#llx+%#llx and %#llx+%#llx "
				"(physical addresses; see readelf -l)",
				(unsigned long long)a->addr, (unsigned long long)a->mem_size,
				(unsigned long long)b->addr, (unsigned long long)b->mem_size);
	}
	info->low = image->segments[0].addr;
	info->high = image->segments[info->n_segments - 1].addr +
		     image->segments[info->n_segments - 1].mem_size;
	return 0;
}

int image_parse_elf(struct hv_image *image, struct hv_err *err)
{
	unsigned int n;
	Elf64_Phdr *ph = NULL;
	Elf64_Ehdr eh;
	int rc;

	if (image->contents < sizeof(eh))
		return hv_err_set(err, EINVAL, "truncated ELF file: %llu bytes, its header has %zu",
				  (unsigned long long)image->contents, sizeof(eh));
	rc = image_read_at(image, 0, &eh, sizeof(eh), err);
	if (!rc)
		rc = check_header(image, &eh, err);
	if (rc)
		return rc;
	n = le16toh(eh.e_phnum);
	if (le64toh(eh.e_phoff) > image->contents ||
	    n * sizeof(*ph) > image->contents - le64toh(eh.e_phoff))
		return hv_err_set(
			err, EINVAL,
			"truncated ELF file: %u program headers at offset %#llx, the file has "
			"%#llx bytes",
			n, (unsigned long long)le64toh(eh.e_phoff),
			(unsigned long long)image->contents);
	ph = calloc(n, sizeof(*ph));
	image->segments = calloc(n, sizeof(*image->segments));
	if (!ph || !image->segments) {
		rc = hv_err_nomem(err);
		goto out;
	}
	rc = image_read_at(image, le64toh(eh.e_phoff), ph, n * sizeof(*ph), err);
	for (unsigned int i = 0; i < n && !rc; i++)
		if (le32toh(ph[i].p_type) == PT_LOAD && ph[i].p_memsz != 0)
			rc = add_segment(image, &ph[i], i, err);
	if (rc)
		goto out;
	if (image->info.n_segments == 0) {
		rc = hv_err_set(err, EINVAL, "ELF file without loadable segments: nothing to load");
		goto out;
	}
	image->info.fixed = true;
	rc = check_segments(image, err);
	if (!rc)
		rc = find_entry(image, ph, n, le64toh(eh.e_entry), err);
out:
	free(ph);
	return rc;
}
