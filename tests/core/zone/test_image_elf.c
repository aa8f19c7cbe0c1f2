// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image_box.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

#define VIRT UINT64_C(0xffff800080000000)
#define TEXT_SIZE 0x1100
#define DATA_SIZE 0x200
#define DATA_MEM 0x3000

/* A program with text, data with .bss, and program headers that do not count; addresses as the zone
 * sees them. */
struct program {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[4];
	uint8_t text[TEXT_SIZE];
	uint8_t data[DATA_SIZE];
};

static void make(struct program *p, uint64_t phys)
{
	uint8_t *bytes = box_noise(TEXT_SIZE + DATA_SIZE);

	memset(p, 0, sizeof(*p));
	memcpy(p->eh.e_ident, ELFMAG, SELFMAG);
	p->eh.e_ident[EI_CLASS] = ELFCLASS64;
	p->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	p->eh.e_type = ET_EXEC;
	p->eh.e_machine = EM_AARCH64;
	p->eh.e_entry = VIRT + 0x40;
	p->eh.e_phoff = offsetof(struct program, ph);
	p->eh.e_phentsize = sizeof(Elf64_Phdr);
	p->eh.e_phnum = 4;
	/* Not in the order of addresses. */
	p->ph[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct program, data),
		.p_vaddr = VIRT + 0x10000,
		.p_paddr = phys + 0x10000,
		.p_filesz = DATA_SIZE,
		.p_memsz = DATA_MEM,
	};
	p->ph[1] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = offsetof(struct program, text),
		.p_vaddr = VIRT,
		.p_paddr = phys,
		.p_filesz = TEXT_SIZE,
		.p_memsz = TEXT_SIZE,
	};
	p->ph[2] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = UINT64_MAX, .p_paddr = phys };
	p->ph[3] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = UINT64_MAX, .p_filesz = 9 };
	memcpy(p->text, bytes, TEXT_SIZE);
	memcpy(p->data, bytes + TEXT_SIZE, DATA_SIZE);
	free(bytes);
}

static void test_loads(void **state)
{
	static const uint8_t zeroes[DATA_MEM];
	const uint64_t ipa = BOX_RAM - BOX_SHIFT + 0x100000, phys = BOX_RAM + 0x100000;
	const struct hv_image_info *info;
	struct hv_image *image;
	struct program p;
	struct hv_err err;

	(void)state;
	make(&p, ipa);
	for (int gz = 0; gz < 2; gz++) {
		if (gz)
			box_write_gzip(&p, sizeof(p));
		else
			box_write(&p, sizeof(p));
		box_fill();
		image = box_open(HV_IMAGE_AUTO);
		info = hv_image_info(image);
		assert_int_equal(info->format, HV_IMAGE_ELF);
		assert_int_equal(info->gzip, gz);
		assert_int_equal(info->arch, HV_ARCH_ARM64);
		assert_true(info->fixed && info->has_entry);
		assert_int_equal(info->entry, ipa + 0x40);
		assert_int_equal(info->low, ipa);
		assert_int_equal(info->high, ipa + 0x10000 + DATA_MEM);
		assert_int_equal(info->n_segments, 2);
		assert_int_equal(info->segments[0].addr, ipa);
		assert_int_equal(info->segments[1].addr, ipa + 0x10000);
		assert_int_equal(info->segments[1].mem_size, DATA_MEM);
		assert_int_equal(info->segments[1].file_size, DATA_SIZE);
		/* It has addresses of its own: the base does not move it. */
		assert_int_equal(
			hv_image_load(image, 0x1000, box_hyp, box_phys_of, NULL, NULL, NULL, &err),
			0);
		box_assert_ram(phys, p.text, TEXT_SIZE);
		box_assert_ram(phys + 0x10000, p.data, DATA_SIZE);
		box_assert_ram(phys + 0x10000 + DATA_SIZE, zeroes, DATA_MEM - DATA_SIZE);
		box_assert_untouched(BOX_RAM, 0x100000);
		box_assert_untouched(phys + TEXT_SIZE, 0x10000 - TEXT_SIZE);
		box_assert_untouched(phys + 0x10000 + DATA_MEM, 0x1000);
		hv_image_close(image);
	}
}

static void test_nothing_written_before_all_translates(void **state)
{
	const uint64_t ipa = BOX_RAM - BOX_SHIFT;
	struct hv_image *image;
	struct program p;
	struct hv_err err;

	(void)state;
	make(&p, ipa);
	p.ph[0].p_paddr = ipa + BOX_RAM_SIZE;
	for (int gz = 0; gz < 2; gz++) {
		if (gz)
			box_write_gzip(&p, sizeof(p));
		else
			box_write(&p, sizeof(p));
		box_fill();
		image = box_open(HV_IMAGE_AUTO);
		assert_int_equal(
			hv_image_load(image, 0, box_hyp, box_phys_of, NULL, NULL, NULL, &err),
			-EFAULT);
		assert_non_null(strstr(err.msg, "no memory at"));
		box_assert_untouched(BOX_RAM, BOX_RAM_SIZE);
		hv_image_close(image);
	}
}

static void check_entry(const struct program *p, int arch, bool has_entry, uint64_t entry,
			uint64_t low)
{
	const struct hv_image_info *info;
	struct hv_image *image;

	box_write(p, sizeof(*p));
	image = box_open(HV_IMAGE_ELF);
	info = hv_image_info(image);
	assert_int_equal(info->arch, arch);
	assert_int_equal(info->has_entry, has_entry);
	assert_int_equal(info->entry, entry);
	assert_int_equal(info->low, low);
	hv_image_close(image);
}

static void test_entry_and_machines(void **state)
{
	struct program p;

	(void)state;
	make(&p, 0x80000000);
	p.eh.e_entry = VIRT + 0x10004;
	check_entry(&p, HV_ARCH_ARM64, true, 0x80010004, 0x80000000);
	p.eh.e_machine = EM_RISCV;
	p.eh.e_entry = 0x80000010;
	check_entry(&p, HV_ARCH_RISCV64, true, 0x80000010, 0x80000000);
	p.eh.e_machine = EM_X86_64;
	p.eh.e_type = ET_DYN;
	p.eh.e_entry = 0;
	check_entry(&p, HV_ARCH_X86_64, false, 0, 0x80000000);
	p.eh.e_machine = EM_LOONGARCH;
	p.ph[0].p_paddr = p.ph[0].p_vaddr = UINT64_C(0x9000000000210000);
	p.ph[1].p_paddr = p.ph[1].p_vaddr = UINT64_C(0x9000000000200000);
	p.eh.e_entry = UINT64_C(0x9000000000200100);
	check_entry(&p, HV_ARCH_LOONGARCH64, true, 0x200100, 0x200000);
	p.eh.e_entry = 0x200100;
	check_entry(&p, HV_ARCH_LOONGARCH64, true, 0x200100, 0x200000);
}

static void test_refusals(void **state)
{
	static const struct {
		size_t at, size;
		uint64_t value;
		const char *says;
	} cases[] = {
#define EH(field) offsetof(struct program, eh.field), sizeof(((struct program *)0)->eh.field)
#define PH(i, field)                                                                               \
	offsetof(struct program, ph[i].field), sizeof(((struct program *)0)->ph[i].field)
		{ EI_CLASS, 1, ELFCLASS32, "32-bit ELF file" },
		{ EI_CLASS, 1, 7, "damaged ELF file; a zone's must be 64 bit" },
		{ EI_DATA, 1, ELFDATA2MSB, "big-endian" },
		{ EH(e_machine), EM_386, "machine 3; known are arm64" },
		{ EH(e_type), ET_REL, "is no program" },
		{ EH(e_type), ET_CORE, "is no program" },
		{ EH(e_phnum), PN_XNUM, "more than 512 program headers" },
		{ EH(e_phnum), 513, "more than 512" },
		{ EH(e_phnum), 0, "without program headers" },
		{ EH(e_phnum), 512, "512 program headers at offset 0x40" },
		{ EH(e_phentsize), 32, "headers of 32 bytes" },
		{ EH(e_phoff), UINT64_MAX, "truncated" },
		{ EH(e_phoff), sizeof(struct program) - 100, "truncated" },
		{ EH(e_entry), 0x1234, "entry point 0x1234 lies in none" },
		{ PH(0, p_filesz), DATA_MEM + 1, "more bytes in the file (0x3001)" },
		{ PH(0, p_offset), sizeof(struct program) - 1, "segment 0 needs 0x200 bytes" },
		{ PH(0, p_offset), UINT64_MAX - 8, "truncated ELF file: segment 0" },
		{ PH(0, p_memsz), UINT64_C(1) << 41, "larger than any memory" },
		{ PH(0, p_paddr), UINT64_MAX - 0x100, "larger than any memory" },
		{ PH(0, p_paddr), 0x80000000 + TEXT_SIZE - 1, "overlap in memory" },
		{ PH(0, p_paddr), 0x80000000 - DATA_MEM + 1, "overlap in memory" },
		{ PH(0, p_paddr), 0x80000000, "overlap in memory" },
	};
	struct program p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		make(&p, 0x80000000);
		memcpy((char *)&p + cases[i].at, &cases[i].value, cases[i].size);
		box_write(&p, sizeof(p));
		box_refused(EINVAL, cases[i].says);
		box_write_gzip(&p, sizeof(p));
		box_refused(EINVAL, cases[i].says);
	}
	make(&p, 0x80000000);
	p.ph[0].p_memsz = p.ph[0].p_filesz = p.ph[1].p_memsz = 0;
	box_write(&p, sizeof(p));
	box_refused(EINVAL, "without loadable segments");
	/* Neighbours may touch. */
	make(&p, 0x80000000);
	p.ph[0].p_paddr = 0x80000000 + TEXT_SIZE;
	box_write(&p, sizeof(p));
	hv_image_close(box_open(HV_IMAGE_ELF));
}

static void test_truncated_anywhere(void **state)
{
	struct program p;
	struct hv_image *image;
	struct hv_err err;

	(void)state;
	make(&p, 0x80000000);
	for (size_t n = 4; n < sizeof(p); n++) {
		box_write(&p, n);
		if (hv_image_open(box_path, HV_IMAGE_AUTO, &image, &err) != -EINVAL)
			fail_msg("%zu bytes are accepted", n);
	}
}

static void test_headers_far_inside_gzip(void **state)
{
	const size_t far = (1 << 20) + 4096, near = (1 << 20) - 4096;
	uint8_t *bytes = calloc(1, far + sizeof(struct program));
	struct program p;

	(void)state;
	make(&p, 0x80000000);
	p.eh.e_phoff = near;
	memcpy(bytes, &p, sizeof(p));
	memcpy(bytes + near, p.ph, sizeof(p.ph));
	box_write_gzip(bytes, far + sizeof(p));
	hv_image_close(box_open(HV_IMAGE_ELF));
	p.eh.e_phoff = far;
	memcpy(bytes, &p, sizeof(p));
	memcpy(bytes + far, p.ph, sizeof(p.ph));
	box_write_gzip(bytes, far + sizeof(p));
	box_refused(EINVAL, "too far to look for: unpack the file first");
	/* Not packed, anywhere will do. */
	box_write(bytes, far + sizeof(p));
	hv_image_close(box_open(HV_IMAGE_ELF));
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_nothing_written_before_all_translates),
		cmocka_unit_test(test_entry_and_machines),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_truncated_anywhere),
		cmocka_unit_test(test_headers_far_inside_gzip),
	};

	return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
