// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/spec.h"

#include <string.h>

const struct hv_spec_option *hv_spec_option(const struct hv_spec_device *dev, const char *key)
{
	for (size_t i = 0; i < dev->n_options; i++)
		if (!strcmp(dev->options[i].key, key))
			return &dev->options[i];
	return NULL;
}
