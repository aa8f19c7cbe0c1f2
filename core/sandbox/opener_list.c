// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/opener_priv.h"

#define NAMES (HV_ALLOW_TAP | HV_ALLOW_BRIDGE)

/* Where a path leads, also one whose last part does not exist yet; NULL when its folder does not.
 */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL), *folder, *out = NULL;
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;

	if (real || errno != ENOENT || !*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return real;
	folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	real = folder ? realpath(folder, NULL) : NULL;
	if (real) {
		size_t size = strlen(real) + strlen(last) + 2;

		out = malloc(size);
		if (out) {
			strcpy(out, strcmp(real, "/") != 0 ? real : "");
			strcat(out, "/");
			strcat(out, last);
		}
	}
	free(folder);
	free(real);
	return out;
}

int opener_list_add(struct opener_list *list, unsigned int what, const char *path)
{
	struct opener_entry *more;

	for (size_t i = 0; i < list->n; i++) {
		const struct opener_entry *e = &list->entries[i];

		if ((e->what & what) == what && !strcmp(e->path, path))
			return 0;
	}
	more = realloc(list->entries, (list->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	list->entries = more;
	more[list->n] = (struct opener_entry){ .what = what, .path = strdup(path) };
	if (!more[list->n].path)
		return -ENOMEM;
	if (!(what & NAMES))
		more[list->n].real = real_path(path);
	list->n++;
	return 0;
}

void opener_list_clear(struct opener_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->entries[i].path);
		free(list->entries[i].real);
	}
	free(list->entries);
	*list = (struct opener_list){ 0 };
}

static bool is_beneath(const char *real, const char *folder)
{
	size_t len = strlen(folder);

	if (!strcmp(folder, "/"))
		return true;
	return !strncmp(real, folder, len) && (!real[len] || real[len] == '/');
}

/* FILE.1, FILE.2 …: what a log was before. */
static bool is_older(const char *real, const char *file)
{
	size_t len = strlen(file);

	if (strncmp(real, file, len) != 0 || real[len] != '.' || !real[len + 1])
		return false;
	for (const char *p = real + len + 1; *p; p++)
		if (!isdigit((unsigned char)*p))
			return false;
	return true;
}

/* Can the service itself make that name lead elsewhere? */
static bool service_writes(const struct opener_list *list, const char *real)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct opener_entry *e = &list->entries[i];

		if (e->what & HV_ALLOW_WRITE && e->what & HV_ALLOW_BENEATH && e->real &&
		    is_beneath(real, e->real))
			return true;
	}
	return false;
}

bool opener_list_allows(const struct opener_list *list, unsigned int what, const char *asked,
			const char *real)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct opener_entry *e = &list->entries[i];

		if (e->what & NAMES || !(e->what & (what | HV_ALLOW_WRITE)))
			continue;
		if (e->what & HV_ALLOW_BENEATH) {
			if (e->real && is_beneath(real, e->real))
				return true;
			continue;
		}
		if (e->real && (!strcmp(real, e->real) ||
				(e->what & HV_ALLOW_WRITE && is_older(real, e->real))))
			return true;
		/* A name in /dev/disk/by-id leads to another device when it was plugged again. */
		if (!strcmp(asked, e->path) && e->path[0] == '/' &&
		    !service_writes(list, e->path) && !(e->real && service_writes(list, e->real)))
			return true;
	}
	return false;
}

bool opener_list_names(const struct opener_list *list, unsigned int what, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->entries[i].what & what && !strcmp(list->entries[i].path, name))
			return true;
	return false;
}
