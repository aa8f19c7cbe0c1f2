// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/opener.h"

/*
 * What stands behind virtio devices: files that must be there, and what two devices cannot share.
 * Whether an image is locked, or a TAP is taken, shows when it is opened, still before anything is
 * written.
 */
#define SECTOR 512

static const char *option(const struct hv_spec_device *d, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(d, key);

	return o && o->type == HV_OPT_STRING ? o->string : NULL;
}

static bool enabled(const struct hv_spec_device *d, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(d, key);

	return o && o->type == HV_OPT_BOOL && o->boolean;
}

static const struct hv_origin *origin(const struct hv_spec_device *d, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(d, key);

	return o ? &o->origin : &d->origin;
}

static bool is_type(const struct hv_spec_device *d, const char *type)
{
	return !strcmp(d->type, type);
}

/* Writes reach this file itself. */
static const char *written_file(const struct hv_spec_device *d)
{
	if (!is_type(d, "blk") || enabled(d, "readonly"))
		return NULL;
	if (option(d, "overlay"))
		return option(d, "overlay");
	return enabled(d, "snapshot") ? NULL : option(d, "image");
}

static void check_image(struct hv_check *c, const struct hv_entry *e,
			const struct hv_spec_device *d)
{
	const char *path = option(d, "image");
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;
	struct stat st;

	hv_device_what(d, what);
	if (!path)
		return;
	if (hv_opener_stat(path, &st) < 0) {
		f = hv_report(c, e, what, origin(d, "image"), HV_ERROR, "disk-image",
			      "disk image %s: %s", path, strerror(errno));
		if (errno == ENOENT)
			hv_report_fix(
				c, f,
				"make it, or name another one: paths are relative to the script");
		return;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		hv_report(c, e, what, origin(d, "image"), HV_ERROR, "disk-image",
			  "disk image %s is neither a file nor a block device", path);
	else if (hv_opener_access(path, written_file(d) == path ? R_OK | W_OK : R_OK) < 0)
		hv_report(c, e, what, origin(d, "image"), HV_ERROR, "disk-image",
			  "disk image %s: %s", path, strerror(errno));
	else if (S_ISREG(st.st_mode) && st.st_size < SECTOR)
		hv_report(c, e, what, origin(d, "image"), HV_ERROR, "disk-image",
			  "disk image %s has %lld bytes, less than one sector", path,
			  (long long)st.st_size);
	else if (S_ISREG(st.st_mode) && st.st_size % SECTOR)
		hv_report(c, e, what, origin(d, "image"), HV_WARNING, "disk-image",
			  "the last %lld bytes of disk image %s are no whole sector: the zone does "
			  "not see them",
			  (long long)(st.st_size % SECTOR), path);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	if (!strcmp(a, b))
		return true;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* The file that one of two devices writes and the other uses; NULL when there is none. */
static const char *shared_file(const struct hv_spec_device *a, const struct hv_spec_device *b)
{
	const char *w = written_file(a);
	const char *used[] = { option(b, "image"), option(b, "overlay") };

	if (!w || !is_type(b, "blk"))
		return NULL;
	for (int i = 0; i < 2; i++)
		if (used[i] && same_file(w, used[i]))
			return w;
	return NULL;
}

struct pair {
	const struct hv_entry *e, *o;
	const struct hv_spec_device *a, *b;
};

static void clash(struct hv_check *c, const struct pair *p, const char *key, const char *code,
		  const char *noun, const char *value, const char *fix)
{
	char what[HV_WHAT_TEXT], other[HV_WHAT_TEXT];
	struct hv_finding *f;

	hv_device_what(p->a, what);
	hv_device_what(p->b, other);
	f = hv_report(c, p->e, what, origin(p->a, key), HV_ERROR, code, "%s %s belongs to %s of %s",
		      noun, value, other, p->o->zone.spec->name);
	hv_report_other(c, f, p->o, other, origin(p->b, key));
	hv_report_fix(c, f, "%s", fix);
}

static void check_pair(struct hv_check *c, const struct pair *p)
{
	static const struct {
		const char *key, *code, *noun, *fix;
	} unique[] = {
		{ "tap", "tap-taken", "TAP",
		  "each network has a TAP of its own; a bridge joins them" },
		{ "mac", "mac-taken", "hardware address", "give one of them another address" },
	};
	const char *file = shared_file(p->a, p->b) ?: shared_file(p->b, p->a);
	const char *x, *y;

	if (file)
		clash(c, p, "image", "disk-shared", "disk image", file,
		      "two guests that write one disk destroy it: give each its own, or an overlay "
		      "or "
		      "snapshot of it");
	for (size_t i = 0; i < sizeof(unique) / sizeof(unique[0]); i++) {
		x = option(p->a, unique[i].key);
		y = option(p->b, unique[i].key);
		if (x && y && !strcasecmp(x, y))
			clash(c, p, unique[i].key, unique[i].code, unique[i].noun, x,
			      unique[i].fix);
	}
}

/* With all devices before it, of this zone and of those before it. */
static void check_others(struct hv_check *c, size_t entry, size_t device)
{
	struct pair p = { .e = c->set->entries[entry] };

	p.a = &p.e->zone.spec->devices[device];
	for (size_t i = 0; i <= entry; i++) {
		p.o = c->set->entries[i];
		for (size_t k = 0; k < (i == entry ? device : p.o->zone.spec->n_devices); k++) {
			p.b = &p.o->zone.spec->devices[k];
			check_pair(c, &p);
		}
	}
}

static void check_built(struct hv_check *c, const struct hv_entry *e,
			const struct hv_spec_device *d)
{
	char what[HV_WHAT_TEXT];
	struct hv_finding *f;

	if (HVSH_VIRTIO_GPU || !is_type(d, "gpu"))
		return;
	hv_device_what(d, what);
	f = hv_report(c, e, what, &d->origin, HV_ERROR, "not-built",
		      "this hvsh was built without graphics cards (VIRTIO_GPU=n)");
	hv_report_fix(c, f, "leave the device out, or build hvsh with VIRTIO_GPU=y");
}

void hv_check_devices(struct hv_check *c)
{
	for (size_t i = 0; i < c->set->n; i++) {
		const struct hv_entry *e = c->set->entries[i];

		for (size_t d = 0; d < e->zone.spec->n_devices; d++) {
			if (is_type(&e->zone.spec->devices[d], "blk"))
				check_image(c, e, &e->zone.spec->devices[d]);
			check_built(c, e, &e->zone.spec->devices[d]);
			check_others(c, i, d);
		}
	}
}
