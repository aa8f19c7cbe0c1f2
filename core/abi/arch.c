// SPDX-License-Identifier: GPL-2.0-or-later
#include "abi/arch.h"

#include <errno.h>
#include <string.h>

const char *hv_arch_name(enum hv_arch arch)
{
	static const char *const names[HV_ARCH_COUNT] = {
		[HV_ARCH_ARM64] = "arm64",
		[HV_ARCH_RISCV64] = "riscv64",
		[HV_ARCH_LOONGARCH64] = "loongarch64",
		[HV_ARCH_X86_64] = "x86_64",
	};

	return names[arch];
}

int hv_arch_parse(const char *name)
{
	static const struct {
		const char *name;
		enum hv_arch arch;
	} words[] = {
		{ "arm64", HV_ARCH_ARM64 },
		{ "aarch64", HV_ARCH_ARM64 },
		{ "riscv64", HV_ARCH_RISCV64 },
		{ "riscv", HV_ARCH_RISCV64 },
		{ "loongarch64", HV_ARCH_LOONGARCH64 },
		{ "loongarch", HV_ARCH_LOONGARCH64 },
		{ "loong64", HV_ARCH_LOONGARCH64 },
		{ "x86_64", HV_ARCH_X86_64 },
		{ "amd64", HV_ARCH_X86_64 },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(name, words[i].name))
			return (int)words[i].arch;
	return -EINVAL;
}

enum hv_arch hv_arch_native(void)
{
#if defined(__aarch64__)
	return HV_ARCH_ARM64;
#elif defined(__riscv) && __riscv_xlen == 64
	return HV_ARCH_RISCV64;
#elif defined(__loongarch64)
	return HV_ARCH_LOONGARCH64;
#elif defined(__x86_64__)
	return HV_ARCH_X86_64;
#else
#error "hvisor does not run on this architecture"
#endif
}
