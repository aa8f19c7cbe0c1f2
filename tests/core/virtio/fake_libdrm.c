// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake_libdrm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

/* Ids: connectors 11, 12; encoders 21, 22; CRTCs 31, 32; primary planes 41, 42, a cursor's 49. */

struct fake_drm fake_drm;

static struct {
	uint64_t size, offset;
	uint32_t pitch;
} dumbs[FAKE_FBS];
static struct {
	void *data;
	size_t size;
} blobs[FAKE_FBS];
static uint64_t file_size;
static void *pending_data[4];

static int fail(int code)
{
	errno = code;
	return -code;
}

static void *give(size_t size)
{
	fake_drm.live_objects++;
	return calloc(1, size);
}

static void take_back(void *p)
{
	fake_drm.live_objects--;
	free(p);
}

int drmSetMaster(int fd)
{
	(void)fd;
	if (fake_drm.other_master)
		return fail(EBUSY);
	if (fake_drm.no_rights)
		return fail(EACCES);
	fake_drm.master = true;
	return 0;
}

int drmIsMaster(int fd)
{
	(void)fd;
	return fake_drm.master;
}

int drmDropMaster(int fd)
{
	(void)fd;
	fake_drm.master = false;
	return 0;
}

int drmGetCap(int fd, uint64_t capability, uint64_t *value)
{
	(void)fd;
	*value = capability == DRM_CAP_DUMB_BUFFER && !fake_drm.no_dumb;
	return 0;
}

int drmSetClientCap(int fd, uint64_t capability, uint64_t value)
{
	(void)fd;
	(void)value;
	return capability == DRM_CLIENT_CAP_ATOMIC && fake_drm.no_atomic ? fail(EOPNOTSUPP) : 0;
}

int drmIoctl(int fd, unsigned long request, void *arg)
{
	if (request == DRM_IOCTL_MODE_CREATE_DUMB) {
		struct drm_mode_create_dumb *c = arg;

		for (uint32_t i = 1; i < FAKE_FBS; i++) {
			if (dumbs[i].size)
				continue;
			/* Wider than the picture. */
			c->pitch = c->width * 4 + 256;
			c->size = ((uint64_t)c->pitch * c->height + 65535) & ~UINT64_C(65535);
			c->handle = i;
			dumbs[i].size = c->size;
			dumbs[i].pitch = c->pitch;
			dumbs[i].offset = file_size;
			file_size += c->size;
			fake_drm.live_dumbs++;
			return ftruncate(fd, (off_t)file_size);
		}
		return fail(ENOMEM);
	}
	if (request == DRM_IOCTL_MODE_MAP_DUMB) {
		struct drm_mode_map_dumb *m = arg;

		m->offset = dumbs[m->handle].offset;
		return 0;
	}
	if (request == DRM_IOCTL_MODE_DESTROY_DUMB) {
		struct drm_mode_destroy_dumb *d = arg;

		if (!dumbs[d->handle].size)
			return fail(ENOENT);
		dumbs[d->handle].size = 0;
		fake_drm.live_dumbs--;
		return 0;
	}
	return fail(ENOTTY);
}

int drmModeAddFB2(int fd, uint32_t width, uint32_t height, uint32_t pixel_format,
		  const uint32_t bo_handles[4], const uint32_t pitches[4],
		  const uint32_t offsets[4], uint32_t *buf_id, uint32_t flags)
{
	(void)fd;
	(void)offsets;
	(void)flags;
	if (pixel_format != 0x34325258 || pitches[0] != dumbs[bo_handles[0]].pitch)
		return fail(EINVAL);
	for (uint32_t i = 1; i < FAKE_FBS; i++) {
		if (fake_drm.fbs[i].live)
			continue;
		fake_drm.fbs[i] = (struct fake_fb){ width, height, pitches[0],
						    dumbs[bo_handles[0]].offset, true };
		fake_drm.live_fbs++;
		*buf_id = i;
		return 0;
	}
	return fail(ENOMEM);
}

int drmModeRmFB(int fd, uint32_t fb)
{
	(void)fd;
	if (fb >= FAKE_FBS || !fake_drm.fbs[fb].live)
		return fail(ENOENT);
	fake_drm.fbs[fb].live = false;
	fake_drm.live_fbs--;
	for (int i = 0; i < 2; i++)
		if (fake_drm.fb[i] == fb)
			fake_drm.fb[i] = 0;
	return 0;
}

/* ---- what there is */

static uint32_t *ids(int n, uint32_t first)
{
	uint32_t *list = calloc((size_t)n, sizeof(*list));

	for (int i = 0; i < n; i++)
		list[i] = first + (uint32_t)i;
	return list;
}

drmModeResPtr drmModeGetResources(int fd)
{
	drmModeRes *r = give(sizeof(*r));

	(void)fd;
	r->count_connectors = r->count_crtcs = r->count_encoders = 2;
	r->connectors = ids(2, 11);
	r->encoders = ids(2, 21);
	r->crtcs = ids(2, 31);
	return r;
}

void drmModeFreeResources(drmModeResPtr r)
{
	free(r->connectors);
	free(r->encoders);
	free(r->crtcs);
	take_back(r);
}

static drmModeModeInfo mode(uint16_t w, uint16_t h, uint32_t hz, uint32_t type)
{
	drmModeModeInfo m = { .hdisplay = w, .vdisplay = h, .vrefresh = hz, .type = type };

	m.htotal = (uint16_t)(w + 160);
	m.vtotal = (uint16_t)(h + 20);
	m.clock = (uint32_t)m.htotal * m.vtotal * hz / 1000;
	snprintf(m.name, sizeof(m.name), "%ux%u", w, h);
	return m;
}

drmModeConnectorPtr drmModeGetConnector(int fd, uint32_t id)
{
	drmModeConnector *c = give(sizeof(*c));
	bool there = fake_drm.connected[id - 11];

	(void)fd;
	c->connector_id = id;
	c->connector_type = id == 11 ? DRM_MODE_CONNECTOR_HDMIA : DRM_MODE_CONNECTOR_VIRTUAL;
	c->connector_type_id = 1;
	c->connection = there ? DRM_MODE_CONNECTED : DRM_MODE_DISCONNECTED;
	c->mmWidth = 300;
	c->mmHeight = 190;
	c->count_encoders = 1;
	c->encoders = ids(1, id + 10);
	if (there) {
		c->modes = calloc(3, sizeof(*c->modes));
		c->count_modes = 3;
		c->modes[0] = mode(1024, 768, 75, 0);
		c->modes[1] = mode(1024, 768, 60, 0);
		c->modes[2] = mode(1280, 800, 60, DRM_MODE_TYPE_PREFERRED);
	}
	return c;
}

void drmModeFreeConnector(drmModeConnectorPtr c)
{
	free(c->modes);
	free(c->encoders);
	take_back(c);
}

drmModeEncoderPtr drmModeGetEncoder(int fd, uint32_t id)
{
	drmModeEncoder *e = give(sizeof(*e));

	(void)fd;
	e->encoder_id = id;
	e->possible_crtcs = 3;
	return e;
}

void drmModeFreeEncoder(drmModeEncoderPtr e)
{
	take_back(e);
}

drmModePlaneResPtr drmModeGetPlaneResources(int fd)
{
	drmModePlaneRes *r = give(sizeof(*r));

	(void)fd;
	r->count_planes = 3;
	r->planes = ids(3, 40);
	r->planes[0] = 49;
	return r;
}

void drmModeFreePlaneResources(drmModePlaneResPtr r)
{
	free(r->planes);
	take_back(r);
}

drmModePlanePtr drmModeGetPlane(int fd, uint32_t id)
{
	drmModePlane *p = give(sizeof(*p));

	(void)fd;
	p->plane_id = id;
	p->possible_crtcs = id == 49 ? 3 : 1u << (id - 41);
	return p;
}

void drmModeFreePlane(drmModePlanePtr p)
{
	take_back(p);
}

/* Property ids: 100 and the place in this list. */
static const char *const properties[] = {
	"CRTC_ID", "MODE_ID", "ACTIVE", "FB_ID",  "SRC_X",  "SRC_Y", "SRC_W",
	"SRC_H",   "CRTC_X",  "CRTC_Y", "CRTC_W", "CRTC_H", "type",  "FB_DAMAGE_CLIPS",
};
#define PROPERTIES (sizeof(properties) / sizeof(properties[0]))
enum { CRTC_ID = 100, MODE_ID, ACTIVE, FB_ID, TYPE = 112, DAMAGE };

drmModeObjectPropertiesPtr drmModeObjectGetProperties(int fd, uint32_t id, uint32_t type)
{
	drmModeObjectProperties *p = give(sizeof(*p));

	(void)fd;
	(void)type;
	p->count_props = PROPERTIES - fake_drm.no_damage;
	p->props = ids(PROPERTIES, 100);
	p->prop_values = calloc(PROPERTIES, sizeof(*p->prop_values));
	p->prop_values[TYPE - 100] = id == 49 ? DRM_PLANE_TYPE_CURSOR : DRM_PLANE_TYPE_PRIMARY;
	return p;
}

void drmModeFreeObjectProperties(drmModeObjectPropertiesPtr p)
{
	free(p->props);
	free(p->prop_values);
	take_back(p);
}

drmModePropertyPtr drmModeGetProperty(int fd, uint32_t id)
{
	drmModePropertyRes *p = give(sizeof(*p));

	(void)fd;
	p->prop_id = id;
	snprintf(p->name, sizeof(p->name), "%s", properties[id - 100]);
	return p;
}

void drmModeFreeProperty(drmModePropertyPtr p)
{
	take_back(p);
}

int drmModeCreatePropertyBlob(int fd, const void *data, size_t size, uint32_t *id)
{
	(void)fd;
	for (uint32_t i = 1; i < FAKE_FBS; i++) {
		if (blobs[i].data)
			continue;
		blobs[i].data = malloc(size);
		blobs[i].size = size;
		memcpy(blobs[i].data, data, size);
		fake_drm.live_blobs++;
		*id = i;
		return 0;
	}
	return fail(ENOMEM);
}

int drmModeDestroyPropertyBlob(int fd, uint32_t id)
{
	(void)fd;
	if (id >= FAKE_FBS || !blobs[id].data)
		return fail(ENOENT);
	free(blobs[id].data);
	blobs[id].data = NULL;
	fake_drm.live_blobs--;
	return 0;
}

/* ---- showing */

struct _drmModeAtomicReq {
	struct {
		uint32_t object, property;
		uint64_t value;
	} items[32];
	int n;
};

drmModeAtomicReqPtr drmModeAtomicAlloc(void)
{
	return give(sizeof(struct _drmModeAtomicReq));
}

void drmModeAtomicFree(drmModeAtomicReqPtr req)
{
	take_back(req);
}

int drmModeAtomicAddProperty(drmModeAtomicReqPtr req, uint32_t object, uint32_t property,
			     uint64_t value)
{
	if (req->n == 32 || !object || property < 100 || property >= 100 + PROPERTIES)
		return fail(EINVAL);
	req->items[req->n].object = object;
	req->items[req->n].property = property;
	req->items[req->n].value = value;
	return ++req->n;
}

static int flip_event(void *data)
{
	if (fake_drm.pending == 4)
		return fail(EBUSY);
	pending_data[fake_drm.pending++] = data;
	return 0;
}

static int begin(void)
{
	if (!fake_drm.master)
		return fail(EACCES);
	return fake_drm.commit_errno ? fail(fake_drm.commit_errno) : 0;
}

static void take_damage(uint64_t blob)
{
	fake_drm.n_rects = (unsigned int)(blobs[blob].size / sizeof(fake_drm.rects[0]));
	memcpy(fake_drm.rects, blobs[blob].data, blobs[blob].size);
}

int drmModeAtomicCommit(int fd, drmModeAtomicReqPtr req, uint32_t flags, void *data)
{
	bool modeset = flags & DRM_MODE_ATOMIC_ALLOW_MODESET;
	bool nonblock = flags & DRM_MODE_ATOMIC_NONBLOCK;
	int ret = begin();

	(void)fd;
	if (ret)
		return ret;
	if (modeset && nonblock && fake_drm.no_nonblock_modeset)
		return fail(EINVAL);
	if (nonblock && fake_drm.pending)
		return fail(EBUSY);
	fake_drm.n_rects = 0;
	for (int i = 0; i < req->n; i++) {
		uint32_t object = req->items[i].object, property = req->items[i].property;
		uint64_t value = req->items[i].value;

		if (property == MODE_ID && !modeset)
			return fail(EINVAL);
		if (property == MODE_ID)
			fake_drm.mode_w[object - 31] =
				value ? ((drmModeModeInfo *)blobs[value].data)->hdisplay : 0;
		if (property == FB_ID)
			fake_drm.fb[object - 41] = (uint32_t)value;
		if (property == DAMAGE)
			take_damage(value);
	}
	fake_drm.commits++;
	fake_drm.modesets += modeset;
	fake_drm.asleep_commits += !nonblock;
	return flags & DRM_MODE_PAGE_FLIP_EVENT ? flip_event(data) : 0;
}

int drmModeSetCrtc(int fd, uint32_t crtc, uint32_t fb, uint32_t x, uint32_t y, uint32_t *connectors,
		   int count, drmModeModeInfoPtr m)
{
	int ret = begin();

	(void)fd;
	(void)x;
	(void)y;
	(void)connectors;
	(void)count;
	if (ret)
		return ret;
	fake_drm.fb[crtc - 31] = fb;
	fake_drm.mode_w[crtc - 31] = m ? m->hdisplay : 0;
	fake_drm.set_crtcs++;
	return 0;
}

int drmModePageFlip(int fd, uint32_t crtc, uint32_t fb, uint32_t flags, void *data)
{
	int ret = begin();

	(void)fd;
	if (ret)
		return ret;
	if (fake_drm.no_flip)
		return fail(EINVAL);
	if (fake_drm.pending)
		return fail(EBUSY);
	fake_drm.fb[crtc - 31] = fb;
	fake_drm.flips++;
	return flags & DRM_MODE_PAGE_FLIP_EVENT ? flip_event(data) : 0;
}

int drmModeDirtyFB(int fd, uint32_t fb, drmModeClipPtr clips, uint32_t n)
{
	int ret = begin();

	(void)fd;
	(void)fb;
	if (ret)
		return ret;
	fake_drm.dirties++;
	fake_drm.n_rects = n;
	for (uint32_t i = 0; i < n; i++) {
		fake_drm.rects[i].x1 = clips[i].x1;
		fake_drm.rects[i].y1 = clips[i].y1;
		fake_drm.rects[i].x2 = clips[i].x2;
		fake_drm.rects[i].y2 = clips[i].y2;
	}
	return 0;
}

int drmHandleEvent(int fd, drmEventContextPtr context)
{
	while (fake_drm.pending && !fake_drm.hold)
		context->page_flip_handler(fd, 0, 0, 0, pending_data[--fake_drm.pending]);
	return 0;
}
