#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What kmod says of hvisor's structs agrees with core/abi, on every architecture.
. "$HVSH_TESTS/lib/tap.sh"
top=$(dirname "$HVSH_TESTS")
cd "$top" || exit 1

cat >"$work/sizes.c" <<'END'
#include <stdio.h>
#include <string.h>
#include "abi/layout.h"
#include "kmod/config_size.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Where the number of PCI devices is: the last section's count. */
static unsigned int pci_count_at(enum hv_layout layout)
{
	struct hv_wire_layout wire;

	hv_wire_layout(layout, ARCH, &wire);
	return wire.sections[wire.n_sections - 1].count_at;
}

static int check(unsigned int version, enum hv_layout first, enum hv_layout second, int shared)
{
	size_t sizes[] = { hv_zone_config_size(first, ARCH), hv_zone_config_size(second, ARCH) };
	size_t n = sizeof(hv_config_sizes) / sizeof(hv_config_sizes[0]);
	struct hv_config_size want = { version, MAX(sizes[0], sizes[1]), 0, 0 };

	if (sizes[0] != sizes[1])
		want.smaller = sizes[0] < sizes[1] ? sizes[0] : sizes[1];
	if (shared)
		want.same_if_zero = pci_count_at(first);
	for (size_t i = 0; i < n; i++) {
		const struct hv_config_size *has = &hv_config_sizes[i];

		if (has->version == version && sizes[0]) {
			if (!memcmp(has, &want, sizeof(want)) && want.larger <= HV_CONFIG_SIZE_MAX)
				return 0;
			printf("version %u: kmod has %u, %u, %u; core/abi %u, %u, %u\n", version, has->larger,
			       has->smaller, has->same_if_zero, want.larger, want.smaller, want.same_if_zero);
			return 1;
		}
	}
	if (!sizes[0])
		return 0;
	printf("version %u is missing\n", version);
	return 1;
}

int main(void)
{
	return check(3, HV_LAYOUT_3, HV_LAYOUT_3, 0) | check(4, HV_LAYOUT_4A, HV_LAYOUT_4B, 0) |
	       check(5, HV_LAYOUT_5A, HV_LAYOUT_5B, 1) | check(6, HV_LAYOUT_6, HV_LAYOUT_6, 0);
}
END
for arch in ARM64 RISCV64 LOONGARCH64 X86_64; do
	run "${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -Wno-missing-field-initializers -Icore -I. -DARCH=HV_ARCH_$arch \
		-DHV_CONFIG_$arch -fsanitize=address,undefined -o "$work/sizes" "$work/sizes.c" "$HVSH_BUILD/libhvcore.a"
	is 0 "$arch: the table compiles"
	run "$work/sizes"
	is 0 "$arch: sizes of zone configurations are those of core/abi"
done

# Kernel and user space include the same headers; their own assertions hold upstream's values.
for header in bridge ioctl ivc resource; do
	echo "#include \"abi/$header.h\"" >"$work/header.c"
	run "${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -Icore -c -o /dev/null "$work/header.c"
	is 0 "abi/$header.h stands alone in user space"
done
run grep -rnE '_IO[RW]*\(|0x[0-9a-f]*01[0-9a-f]{2}\b' kmod --include='*.[ch]'
out_is "" "kmod has no request value of its own"
run "${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -Icore -fsyntax-only tests/system/ioctl_probe.c
is 0 "the probe of the system test compiles"
finish
