// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "virtio/dev/gpu_drm_priv.h"

/* libdrm answers some failures with -1, others with -errno; errno is set by both. */

/* ---- atomic */

struct request {
	struct hv_drm *drm;
	drmModeAtomicReq *req;
	bool failed;
};

static void add(struct request *r, uint32_t object, uint32_t property, uint64_t value)
{
	if (r->drm->lib.drmModeAtomicAddProperty(r->req, object, property, value) < 0)
		r->failed = true;
}

static void add_mode(struct request *r, const struct hv_drm_screen *s)
{
	add(r, s->connector, s->prop.connector_crtc, s->crtc);
	add(r, s->crtc, s->prop.crtc_mode, s->mode_blob);
	add(r, s->crtc, s->prop.crtc_active, 1);
}

static void add_plane(struct request *r, const struct hv_drm_screen *s)
{
	uint32_t w = s->mode.hdisplay, h = s->mode.vdisplay;

	add(r, s->plane, s->prop.fb, s->buffers[s->back].fb);
	add(r, s->plane, s->prop.crtc, s->crtc);
	add(r, s->plane, s->prop.src_x, 0);
	add(r, s->plane, s->prop.src_y, 0);
	add(r, s->plane, s->prop.src_w, (uint64_t)w << 16);
	add(r, s->plane, s->prop.src_h, (uint64_t)h << 16);
	add(r, s->plane, s->prop.crtc_x, 0);
	add(r, s->plane, s->prop.crtc_y, 0);
	add(r, s->plane, s->prop.crtc_w, w);
	add(r, s->plane, s->prop.crtc_h, h);
}

/* The blob, to be destroyed after the commit; 0 = none, which means everything. */
static uint32_t add_damage(struct request *r, const struct hv_drm_screen *s,
			   const struct hv_gpu_rect *damage, unsigned int n)
{
	struct drm_mode_rect clips[HV_GPU_DAMAGE];
	uint32_t blob = 0;

	if (!s->prop.damage || s->modeset)
		return 0;
	for (unsigned int i = 0; i < n; i++)
		clips[i] = (struct drm_mode_rect){
			.x1 = (int32_t)damage[i].x,
			.y1 = (int32_t)damage[i].y,
			.x2 = (int32_t)(damage[i].x + damage[i].w),
			.y2 = (int32_t)(damage[i].y + damage[i].h),
		};
	if (r->drm->lib.drmModeCreatePropertyBlob(r->drm->fd, clips, n * sizeof(clips[0]), &blob) <
	    0)
		return 0;
	add(r, s->plane, s->prop.damage, blob);
	return blob;
}

/* What sets a mode may be too much for a driver to do in the background: then it is waited for. */
static int send(struct request *r, struct hv_drm_screen *s, bool modeset)
{
	struct hv_drm_lib *lib = &r->drm->lib;
	uint32_t flags = modeset ? DRM_MODE_ATOMIC_ALLOW_MODESET : 0;

	if (r->failed) {
		errno = ENOMEM;
		return -1;
	}
	if (lib->drmModeAtomicCommit(r->drm->fd, r->req,
				     flags | DRM_MODE_ATOMIC_NONBLOCK | DRM_MODE_PAGE_FLIP_EVENT,
				     s) >= 0) {
		s->pending = true;
		return 0;
	}
	if (!modeset || errno == EACCES || errno == EPERM)
		return -1;
	return lib->drmModeAtomicCommit(r->drm->fd, r->req, flags, s);
}

static int show_atomic(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n)
{
	struct request r = { s->drm, s->drm->lib.drmModeAtomicAlloc(), false };
	int ret, code;
	uint32_t blob;

	if (!r.req) {
		errno = ENOMEM;
		return -1;
	}
	if (s->modeset)
		add_mode(&r, s);
	add_plane(&r, s);
	blob = add_damage(&r, s, damage, n);
	ret = send(&r, s, s->modeset);
	code = errno;
	if (blob)
		s->drm->lib.drmModeDestroyPropertyBlob(s->drm->fd, blob);
	s->drm->lib.drmModeAtomicFree(r.req);
	errno = code;
	return ret;
}

static void off_atomic(struct hv_drm_screen *s)
{
	struct request r = { s->drm, s->drm->lib.drmModeAtomicAlloc(), false };

	if (!r.req)
		return;
	add(&r, s->connector, s->prop.connector_crtc, 0);
	add(&r, s->crtc, s->prop.crtc_mode, 0);
	add(&r, s->crtc, s->prop.crtc_active, 0);
	add(&r, s->plane, s->prop.fb, 0);
	add(&r, s->plane, s->prop.crtc, 0);
	/* No event: a CRTC that is off has none to give. */
	if (!r.failed)
		(void)s->drm->lib.drmModeAtomicCommit(s->drm->fd, r.req,
						      DRM_MODE_ATOMIC_ALLOW_MODESET, s);
	s->drm->lib.drmModeAtomicFree(r.req);
}

/* ---- legacy */

static int set_crtc(struct hv_drm_screen *s)
{
	return s->drm->lib.drmModeSetCrtc(s->drm->fd, s->crtc, s->buffers[s->back].fb, 0, 0,
					  &s->connector, 1, &s->mode);
}

/* Drivers that show what is written by themselves know no such call. */
static int say_dirty(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n)
{
	drmModeClip clips[HV_GPU_DAMAGE];
	int ret;

	for (unsigned int i = 0; i < n; i++)
		clips[i] = (drmModeClip){
			.x1 = (uint16_t)damage[i].x,
			.y1 = (uint16_t)damage[i].y,
			.x2 = (uint16_t)(damage[i].x + damage[i].w),
			.y2 = (uint16_t)(damage[i].y + damage[i].h),
		};
	ret = s->drm->lib.drmModeDirtyFB(s->drm->fd, s->buffers[s->back].fb, clips, n);
	return ret < 0 && errno == ENOSYS ? 0 : ret;
}

static int show_legacy(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n)
{
	if (s->modeset)
		return set_crtc(s);
	if (s->single)
		return say_dirty(s, damage, n);
	if (s->drm->lib.drmModePageFlip(s->drm->fd, s->crtc, s->buffers[s->back].fb,
					DRM_MODE_PAGE_FLIP_EVENT, s) >= 0) {
		s->pending = true;
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -1;
	s->single = true;
	return set_crtc(s);
}

/* ---- both */

int hv_drm_commit(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n,
		  struct hv_err *err)
{
	int ret = s->drm->atomic ? show_atomic(s, damage, n) : show_legacy(s, damage, n);

	if (ret >= 0) {
		s->modeset = false;
		return 0;
	}
	if (errno == EACCES || errno == EPERM) {
		s->drm->away = true;
		return hv_err_set(err, EACCES,
				  "another program has %s: nothing is shown until the device is "
				  "told to take it",
				  s->drm->card);
	}
	return hv_err_sys(err, errno, "%s %s shows no picture", s->drm->card, s->name);
}

void hv_drm_commit_off(struct hv_drm_screen *s)
{
	if (s->drm->atomic)
		off_atomic(s);
	else
		(void)s->drm->lib.drmModeSetCrtc(s->drm->fd, s->crtc, 0, 0, 0, NULL, 0, NULL);
}
