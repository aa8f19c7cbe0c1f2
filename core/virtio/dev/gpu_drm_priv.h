/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_DRM_PRIV_H
#define HV_VIRTIO_DEV_GPU_DRM_PRIV_H

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "virtio/dev/gpu_drm.h"

/* Private to dev/gpu_drm*.c. */

/* ---- gpu_drm_lib.c */

#define HV_DRM_CALLS(X)                                                                            \
	X(drmDropMaster)                                                                           \
	X(drmGetCap)                                                                               \
	X(drmHandleEvent)                                                                          \
	X(drmIoctl)                                                                                \
	X(drmIsMaster)                                                                             \
	X(drmModeAddFB2)                                                                           \
	X(drmModeAtomicAddProperty)                                                                \
	X(drmModeAtomicAlloc)                                                                      \
	X(drmModeAtomicCommit)                                                                     \
	X(drmModeAtomicFree)                                                                       \
	X(drmModeCreatePropertyBlob)                                                               \
	X(drmModeDestroyPropertyBlob)                                                              \
	X(drmModeDirtyFB)                                                                          \
	X(drmModeFreeConnector)                                                                    \
	X(drmModeFreeEncoder)                                                                      \
	X(drmModeFreeObjectProperties)                                                             \
	X(drmModeFreePlane)                                                                        \
	X(drmModeFreePlaneResources)                                                               \
	X(drmModeFreeProperty)                                                                     \
	X(drmModeFreeResources)                                                                    \
	X(drmModeGetConnector)                                                                     \
	X(drmModeGetEncoder)                                                                       \
	X(drmModeGetPlane)                                                                         \
	X(drmModeGetPlaneResources)                                                                \
	X(drmModeGetProperty)                                                                      \
	X(drmModeGetResources)                                                                     \
	X(drmModeObjectGetProperties)                                                              \
	X(drmModePageFlip)                                                                         \
	X(drmModeRmFB)                                                                             \
	X(drmModeSetCrtc)                                                                          \
	X(drmSetClientCap)                                                                         \
	X(drmSetMaster)

struct hv_drm_lib {
	void *handle;
#define X(name) __typeof__(name) *name;
	HV_DRM_CALLS(X)
#undef X
};

int hv_drm_lib_open(struct hv_drm_lib *lib, const char *name, struct hv_err *err);
void hv_drm_lib_close(struct hv_drm_lib *lib);

/* ---- what is shown where */

struct hv_drm_buffer {
	uint32_t handle, fb, pitch;
	uint64_t size;
	uint8_t *map; /* NULL = there is none */
	/* What has changed on the screen since this was on it. */
	bool whole;
	unsigned int n_missed;
	struct hv_gpu_rect missed[HV_GPU_DAMAGE];
};

struct hv_drm_screen {
	struct hv_drm *drm;
	char name[32]; /* of its connector */
	uint32_t connector, crtc, plane;
	struct {
		uint32_t connector_crtc;
		uint32_t crtc_mode, crtc_active;
		uint32_t fb, crtc, damage; /* damage 0 = the driver does not ask */
		uint32_t src_x, src_y, src_w, src_h, crtc_x, crtc_y, crtc_w, crtc_h;
	} prop;
	/* as last probed */
	bool connected;
	uint32_t w_mm, h_mm;
	int n_modes;
	drmModeModeInfo *modes; /* the preferred one first */

	drmModeModeInfo mode; /* of the buffers */
	uint32_t mode_blob;
	struct hv_drm_buffer buffers[2];
	unsigned int back;	 /* the one to be written to */
	bool single;		 /* it is written to while it is shown */
	bool modeset;		 /* the next frame sets the mode */
	bool pending;		 /* a flip is under way */
	uint32_t w, h;		 /* of the frames */
	uint32_t x, y;		 /* of the frame in the mode */
	uint32_t seen_w, seen_h; /* as much of it as has room */
};

struct hv_drm {
	struct hv_gpu_output out; /* first; its fd watches the two below */
	struct hv_drm_lib lib;
	char *card;
	int fd;
	int uevents; /* -1 = plugging is not noticed */
	bool atomic;
	bool away;  /* another has the card */
	bool blind; /* it is none that can be waited for: it is asked at any chance */
	uint32_t wish_w, wish_h, wish_hz; /* of opts.mode; 0 = none */
	unsigned int n_screens;
	struct hv_drm_screen screens[HV_GPU_SCANOUTS];
};

/* ---- gpu_drm_card.c */

/* Opens the card, takes it, and finds connector, CRTC and plane of each screen. */
int hv_drm_card_open(struct hv_drm *drm, const struct hv_gpu_drm_opts *opts, struct hv_err *err);
void hv_drm_card_close(struct hv_drm *drm);
/* Looks at the connectors again. HV_GPU_OUTPUT_* bits. */
unsigned int hv_drm_card_probe(struct hv_drm *drm);
/* The one to show frames of that size in; NULL: nothing is connected, or it has no such mode. */
const drmModeModeInfo *hv_drm_mode_for(const struct hv_drm_screen *s, uint32_t w, uint32_t h);
/* Thousandths of a Hertz. */
uint32_t hv_drm_refresh(const drmModeModeInfo *mode);

/* ---- gpu_drm_buffer.c */

int hv_drm_buffers_make(struct hv_drm_screen *s, const drmModeModeInfo *mode, struct hv_err *err);
void hv_drm_buffers_free(struct hv_drm_screen *s);
/* All of it is missed; what is around the frame becomes black. */
void hv_drm_buffers_clear(struct hv_drm_screen *s);
/* Copies the damage, and what the back buffer has missed, into it. */
void hv_drm_buffer_draw(struct hv_drm_screen *s, const struct hv_gpu_frame *frame,
			const struct hv_gpu_rect *damage, unsigned int n);
/* It is on the screen, and the other one is to be written to. */
void hv_drm_buffers_swap(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n);

/* ---- gpu_drm_commit.c: what shows the back buffer. */

/* damage in pixels of the mode. Neither waits. -errno with a message. */
int hv_drm_commit(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n,
		  struct hv_err *err);
void hv_drm_commit_off(struct hv_drm_screen *s);

#endif
