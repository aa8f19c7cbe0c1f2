// SPDX-License-Identifier: GPL-2.0-or-later
#include "abi/zone_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_TEXT 64

/* "3, 4A, 4B, 5A, 5B, 6", or the version numbers; those that exist for arch (-1 = any). */
static const char *list_layouts(int arch, bool versions, char out[LIST_TEXT])
{
	unsigned int last = 0;
	size_t len = 0;

	out[0] = '\0';
	for (enum hv_layout l = HV_LAYOUT_3; l < HV_LAYOUT_COUNT; l++) {
		unsigned int version = hv_layout_version(l);
		const char *comma = len ? ", " : "";
		int n;

		if (arch >= 0 && !hv_zone_config_size(l, (enum hv_arch)arch))
			continue;
		if (versions && version == last)
			continue;
		last = version;
		n = versions ? snprintf(out + len, LIST_TEXT - len, "%s%u", comma, version) :
			       snprintf(out + len, LIST_TEXT - len, "%s%s", comma,
					hv_layout_name(l));
		len += (size_t)n;
	}
	return out;
}

int hv_layout_parse(const char *name, struct hv_err *err)
{
	char list[LIST_TEXT];

	for (enum hv_layout l = HV_LAYOUT_3; l < HV_LAYOUT_COUNT; l++)
		if (!strcasecmp(name, hv_layout_name(l)))
			return (int)l;
	if (!strcmp(name, "4") || !strcmp(name, "5"))
		return hv_err_set(err, EINVAL,
				  "version %s names two layouts of the zone config: give %sA or %sB",
				  name, name, name);
	return hv_err_set(err, EINVAL, "'%.32s' is no layout of the zone config: there are %s",
			  name, list_layouts(-1, false, list));
}

int hv_layouts_of_version(uint64_t version, enum hv_arch arch, enum hv_layout out[2],
			  struct hv_err *err)
{
	char list[LIST_TEXT];
	int n = 0;

	for (int l = HV_LAYOUT_COUNT - 1; l >= 0; l--) {
		enum hv_layout layout = (enum hv_layout)l;

		if (n < 2 && hv_layout_version(layout) == version && hv_zone_config_size(layout, arch))
			out[n++] = layout;
	}
	if (n)
		return n;
	return hv_err_set(err, ENOTSUP,
			  "the hypervisor says zone config version %llu, which hvsh does not know for %s: "
			  "there it knows %s", (unsigned long long)version, hv_arch_name(arch),
			  list_layouts((int)arch, true, list));
}

const char *hv_region_type_name(enum hv_region_type type)
{
	static const char *const names[] = {
		[HV_REGION_RAM] = "ram",
		[HV_REGION_IO] = "io",
		[HV_REGION_VIRTIO] = "virtio",
	};

	return (unsigned int)type <= HV_REGION_VIRTIO ? names[type] : "?";
}
