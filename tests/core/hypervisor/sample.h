/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CORE_HYPERVISOR_SAMPLE_H
#define TESTS_CORE_HYPERVISOR_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "hypervisor/sim.h"

/* Shared by the tests of the seam: a small machine and a zone for it. */

#define SAMPLE_RAM UINT64_C(0x40000000)
#define SAMPLE_RAM_SIZE (1 * HV_GIB)
#define SAMPLE_HV UINT64_C(0x40400000)
#define SAMPLE_HV_SIZE (64 * HV_MIB)
#define SAMPLE_LOAD UINT64_C(0x50000000)

static inline struct hv_sim_opts sample_opts(enum hv_layout layout)
{
	static const struct hv_sim_ram ram = { SAMPLE_RAM, SAMPLE_RAM_SIZE };

	return (struct hv_sim_opts){
		.arch = HV_ARCH_ARM64,
		.layout = layout,
		.n_cpus = 4,
		.root_cpus = 0x3,
		.max_zones = 4,
		.ram = &ram,
		.n_ram = 1,
		.hypervisor = { SAMPLE_HV, SAMPLE_HV_SIZE },
	};
}

static inline struct hv_abi_zone sample_zone(uint32_t id, uint64_t cpus)
{
	struct hv_abi_zone zone = {
		.id = id,
		.cpus = cpus,
		.n_regions = 1,
		.regions = { { HV_REGION_RAM, SAMPLE_LOAD, SAMPLE_LOAD, 64 * HV_MIB } },
		.n_irqs = 2,
		.irqs = { 33, 76 },
		.entry = SAMPLE_LOAD,
		.kernel_phys = SAMPLE_LOAD,
		.kernel_size = 4096,
		.arm64 = { .gic_version = 3, .gicd_base = 0x8000000, .gicd_size = 0x10000 },
	};

	snprintf(zone.name, sizeof(zone.name), "zone%u", id);
	return zone;
}

/* Fails the test with the message when rc is not what is wanted. */
static inline void want(int rc, int expected, const struct hv_err *err)
{
	if (rc == expected)
		return;
	fail_msg("%d (%s), not %d", rc, rc < 0 && err ? err->msg : "", expected);
}

static inline void want_text(const struct hv_err *err, const char *text)
{
	if (!strstr(err->msg, text))
		fail_msg("\"%s\" lacks \"%s\"", err->msg, text);
}

/* Also checks that the message's code is that of the result. */
static inline void want_error(int rc, int code, const struct hv_err *err, const char *text)
{
	want(rc, -code, err);
	assert_int_equal(err->code, code);
	want_text(err, text);
}

#endif
