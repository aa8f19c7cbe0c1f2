// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define RTC_PERIPHERAL_ID 0xfe0
#define RTC_ID 0x31

static void test_layout(unsigned int index)
{
	struct wire_zone_info *info = &zone_infos[1];

	tap_prefix(config_page(index)->name);
	use_layout(index);
	tap(start_plain(0, GUEST_CPUS), "a zone starts and runs");
	tap_is((int64_t)order(0, CMD_ARGUMENT, 0, 0, 0, 0), GUEST_IPA + TREE_AT,
	       "x0 is its tree, at the guest's address");
	tap_is((int64_t)order(0, CMD_READ, IO_IPA + RTC_PERIPHERAL_ID, 4, 0, 0), RTC_ID,
	       "an io region is the device, at another address");
	tap_is(list(), 2, "it is listed");
	tap(info->id == 1 && info->cpus == GUEST_CPUS && !info->is_err && info->name[0] == 'g' &&
		    info->name[4] == 't' && !info->name[5],
	    "with id, CPUs and name");
	tap_is(start(1, config_of(0, GUEST_CPUS)), -EINVAL, "the id exists: EINVAL");
	tap_is(start(1, config_of(1, 1UL << 3)), -EBUSY, "its CPU is taken: EBUSY");
	tap_is((int64_t)order(0, CMD_READ, GUEST_IVC_CONTROL + 16, 4, 0, 0), 1,
	       "it is peer 1 of an IVC");
	tap_is(stop(0), 0, "it stops");
	tap_is(list(), 1, "and is gone");
}

void test_layouts(void)
{
	for (unsigned int i = 0; i < CONFIG_COUNT; i++)
		test_layout(i);
	use_layout(LAYOUT_5A);
}
