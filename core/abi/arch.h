/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_ARCH_H
#define HV_ABI_ARCH_H

enum hv_arch {
	HV_ARCH_ARM64,
	HV_ARCH_RISCV64,
	HV_ARCH_LOONGARCH64,
	HV_ARCH_X86_64,
};
#define HV_ARCH_COUNT 4

/* "arm64", "riscv64", "loongarch64", "x86_64". */
const char *hv_arch_name(enum hv_arch arch);

/* Takes those names and the usual others (aarch64, riscv, loongarch, loong64, amd64); -EINVAL otherwise. */
int hv_arch_parse(const char *name);

/* The architecture this program was compiled for. */
enum hv_arch hv_arch_native(void);

#endif
