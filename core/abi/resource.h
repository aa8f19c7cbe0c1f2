/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_RESOURCE_H
#define HV_ABI_RESOURCE_H

#include "abi/ioctl.h"

/*
 * Clocks, resets and power domains that zone0 lends to zones, by /dev/hvisor. An id is
 * the index into the clocks, resets or power-domains of the tree's /hvisor_virtio_device.
 * Upstream's layouts.
 */
#define HV_RESOURCE_NAME_LEN 64

enum hv_clock_cmd {
	HV_CLOCK_COUNT = 1,
	HV_CLOCK_ATTRIBUTES = 2,
	HV_CLOCK_RATES = 3,
	HV_CLOCK_RATE_GET = 4,
	HV_CLOCK_RATE_SET = 5,
	HV_CLOCK_CONFIG_GET = 6,
	HV_CLOCK_CONFIG_SET = 7,
	HV_CLOCK_NAME = 8,
};

#define HV_CLOCK_RATES_MAX 8
#define HV_CLOCK_ON 1u /* of config: bit 0 */

struct hv_ioc_clock {
	uint32_t subcmd;
	uint32_t data_len;
	union {
		uint32_t count;
		struct {
			uint32_t id;
			uint32_t enabled;
			uint32_t parent_id; /* UINT32_MAX: not one of those lent */
			char name[HV_RESOURCE_NAME_LEN];
			uint32_t is_valid;
		} attributes;
		struct {
			uint32_t id;
			uint32_t index; /* of the first rate wanted */
			uint32_t num_rates;
			uint32_t remaining;
			uint64_t rates[HV_CLOCK_RATES_MAX]; /* Hz, ascending */
		} rates;
		struct {
			uint32_t id;
			uint64_t rate; /* Hz */
		} rate;
		struct {
			uint32_t id;
			uint32_t flags;
			uint64_t rate; /* Hz */
		} rate_set;
		struct {
			uint32_t id;
			uint32_t flags;
			uint32_t config;
			uint32_t extended;
		} config;
		struct {
			uint32_t id;
			char name[HV_RESOURCE_NAME_LEN];
		} name;
	};
};

enum hv_reset_cmd {
	HV_RESET_COUNT = 1,
	HV_RESET_RESET = 2,
};

/* As SCMI's RESET command has them. */
#define HV_RESET_PULSE (1u << 0)
#define HV_RESET_ASSERT (1u << 1) /* without PULSE: 1 asserts, 0 releases */

struct hv_ioc_reset {
	uint32_t subcmd;
	uint32_t data_len;
	union {
		uint32_t count;
		struct {
			uint32_t domain;
			uint32_t flags;
			uint32_t state;
		} reset;
	};
};

enum hv_power_cmd {
	HV_POWER_COUNT = 1,
	HV_POWER_ATTRIBUTES = 2,
	HV_POWER_STATE_SET = 3,
	HV_POWER_STATE_GET = 4,
};

#define HV_POWER_ON 0u
#define HV_POWER_OFF 0x40000000u

struct hv_ioc_power {
	uint32_t subcmd;
	uint32_t data_len;
	union {
		uint32_t count;
		struct {
			uint32_t domain;
			uint32_t flags;
			char name[HV_RESOURCE_NAME_LEN];
		} attributes;
		struct {
			uint32_t domain;
			uint32_t state;
		} state;
	};
};

#define HV_IOC_CLOCK _IOWR(1, 32, struct hv_ioc_clock)
#define HV_IOC_RESET _IOWR(1, 33, struct hv_ioc_reset)
#define HV_IOC_POWER _IOWR(1, 34, struct hv_ioc_power)

static_assert(HV_IOC_CLOCK == 0xc0580120, "upstream value");
static_assert(HV_IOC_RESET == 0xc0140121, "upstream value");
static_assert(HV_IOC_POWER == 0xc0500122, "upstream value");

#endif
