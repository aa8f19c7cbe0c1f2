// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/serve_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

/* What of served zones outlives this process, and how the next one finds it (docs/restart.md). */

/* FNV-1a, field by field. */
static uint64_t mix(uint64_t sum, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t mix_text(uint64_t sum, const char *text)
{
	return text ? mix(sum, text, strlen(text) + 1) : mix(sum, "\1", 1);
}

static uint64_t mix_option(uint64_t sum, const struct hv_spec_option *o)
{
	sum = mix_text(sum, o->key);
	sum = mix(sum, &o->type, sizeof(o->type));
	sum = mix_text(sum, o->string);
	sum = mix(sum, &o->integer, sizeof(o->integer));
	sum = mix(sum, &o->boolean, sizeof(o->boolean));
	for (size_t i = 0; i < o->n_strings; i++)
		sum = mix_text(sum, o->strings[i]);
	return o->n_ints ? mix(sum, o->ints, o->n_ints * sizeof(*o->ints)) : sum;
}

uint64_t hv_serve_digest(const struct hv_spec_device *spec)
{
	uint64_t sum = mix_text(UINT64_C(0xcbf29ce484222325), spec->type), options = 0;

	sum = mix_text(sum, spec->name);
	/* In whatever order the script has them. */
	for (size_t i = 0; i < spec->n_options; i++) {
		/* The guest sees nothing of it, and a function's name is another one in each
		 * process. */
		if (!strcmp(spec->options[i].key, "policy"))
			continue;
		options += mix_option(UINT64_C(0xcbf29ce484222325), &spec->options[i]);
	}
	return mix(sum, &options, sizeof(options));
}

uint64_t hv_serve_new_life(void)
{
	uint64_t life = 0;

	return getrandom(&life, sizeof(life), 0) == sizeof(life) ? life : 0;
}

uint64_t hv_serve_life(const struct hv_serve *serve, uint32_t zone)
{
	for (const struct hv_serve_home *h = serve->homes; h; h = h->next)
		if (h->id == zone)
			return h->life;
	return 0;
}

static struct hv_state_id identity(const struct hv_serve_home *home, const struct hv_served *dev)
{
	return (struct hv_state_id){
		.life = home->life,
		.at = dev->at,
		.size = dev->size,
		.config = dev->config,
		.zone = home->id,
		.irq = dev->irq,
	};
}

bool hv_serve_keeps(const struct hv_serve *serve, const struct hv_serve_home *home)
{
	if (!serve->state_dir || !home->life)
		return false;
	for (const struct hv_served *d = serve->devices; d; d = d->next)
		if (d->zone == home->id && (!d->dev.ops->keeps || d->dev.fleeting))
			return false;
	return true;
}

int hv_serve_keep(struct hv_serve *serve, const struct hv_serve_home *home, struct hv_served *dev)
{
	const struct hv_state_id id = identity(home, dev);
	struct hv_err err;

	if (!hv_serve_keeps(serve, home) ||
	    !hv_state_create(serve->state_dir, &id, &dev->dev, &err))
		return 0;
	hv_log_warn("%s: zone %s will notice when this service ends: %s", dev->dev.name, home->name,
		    err.msg);
	return -err.code;
}

void hv_serve_unkeep(struct hv_served *dev, bool remove)
{
	hv_state_close(dev->dev.kept, remove);
	dev->dev.kept = NULL;
}

void hv_serve_forget(struct hv_serve *serve, uint32_t zone)
{
	hv_serve_votes_end(serve, zone);
	hv_state_forget(serve->state_dir, zone);
}

/* For whoever wonders why the whole zone begins anew. */
static void say_unkept(const struct hv_serve *serve, const struct hv_serve_home *home)
{
	for (const struct hv_served *d = serve->devices; d; d = d->next) {
		char where[HV_ORIGIN_TEXT];

		if (d->zone != home->id || (d->dev.ops->keeps && !d->dev.fleeting))
			continue;
		hv_origin_format(&d->dev.origin, where);
		hv_log_warn("%s%s%s%s: a %s device%s cannot go on where an earlier service left "
			    "it, so that all devices of zone %s begin anew",
			    d->dev.name, *where ? " (" : "", where, *where ? ")" : "", d->type,
			    d->dev.fleeting ? " with a snapshot" : "", home->name);
	}
}

int hv_serve_take_up(struct hv_serve *serve, const struct hv_serve_home *home, struct hv_err *err)
{
	const char *missing = NULL;
	unsigned int found = 0;
	bool driven = false;
	int ret = 0;

	if (!hv_serve_keeps(serve, home)) {
		if (serve->state_dir && home->life)
			say_unkept(serve, home);
		return -ENOENT;
	}
	for (struct hv_served *d = serve->devices; d && !ret; d = d->next) {
		const struct hv_state_id id = identity(home, d);

		if (d->zone != home->id)
			continue;
		ret = hv_state_open(serve->state_dir, &id, &d->dev, hv_vzone_mem(home->vzone), err);
		found += !ret;
		driven |= !ret && hv_state_has_driver(d->dev.kept);
		if (ret == -ENOENT) {
			missing = d->dev.name;
			ret = 0;
		} else if (ret) {
			hv_err_prefix(err, "%s: ", d->dev.name);
			hv_serve_blame(d->dev.name, &d->dev.origin, ret, err);
		}
	}
	/* Whoever made them was killed before all were made: there is nothing to go on with. */
	if (!ret && found && missing && !driven)
		ret = -ENOENT;
	if (!ret && found && missing)
		ret = hv_err_set(err, ESTALE,
				 "%s: nothing is kept of it, though of other devices of its zone",
				 missing);
	if (!ret && !found)
		ret = -ENOENT;
	for (struct hv_served *d = serve->devices; d && ret; d = d->next)
		if (d->zone == home->id)
			hv_serve_unkeep(d, false);
	return ret;
}
