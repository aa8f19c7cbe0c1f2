// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>

static int missing(const struct hv_library *library, struct hv_err *err)
{
	const char *why = dlerror();

	return hv_err_set(err, ENOTSUP, "%s needs %s, which cannot be loaded (%s): install %s",
			  library->purpose, library->file, why ?: "no reason given",
			  library->package);
}

int hv_library_load(const struct hv_library *library, const struct hv_library_symbol *symbols,
		    size_t n, struct hv_err *err)
{
	void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return missing(library, err);
	for (size_t i = 0; i < n; i++) {
		int rc;

		*symbols[i].to = dlsym(handle, symbols[i].name);
		if (*symbols[i].to)
			continue;
		rc = missing(library, err);
		dlclose(handle);
		while (i--)
			*symbols[i].to = NULL;
		return rc;
	}
	return 0;
}
