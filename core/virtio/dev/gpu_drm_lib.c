// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "virtio/dev/gpu_drm_priv.h"

int hv_drm_lib_open(struct hv_drm_lib *lib, const char *name, struct hv_err *err)
{
	static const char *const names[] = {
#define X(name) #name,
		HV_DRM_CALLS(X)
#undef X
	};
	void **const places[] = {
#define X(name) (void **)&lib->name,
		HV_DRM_CALLS(X)
#undef X
	};
	const char *why;

	if (!name)
		name = "libdrm.so.2";
	lib->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!lib->handle) {
		why = dlerror();
		return hv_err_set(err, ENOTSUP,
				  "%s cannot be loaded (%s): install libdrm2, or let output be "
				  "\"memory\"",
				  name, why ?: "no reason given");
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		*places[i] = dlsym(lib->handle, names[i]);
		if (*places[i])
			continue;
		hv_drm_lib_close(lib);
		return hv_err_set(err, ENOTSUP, "%s is too old: it has no %s", name, names[i]);
	}
	return 0;
}

void hv_drm_lib_close(struct hv_drm_lib *lib)
{
	if (lib->handle)
		dlclose(lib->handle);
	memset(lib, 0, sizeof(*lib));
}
