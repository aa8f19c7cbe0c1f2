// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox/caps.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS _LINUX_CAPABILITY_U32S_3

static int get(struct __user_cap_data_struct data[WORDS])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &head, data) ? -errno : 0;
}

int hv_caps_keep(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[WORDS];
	int rc = get(data);

	if (rc)
		return rc;
	for (unsigned int i = 0; i < WORDS; i++) {
		uint32_t word = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= word;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	/* Kernels before 4.3 have no ambient ones. */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

uint64_t hv_caps_have(void)
{
	struct __user_cap_data_struct data[WORDS];

	return get(data) ? 0 : data[0].effective | (uint64_t)data[1].effective << 32;
}
