// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/console.h"
#include "zone/serve_priv.h"
#include "zone/zone.h"

/* Events are under way when their device, or all of this, goes: they look it up by its serial. */
static struct hv_serve *live;
static uint64_t last_serial;

int hv_serve_new(struct hv_hyp *hyp, const struct hv_serve_opts *opts, struct hv_serve **out,
		 struct hv_err *err)
{
	struct hv_serve *serve = calloc(1, sizeof(*serve));

	if (!serve)
		return hv_err_nomem(err);
	if (opts->lock_path)
		serve->lock_path = strdup(opts->lock_path);
	if (opts->state_dir)
		serve->state_dir = strdup(opts->state_dir);
	if (!serve->lock_path != !opts->lock_path || !serve->state_dir != !opts->state_dir) {
		free(serve->lock_path);
		free(serve->state_dir);
		free(serve);
		return hv_err_nomem(err);
	}
	serve->hyp = hyp;
	serve->loop = opts->loop;
	serve->event = opts->event;
	serve->ended = opts->ended;
	serve->made = opts->made;
	serve->event_arg = opts->event_arg;
	serve->harmless = opts->harmless;
	serve->next = live;
	live = serve;
	*out = serve;
	return 0;
}

/* ---- events */

struct event {
	uint64_t serial;
	enum hv_vdev_event event;
	bool has_message;
	char message[HV_ERR_MSG_MAX];
};

static void tell(struct hv_served *dev, enum hv_vdev_event event, const char *message)
{
	if (dev->serve->event)
		dev->serve->event(dev, event, message, dev->serve->event_arg);
}

static void on_event(struct hv_loop *loop, const void *data, size_t size)
{
	const struct event *e = data;
	struct hv_served *dev = NULL;

	(void)loop;
	(void)size;
	for (struct hv_serve *s = live; s && !dev; s = s->next)
		dev = hv_serve_by_serial(s, e->serial);
	if (dev)
		tell(dev, e->event, e->has_message ? e->message : NULL);
}

static void on_input(struct hv_loop *loop, struct hv_post *post)
{
	struct hv_served *dev = post->arg;

	(void)loop;
	if (!strcmp(dev->type, "console"))
		hv_console_collect(&dev->dev);
	tell(dev, HV_EV_INPUT, NULL);
}

static struct hv_served *served_of(struct hv_vdev *dev)
{
	return (struct hv_served *)((char *)dev - offsetof(struct hv_served, dev));
}

/* Any thread. Output of a console comes often and says nothing but "look". */
static void post_event(struct hv_vdev *vdev, enum hv_vdev_event event, const char *message,
		       void *arg)
{
	struct hv_served *dev = served_of(vdev);
	struct event e = { .serial = dev->serial, .event = event };

	(void)arg;
	if (event == HV_EV_INPUT) {
		hv_loop_post(dev->serve->loop, &dev->input);
		return;
	}
	e.has_message = message != NULL;
	snprintf(e.message, sizeof(e.message), "%s", message ?: "");
	/* The log has the line already; only listeners miss it. */
	(void)hv_loop_send(dev->serve->loop, on_event, &e,
			   offsetof(struct event, message) + strlen(e.message) + 1);
}

/* ---- the bridge */

static int need_service(struct hv_serve *serve, struct hv_err *err)
{
	const struct hv_service_opts opts = {
		.lock_path = serve->lock_path,
		.state_dir = serve->state_dir,
		.event = post_event,
	};

	int ret;

	if (serve->service)
		return 0;
	ret = hv_service_new(serve->hyp, &opts, &serve->service, err);
	if (!ret)
		hv_serve_votes_begin(serve);
	if (ret == -EBUSY)
		hv_err_set(err, EBUSY, "%s: hvsh apply hands it the zones of a script", err->msg);
	return ret;
}

/* ---- devices */

static void free_device(struct hv_served *dev)
{
	hv_loop_unpost(dev->serve->loop, &dev->input);
	hv_arena_free(dev->arena);
	free(dev);
}

static int copy_device(struct hv_served *dev, const struct hv_serve_home *home,
		       const struct hv_spec_device *spec)
{
	dev->zone = home->id;
	dev->zone_name = hv_arena_strdup(dev->arena, home->name);
	dev->name = hv_arena_strdup(dev->arena, spec->name);
	dev->type = hv_arena_strdup(dev->arena, spec->type);
	dev->dev.origin = (struct hv_origin){
		.file = hv_arena_strdup(dev->arena, spec->origin.file),
		.line = spec->origin.line,
		.field = hv_arena_strdup(dev->arena, spec->origin.field),
	};
	if (!dev->zone_name || !dev->name || !dev->type ||
	    !dev->dev.origin.file != !spec->origin.file ||
	    !dev->dev.origin.field != !spec->origin.field)
		return -ENOMEM;
	return 0;
}

static void end_device(struct hv_served *dev)
{
	struct hv_serve *serve = dev->serve;

	for (struct hv_served **at = &serve->devices; *at; at = &(*at)->next)
		if (*at == dev) {
			*at = dev->next;
			break;
		}
	if (serve->service)
		hv_service_detach(serve->service, &dev->dev);
	hv_serve_unkeep(dev, !serve->left);
	if (serve->ended)
		serve->ended(dev, serve->event_arg);
	hv_vdev_destroy(&dev->dev);
	free_device(dev);
}

/* Makes a device of a zone; it is listed, but in no window yet. */
static int make_device(struct hv_serve *serve, const struct hv_serve_home *home,
		       const struct hv_spec_device *spec, const struct hv_serve_window *window,
		       struct hv_served **out, struct hv_err *err)
{
	struct hv_served *dev = calloc(1, sizeof(*dev)), **end = &serve->devices;
	const char *name;
	int ret;

	if (!dev)
		return hv_err_nomem(err);
	dev->serve = serve;
	dev->input = (struct hv_post){ .fn = on_input, .arg = dev };
	dev->at = window->at;
	dev->size = window->size;
	dev->irq = window->irq;
	dev->config = hv_serve_digest(spec);
	dev->arena = hv_arena_new();
	name = dev->arena ? hv_arena_printf(dev->arena, "%s/%s", home->name, spec->name) : NULL;
	ret = !name || copy_device(dev, home, spec) ? hv_err_nomem(err)
						    : hv_serve_make(serve, dev, name, spec, err);
	if (ret < 0) {
		free_device(dev);
		return ret;
	}
	dev->serial = ++last_serial;
	while (*end)
		end = &(*end)->next;
	*end = dev;
	ret = serve->made ? serve->made(dev, spec, serve->event_arg, err) : 0;
	if (ret < 0) {
		end_device(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

int hv_serve_blame(const char *name, const struct hv_origin *origin, int ret, struct hv_err *err)
{
	char where[HV_ORIGIN_TEXT];
	size_t len = strlen(name);

	if (ret >= 0 || !*hv_origin_format(origin, where) || strncmp(err->msg, name, len) != 0)
		return ret;
	return hv_err_set(err, err->code, "%s (%s)%s", name, where, err->msg + len);
}

/* ---- zones */

struct hv_serve_home *hv_serve_home(const struct hv_serve *serve, uint32_t zone)
{
	struct hv_serve_home *home = serve->homes;

	while (home && home->id != zone)
		home = home->next;
	return home;
}

static struct hv_serve_home *copy_zone(const struct hv_serve_zone *zone)
{
	struct hv_arena *arena = hv_arena_new();
	struct hv_serve_home *home = arena ? hv_arena_alloc(arena, sizeof(*home)) : NULL;

	if (!home)
		goto fail;
	home->arena = arena;
	home->id = zone->id;
	home->cpus = zone->cpus;
	home->standing = zone->standing;
	home->life = zone->standing ? 0 : hv_serve_new_life();
	home->name = hv_arena_strdup(arena, zone->name);
	home->n_ram = zone->n_ram;
	home->ram = hv_arena_array(arena, zone->n_ram, sizeof(*home->ram));
	home->n_windows = zone->n_slots;
	home->windows = hv_arena_array(arena, zone->n_slots, sizeof(*home->windows));
	if (!home->name || (zone->n_ram && !home->ram) || (zone->n_slots && !home->windows))
		goto fail;
	if (zone->n_ram)
		memcpy(home->ram, zone->ram, zone->n_ram * sizeof(*home->ram));
	for (size_t i = 0; i < zone->n_slots; i++)
		home->windows[i] = (struct hv_serve_window){
			.at = zone->slots[i].at,
			.size = zone->slots[i].size,
			.irq = zone->slots[i].irq,
		};
	return home;
fail:
	hv_arena_free(arena);
	return NULL;
}

int hv_serve_open(struct hv_serve *serve, const struct hv_serve_zone *zone, struct hv_err *err)
{
	struct hv_serve_home *home;
	struct hv_served *dev;
	int ret = 0;

	if (hv_serve_home(serve, zone->id))
		return hv_err_set(err, EEXIST, "zone %s is served already", zone->name);
	home = copy_zone(zone);
	if (!home)
		return hv_err_nomem(err);
	home->next = serve->homes;
	serve->homes = home;
	for (size_t i = 0; i < zone->n_slots && !ret; i++) {
		ret = need_service(serve, err);
		if (!ret && !hv_spec_is_slot(zone->slots[i].spec))
			ret = make_device(serve, home, zone->slots[i].spec, &home->windows[i], &dev,
					  err);
	}
	if (ret)
		hv_serve_drop(serve, zone->id);
	return ret;
}

int hv_serve_open_zone(struct hv_serve *serve, const struct hv_zone *zone, struct hv_err *err)
{
	struct hv_vzone_ram ram[HV_MAX_REGIONS];
	struct hv_serve_zone z = {
		.id = zone->spec->id,
		.name = zone->spec->name,
		.cpus = zone->abi.cpus,
		.ram = ram,
		.n_slots = zone->n_devices,
		.slots = zone->devices,
	};

	for (uint32_t i = 0; i < zone->abi.n_regions; i++) {
		const struct hv_abi_region *r = &zone->abi.regions[i];

		if (r->type == HV_REGION_RAM)
			ram[z.n_ram++] = (struct hv_vzone_ram){
				.ipa = r->ipa,
				.phys = r->phys,
				.size = r->size,
			};
	}
	return hv_serve_open(serve, &z, err);
}

void hv_serve_drop(struct hv_serve *serve, uint32_t zone)
{
	struct hv_serve_home *home = hv_serve_home(serve, zone);
	struct hv_served *d, *next;

	if (!home)
		return;
	if (home->vzone)
		hv_service_remove_zone(serve->service, home->vzone);
	for (d = serve->devices; d; d = next) {
		next = d->next;
		if (d->zone == zone)
			end_device(d);
	}
	for (struct hv_serve_home **at = &serve->homes; *at; at = &(*at)->next)
		if (*at == home) {
			*at = home->next;
			break;
		}
	hv_arena_free(home->arena);
}

void hv_serve_free(struct hv_serve *serve)
{
	if (!serve)
		return;
	for (struct hv_serve **at = &live; *at; at = &(*at)->next)
		if (*at == serve) {
			*at = serve->next;
			break;
		}
	if (serve->service && serve->state_dir) {
		hv_service_leave(serve->service);
		serve->left = true;
	}
	while (serve->homes)
		hv_serve_drop(serve, serve->homes->id);
	hv_serve_votes_leave(serve);
	for (unsigned int i = 0; i < serve->n_switches; i++)
		hv_switch_put(serve->switches[i]);
	hv_service_free(serve->service);
	hv_clock_host_put(serve->clocks);
	hv_fdt_close(serve->tree);
	free(serve->lock_path);
	free(serve->state_dir);
	free(serve);
}

bool hv_serve_has(const struct hv_serve *serve, uint32_t zone)
{
	return hv_serve_home(serve, zone) != NULL;
}

bool hv_serve_expects(const struct hv_serve *serve, uint32_t zone)
{
	const struct hv_serve_home *home = hv_serve_home(serve, zone);

	return home && home->vzone && !home->standing;
}

bool hv_serve_crashed(struct hv_serve *serve, uint32_t zone, bool crashed)
{
	struct hv_serve_home *home = hv_serve_home(serve, zone);
	bool news = home && crashed && !home->crashed;

	if (home)
		home->crashed = crashed;
	return news;
}

bool hv_serve_next_zone(const struct hv_serve *serve, uint32_t after, uint32_t *zone)
{
	bool found = false;

	for (const struct hv_serve_home *h = serve->homes; h; h = h->next)
		if (h->id > after && (!found || h->id < *zone)) {
			*zone = h->id;
			found = true;
		}
	return found;
}

const char *hv_serve_zone_name(const struct hv_serve *serve, uint32_t zone)
{
	const struct hv_serve_home *home = hv_serve_home(serve, zone);

	return home ? home->name : "?";
}

unsigned int hv_serve_count(const struct hv_serve *serve)
{
	unsigned int n = 0;

	for (const struct hv_served *d = serve->devices; d; d = d->next)
		n++;
	return n;
}

struct hv_served *hv_serve_next(const struct hv_serve *serve, const struct hv_served *prev)
{
	return prev ? prev->next : serve->devices;
}

struct hv_served *hv_serve_find(const struct hv_serve *serve, uint32_t zone, const char *name)
{
	for (struct hv_served *d = serve->devices; d; d = d->next)
		if (d->zone == zone && !strcmp(d->name, name))
			return d;
	return NULL;
}

struct hv_served *hv_serve_by_serial(const struct hv_serve *serve, uint64_t serial)
{
	struct hv_served *d = serve->devices;

	while (d && d->serial != serial)
		d = d->next;
	return d;
}

/* ---- while the zone runs */

static bool window_taken(const struct hv_serve *serve, const struct hv_serve_home *home,
			 const struct hv_serve_window *w)
{
	for (const struct hv_served *d = serve->devices; d; d = d->next)
		if (d->zone == home->id && d->at == w->at)
			return true;
	return false;
}

static int find_window(const struct hv_serve *serve, const struct hv_serve_home *home,
		       const struct hv_spec_device *spec, const struct hv_serve_window **out,
		       struct hv_err *err)
{
	for (size_t i = 0; i < home->n_windows; i++) {
		const struct hv_serve_window *w = &home->windows[i];

		if (spec->has_at ? w->at != spec->at : window_taken(serve, home, w))
			continue;
		if (window_taken(serve, home, w))
			return hv_err_set(err, EBUSY,
					  "%s/%s: the window at 0x%" PRIx64 " has a device already",
					  home->name, spec->name, spec->at);
		*out = w;
		return 0;
	}
	if (spec->has_at)
		return hv_err_set(err, EINVAL,
				  "%s/%s: no window was planned at 0x%" PRIx64
				  " when the zone was started",
				  home->name, spec->name, spec->at);
	return hv_err_set(err, ENOSPC,
			  "%s/%s: no planned window is free: detach a device, or give the zone a "
			  "slot \"spare\" {} before it is started",
			  home->name, spec->name);
}

int hv_serve_add(struct hv_serve *serve, uint32_t zone, const struct hv_spec_device *spec,
		 struct hv_served **out, struct hv_err *err)
{
	const struct hv_serve_home *home = hv_serve_home(serve, zone);
	const struct hv_serve_window *window = NULL;
	struct hv_served *dev;
	char name[HV_ERR_MSG_MAX];
	int ret;

	if (!home || !home->vzone)
		return hv_err_set(err, ENOENT, "%s: its zone is not served here", spec->name);
	snprintf(name, sizeof(name), "%s/%s", home->name, spec->name);
	if (hv_serve_find(serve, zone, spec->name))
		ret = hv_err_set(err, EEXIST, "%s: there is a device of this name", name);
	else
		ret = find_window(serve, home, spec, &window, err);
	ret = hv_serve_blame(name, &spec->origin, ret, err);
	if (!ret)
		ret = make_device(serve, home, spec, window, &dev, err);
	if (ret)
		return ret;
	/* Of a device that was there in an earlier service, and of which nothing was taken up. */
	hv_serve_votes_drop(serve, zone, dev->at);
	/* The next service cannot take up the others alone. */
	if (hv_serve_keep(serve, home, dev))
		hv_state_forget(serve->state_dir, zone);
	ret = hv_serve_attach_device(serve, home, dev, err);
	if (ret) {
		end_device(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

void hv_serve_remove(struct hv_served *dev)
{
	end_device(dev);
}

void hv_serve_stats(struct hv_serve *serve, struct hv_service_stats *out)
{
	*out = (struct hv_service_stats){ 0 };
	if (serve->service)
		hv_service_stats(serve->service, out);
}
