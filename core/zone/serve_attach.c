// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/serve_priv.h"

#include <errno.h>
#include <inttypes.h>

/* The devices of an opened zone in their windows: begun, taken up, and given up again. */

int hv_serve_attach_device(struct hv_serve *serve, const struct hv_serve_home *home,
			   struct hv_served *dev, struct hv_err *err)
{
	hv_serve_votes_take(serve, dev);
	return hv_serve_blame(dev->dev.name, &dev->dev.origin,
			      hv_service_attach(serve->service, home->vzone, &dev->dev, dev->at,
						dev->size, dev->irq, err),
			      err);
}

static int not_served(uint32_t zone, struct hv_err *err)
{
	return hv_err_set(err, ENOENT, "zone %" PRIu32 " is not served here", zone);
}

/* What was left of an earlier life is of no use to anybody. All its devices are kept, or none: some
 * alone would be refused. */
static void begin_anew(struct hv_serve *serve, const struct hv_serve_home *home)
{
	int ret = 0;

	if (!serve->state_dir)
		return;
	hv_serve_forget(serve, home->id);
	for (struct hv_served *d = serve->devices; d && !ret; d = d->next)
		if (d->zone == home->id)
			ret = hv_serve_keep(serve, home, d);
	for (struct hv_served *d = serve->devices; d && ret; d = d->next)
		if (d->zone == home->id)
			hv_serve_unkeep(d, true);
}

/* As at this process's end: what is kept of its devices stays as it is. */
static void leave_home(struct hv_serve *serve, struct hv_serve_home *home)
{
	hv_service_leave_zone(serve->service, home->vzone);
	home->vzone = NULL;
	/* While the devices have it on as well. */
	hv_serve_votes_keep(serve, home->id);
	for (struct hv_served *d = serve->devices; d; d = d->next)
		if (d->zone == home->id && d->dev.kept) {
			hv_vdev_leave(&d->dev);
			hv_serve_unkeep(d, false);
		}
}

/* adopted: 1 = may be taken up, and then whether it was. */
static int attach_home(struct hv_serve *serve, struct hv_serve_home *home, bool *adopted,
		       struct hv_err *err)
{
	int ret;

	ret = hv_service_add_zone(serve->service, home->id, home->name, home->cpus, home->ram,
				  home->n_ram, &home->vzone, err);
	if (ret)
		return ret;
	if (*adopted)
		ret = hv_serve_take_up(serve, home, err);
	if (*adopted && ret == -ENOENT) {
		*adopted = false;
		ret = 0;
	}
	if (!ret && !*adopted)
		begin_anew(serve, home);
	for (struct hv_served *d = serve->devices; d && !ret; d = d->next)
		if (d->zone == home->id)
			ret = hv_serve_attach_device(serve, home, d, err);
	if (!ret && serve->state_dir)
		hv_service_forget(serve->service, home->id);
	if (ret && *adopted) {
		leave_home(serve, home);
	} else if (ret) {
		hv_service_remove_zone(serve->service, home->vzone);
		/* What was waited for is forgotten. */
		hv_service_forget(serve->service, home->id);
		home->vzone = NULL;
	}
	return ret;
}

int hv_serve_attach(struct hv_serve *serve, uint32_t zone, struct hv_err *err)
{
	struct hv_serve_home *home = hv_serve_home(serve, zone);
	bool adopted = false;

	if (!home)
		return not_served(zone, err);
	return home->vzone || !home->n_windows ? 0 : attach_home(serve, home, &adopted, err);
}

int hv_serve_adopt(struct hv_serve *serve, uint32_t zone, uint64_t life, struct hv_err *err)
{
	struct hv_serve_home *home = hv_serve_home(serve, zone);
	bool adopted = true;
	int ret;

	if (!home)
		return not_served(zone, err);
	if (home->vzone || !home->n_windows)
		return 0;
	home->life = home->standing ? 0 : life;
	ret = attach_home(serve, home, &adopted, err);
	home->ran = !ret;
	return ret ?: adopted;
}

bool hv_serve_give_up(struct hv_serve *serve, uint32_t zone)
{
	struct hv_serve_home *home = hv_serve_home(serve, zone);
	bool leave = home && home->vzone && home->ran && hv_serve_keeps(serve, home);

	if (leave)
		leave_home(serve, home);
	hv_serve_drop(serve, zone);
	return leave;
}

void hv_serve_gone(struct hv_serve *serve, uint32_t zone)
{
	hv_serve_drop(serve, zone);
	/* Without one nobody has seen to it that what is kept is ours. */
	if (!serve->service || !serve->state_dir)
		return;
	hv_serve_forget(serve, zone);
	hv_service_forget(serve->service, zone);
}
