/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HV_KMOD_CONFIG_SIZE_H
#define HV_KMOD_CONFIG_SIZE_H

/*
 * HV_IOC_ZONE_START brings no size: upstream compiles its own struct into the module. Here the
 * version that hvisor reports decides. Two versions have two forms each. core/abi/layout.c says
 * what is in them; this table must agree with it. A test includes this file, too.
 */
struct hv_config_size {
	unsigned int version;
	/* 0 = none */
	unsigned int larger;
	unsigned int smaller;
	/* The forms are the same up to and with the u64 here, and throughout if that is 0. */
	unsigned int same_if_zero;
};

static const struct hv_config_size hv_config_sizes[] = {
#if defined(HV_CONFIG_ARM64)
	{ 3, 2800 },
	{ 4, 3328, 2800 },
	{ 5, 3264, 3136, 2872 },
	{ 6, 3296 },
#elif defined(HV_CONFIG_RISCV64)
	{ 3, 2744 },
	{ 4, 3272, 2744 },
	{ 5, 3208, 3080, 2816 },
	{ 6, 3208 },
#elif defined(HV_CONFIG_LOONGARCH64)
	{ 3, 2720 },
	{ 4, 3248, 2720 },
	{ 5, 3184, 3056, 2792 },
	{ 6, 3184 },
#elif defined(HV_CONFIG_X86_64)
	{ 5, 3256, 3128, 2864 },
	{ 6, 3264 },
#endif
};

/* No configuration known is near it. */
#define HV_CONFIG_SIZE_MAX 16384

#endif
