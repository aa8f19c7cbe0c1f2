// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * STATIC=1 only. What the C library can do only by loading shared libraries is refused here, in its
 * place: a root file system that has none, or those of another C library, must not be asked. Lua's
 * loader of C modules is not in use; readline is linked, and asks for users to complete ~name.
 */
#include <dlfcn.h>
#include <pwd.h>
#include <stddef.h>

#include "lua/readline.h"

extern const struct hv_readline hv_readline_linked;
const struct hv_readline hv_readline_linked = {
#define X(field, symbol) .field = &symbol,
	HV_READLINE(X)
#undef X
};

/* For dlopen, by the linker's --wrap: its own name would leave the C library's warning. */
void *__wrap_dlopen(const char *file, int mode);

void *__wrap_dlopen(const char *file, int mode)
{
	(void)file;
	(void)mode;
	return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
	(void)handle;
	(void)name;
	return NULL;
}

int dlclose(void *handle)
{
	(void)handle;
	return -1;
}

char *dlerror(void)
{
	static char message[] = "this hvsh is linked statically and loads no libraries";

	return message;
}

struct passwd *getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

struct passwd *getpwuid(uid_t uid)
{
	(void)uid;
	return NULL;
}

struct passwd *getpwent(void)
{
	return NULL;
}

void setpwent(void)
{
}

void endpwent(void)
{
}
