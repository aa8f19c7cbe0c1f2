// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/opener.h"
#include "virtio/dev/gpu_drm_priv.h"

#define CARDS 16

/* ---- modes */

uint32_t hv_drm_refresh(const drmModeModeInfo *mode)
{
	uint64_t dots = (uint64_t)mode->htotal * mode->vtotal;
	uint64_t mhz = (uint64_t)mode->clock * 1000000;

	if (!dots || !mode->clock)
		return mode->vrefresh * 1000;
	if (mode->flags & DRM_MODE_FLAG_INTERLACE)
		mhz *= 2;
	if (mode->flags & DRM_MODE_FLAG_DBLSCAN)
		dots *= 2;
	return (uint32_t)((mhz + dots / 2) / dots);
}

static const drmModeModeInfo *find_mode(const struct hv_drm_screen *s, uint32_t w, uint32_t h,
					uint32_t hz)
{
	for (int i = 0; i < s->n_modes; i++) {
		const drmModeModeInfo *m = &s->modes[i];

		if (m->hdisplay == w && m->vdisplay == h &&
		    (!hz || (hv_drm_refresh(m) + 500) / 1000 == hz))
			return m;
	}
	return NULL;
}

const drmModeModeInfo *hv_drm_mode_for(const struct hv_drm_screen *s, uint32_t w, uint32_t h)
{
	const struct hv_drm *drm = s->drm;
	const drmModeModeInfo *mode;

	if (!s->n_modes)
		return NULL;
	if (drm->wish_w)
		return find_mode(s, drm->wish_w, drm->wish_h, drm->wish_hz);
	mode = find_mode(s, w, h, 0);
	return mode ?: &s->modes[0];
}

static bool mode_exists(const struct hv_drm_screen *s, struct hv_err *err)
{
	char list[512] = "";
	size_t len = 0;

	/* One that is not connected has no modes yet. */
	if (!s->n_modes || hv_drm_mode_for(s, 0, 0))
		return true;
	for (int i = 0; i < s->n_modes && len < sizeof(list) - 32; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%ux%u@%u", i ? ", " : "",
					s->modes[i].hdisplay, s->modes[i].vdisplay,
					(hv_drm_refresh(&s->modes[i]) + 500) / 1000);
	hv_err_set(err, ENOENT, "%s %s has no mode %ux%u%s; it has %s", s->drm->card, s->name,
		   s->drm->wish_w, s->drm->wish_h, s->drm->wish_hz ? " of that rate" : "", list);
	return false;
}

/* ---- connectors */

/* As the kernel calls them below /sys/class/drm. */
static const char *const connector_types[] = {
	"Unknown", "VGA",	"DVI-I", "DVI-D", "DVI-A",     "Composite", "SVIDEO",
	"LVDS",	   "Component", "DIN",	 "DP",	  "HDMI-A",    "HDMI-B",    "TV",
	"eDP",	   "Virtual",	"DSI",	 "DPI",	  "Writeback", "SPI",	    "USB",
};

static void name_of(const drmModeConnector *c, char to[32])
{
	size_t n = sizeof(connector_types) / sizeof(connector_types[0]);

	snprintf(to, 32, "%s-%u", connector_types[c->connector_type < n ? c->connector_type : 0],
		 c->connector_type_id);
}

/* Takes over what a connector says; HV_GPU_OUTPUT_* bits for what is new of it. */
static unsigned int take_state(struct hv_drm_screen *s, const drmModeConnector *c)
{
	bool connected = c->connection == DRM_MODE_CONNECTED ||
			 (c->connection == DRM_MODE_UNKNOWNCONNECTION && c->count_modes);
	int n = connected ? c->count_modes : 0;
	drmModeModeInfo *modes = n > 0 ? calloc((size_t)n, sizeof(*modes)) : NULL;
	unsigned int news = 0;

	if (!modes)
		n = 0;
	for (int i = 0, preferred = 0; i < n; i++) {
		/* The preferred one first; the others stay in the driver's order. */
		if (!preferred && c->modes[i].type & DRM_MODE_TYPE_PREFERRED) {
			memmove(modes + 1, modes, (size_t)i * sizeof(*modes));
			modes[0] = c->modes[i];
			preferred = 1;
		} else {
			modes[i] = c->modes[i];
		}
	}
	if (connected != s->connected || n != s->n_modes ||
	    (n && memcmp(modes, s->modes, (size_t)n * sizeof(*modes)) != 0)) {
		news = HV_GPU_OUTPUT_CHANGED | HV_GPU_OUTPUT_LOST;
		s->modeset = true;
	}
	free(s->modes);
	s->modes = modes;
	s->n_modes = n;
	s->connected = connected;
	s->w_mm = c->mmWidth;
	s->h_mm = c->mmHeight;
	return news;
}

unsigned int hv_drm_card_probe(struct hv_drm *drm)
{
	unsigned int news = 0;

	for (unsigned int i = 0; i < drm->n_screens; i++) {
		struct hv_drm_screen *s = &drm->screens[i];
		drmModeConnector *c = drm->lib.drmModeGetConnector(drm->fd, s->connector);

		if (!c)
			continue;
		news |= take_state(s, c);
		drm->lib.drmModeFreeConnector(c);
	}
	return news;
}

static bool taken(const struct hv_drm *drm, uint32_t connector)
{
	for (unsigned int i = 0; i < drm->n_screens; i++)
		if (drm->screens[i].connector == connector)
			return true;
	return false;
}

/* Of what name allows, the connected one comes first. 0 = none; list gets what there is. */
static uint32_t find_connector(const struct hv_drm *drm, const drmModeRes *res, const char *name,
			       char list[256])
{
	uint32_t connected = 0, other = 0;
	size_t len = 0;

	*list = 0;
	for (int i = 0; i < res->count_connectors; i++) {
		drmModeConnector *c = drm->lib.drmModeGetConnector(drm->fd, res->connectors[i]);
		char is[32];

		if (!c)
			continue;
		name_of(c, is);
		if (len < 200)
			len += (size_t)snprintf(list + len, 256 - len, "%s%s", len ? ", " : "", is);
		if (!taken(drm, c->connector_id) && (!name || !strcmp(name, is))) {
			if (c->connection == DRM_MODE_CONNECTED && !connected)
				connected = c->connector_id;
			else if (!other)
				other = c->connector_id;
		}
		drm->lib.drmModeFreeConnector(c);
	}
	return connected ?: other;
}

/* ---- CRTCs and planes */

static bool crtc_taken(const struct hv_drm *drm, uint32_t crtc)
{
	for (unsigned int i = 0; i < drm->n_screens; i++)
		if (drm->screens[i].crtc == crtc)
			return true;
	return false;
}

/* Its index, or -1. */
static int find_crtc(const struct hv_drm *drm, const drmModeRes *res, const drmModeConnector *c)
{
	for (int e = 0; e < c->count_encoders; e++) {
		drmModeEncoder *encoder = drm->lib.drmModeGetEncoder(drm->fd, c->encoders[e]);
		uint32_t possible = encoder ? encoder->possible_crtcs : 0;

		if (encoder)
			drm->lib.drmModeFreeEncoder(encoder);
		for (int i = 0; i < res->count_crtcs && i < 32; i++)
			if (possible >> i & 1 && !crtc_taken(drm, res->crtcs[i]))
				return i;
	}
	return -1;
}

/* A property's id and value by name; 0 = the object has none of that name. */
static uint32_t property(const struct hv_drm *drm, uint32_t object, uint32_t type, const char *name,
			 uint64_t *value)
{
	drmModeObjectProperties *all = drm->lib.drmModeObjectGetProperties(drm->fd, object, type);
	uint32_t id = 0;

	for (uint32_t i = 0; all && i < all->count_props && !id; i++) {
		drmModePropertyRes *p = drm->lib.drmModeGetProperty(drm->fd, all->props[i]);

		if (p && !strcmp(p->name, name)) {
			id = p->prop_id;
			if (value)
				*value = all->prop_values[i];
		}
		if (p)
			drm->lib.drmModeFreeProperty(p);
	}
	if (all)
		drm->lib.drmModeFreeObjectProperties(all);
	return id;
}

static uint32_t find_plane(const struct hv_drm *drm, int crtc_index)
{
	drmModePlaneRes *planes = drm->lib.drmModeGetPlaneResources(drm->fd);
	uint32_t found = 0;

	for (uint32_t i = 0; planes && i < planes->count_planes && !found; i++) {
		drmModePlane *p = drm->lib.drmModeGetPlane(drm->fd, planes->planes[i]);
		uint64_t type = 0;

		if (p && p->possible_crtcs >> crtc_index & 1 &&
		    property(drm, p->plane_id, DRM_MODE_OBJECT_PLANE, "type", &type) &&
		    type == DRM_PLANE_TYPE_PRIMARY)
			found = p->plane_id;
		if (p)
			drm->lib.drmModeFreePlane(p);
	}
	if (planes)
		drm->lib.drmModeFreePlaneResources(planes);
	return found;
}

/* false: something that atomic commits need is not there. */
static bool find_properties(struct hv_drm_screen *s)
{
	const struct {
		uint32_t *id;
		uint32_t object, type;
		const char *name;
	} wanted[] = {
		{ &s->prop.connector_crtc, s->connector, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID" },
		{ &s->prop.crtc_mode, s->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID" },
		{ &s->prop.crtc_active, s->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE" },
		{ &s->prop.fb, s->plane, DRM_MODE_OBJECT_PLANE, "FB_ID" },
		{ &s->prop.crtc, s->plane, DRM_MODE_OBJECT_PLANE, "CRTC_ID" },
		{ &s->prop.src_x, s->plane, DRM_MODE_OBJECT_PLANE, "SRC_X" },
		{ &s->prop.src_y, s->plane, DRM_MODE_OBJECT_PLANE, "SRC_Y" },
		{ &s->prop.src_w, s->plane, DRM_MODE_OBJECT_PLANE, "SRC_W" },
		{ &s->prop.src_h, s->plane, DRM_MODE_OBJECT_PLANE, "SRC_H" },
		{ &s->prop.crtc_x, s->plane, DRM_MODE_OBJECT_PLANE, "CRTC_X" },
		{ &s->prop.crtc_y, s->plane, DRM_MODE_OBJECT_PLANE, "CRTC_Y" },
		{ &s->prop.crtc_w, s->plane, DRM_MODE_OBJECT_PLANE, "CRTC_W" },
		{ &s->prop.crtc_h, s->plane, DRM_MODE_OBJECT_PLANE, "CRTC_H" },
	};

	if (!s->plane)
		return false;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*wanted[i].id =
			property(s->drm, wanted[i].object, wanted[i].type, wanted[i].name, NULL);
		if (!*wanted[i].id)
			return false;
	}
	s->prop.damage = property(s->drm, s->plane, DRM_MODE_OBJECT_PLANE, "FB_DAMAGE_CLIPS", NULL);
	return true;
}

/* ---- screens */

static int add_screen(struct hv_drm *drm, const drmModeRes *res, const char *name,
		      struct hv_err *err)
{
	struct hv_drm_screen *s = &drm->screens[drm->n_screens];
	drmModeConnector *c;
	char list[256];
	uint32_t id = find_connector(drm, res, name, list);
	int crtc;

	if (!id && name)
		return hv_err_set(err, ENOENT, "%s has no connector %s that is free; it has %s",
				  drm->card, name, *list ? list : "none");
	c = id ? drm->lib.drmModeGetConnector(drm->fd, id) : NULL;
	if (!c)
		return hv_err_set(err, ENOENT, "%s has no connector for screen %u; it has %s",
				  drm->card, drm->n_screens, *list ? list : "none");
	memset(s, 0, sizeof(*s));
	s->drm = drm;
	s->connector = id;
	name_of(c, s->name);
	crtc = find_crtc(drm, res, c);
	take_state(s, c);
	drm->lib.drmModeFreeConnector(c);
	if (crtc < 0) {
		free(s->modes);
		return hv_err_set(err, EBUSY, "%s cannot show screen %u: %s has no CRTC left",
				  drm->card, drm->n_screens, s->name);
	}
	s->crtc = res->crtcs[crtc];
	s->modeset = true;
	drm->n_screens++;
	if (drm->atomic) {
		s->plane = find_plane(drm, crtc);
		drm->atomic = find_properties(s);
	}
	return mode_exists(s, err) ? 0 : -ENOENT;
}

/* ---- the card */

/*
 * Who opens a card that nobody has is its master from then on. The opener's file is so, too, but
 * this process is not the one that the kernel lets ask for it.
 */
static int become_master(struct hv_drm *drm, struct hv_err *err)
{
	int code;

	if (drm->lib.drmSetMaster(drm->fd) == 0)
		return 0;
	code = errno;
	if (code == EACCES && drm->lib.drmIsMaster(drm->fd))
		return 0;
	return hv_err_set(err, EBUSY, "%s is in the hands of another program (%s)", drm->card,
			  strerror(code));
}

static int use_card(struct hv_drm *drm, const struct hv_gpu_drm_opts *opts, struct hv_err *err)
{
	unsigned int n = opts->scanouts ?: 1;
	drmModeRes *res;
	uint64_t dumb = 0;
	int ret = 0;

	drm->fd = hv_opener_open(drm->card, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0);
	if (drm->fd < 0)
		return hv_err_sys(err, errno, "%s cannot be opened", drm->card);
	if (drm->lib.drmGetCap(drm->fd, DRM_CAP_DUMB_BUFFER, &dumb) < 0 || !dumb)
		return hv_err_set(err, ENODEV, "%s is no card that pictures can be copied to",
				  drm->card);
	ret = become_master(drm, err);
	if (ret)
		return ret;
	drm->atomic = drm->lib.drmSetClientCap(drm->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1) >= 0 &&
		      drm->lib.drmSetClientCap(drm->fd, DRM_CLIENT_CAP_ATOMIC, 1) >= 0;
	res = drm->lib.drmModeGetResources(drm->fd);
	if (!res)
		return hv_err_sys(err, errno, "%s shows nothing", drm->card);
	for (unsigned int i = 0; i < n && !ret; i++)
		ret = add_screen(drm, res, opts->connectors ? opts->connectors[i] : NULL, err);
	drm->lib.drmModeFreeResources(res);
	return ret;
}

void hv_drm_card_close(struct hv_drm *drm)
{
	for (unsigned int i = 0; i < drm->n_screens; i++)
		free(drm->screens[i].modes);
	memset(drm->screens, 0, sizeof(drm->screens));
	drm->n_screens = 0;
	if (drm->fd >= 0)
		close(drm->fd);
	drm->fd = -1;
	free(drm->card);
	drm->card = NULL;
}

int hv_drm_card_open(struct hv_drm *drm, const struct hv_gpu_drm_opts *opts, struct hv_err *err)
{
	int ret = -ENOENT;

	hv_err_set(err, ENODEV, "there is no card: /dev/dri has none");
	for (unsigned int i = 0; i < CARDS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/dev/dri/card%u", i);
		if (!opts->card && access(path, F_OK))
			continue;
		drm->card = strdup(opts->card ?: path);
		ret = drm->card ? use_card(drm, opts, err) : hv_err_nomem(err);
		if (!ret)
			return 0;
		hv_drm_card_close(drm);
		if (opts->card)
			return ret;
	}
	return err ? -err->code : ret;
}
