/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_DRM_H
#define HV_VIRTIO_DEV_GPU_DRM_H

#include "base/err.h"
#include "virtio/dev/gpu_output.h"

/*
 * The screens of a virtio-gpu on connectors of a card of this machine (DRM/KMS). libdrm is loaded
 * when one is made, not before, so that the program runs where there is none.
 *
 * The card is this process's alone (DRM master) until release; somebody else's mastership is seen
 * at the next frame, and ended by take. Pictures are copied into two buffers by turns and shown by
 * atomic commits with the damage, where the driver has them, or else by page flips; where
 * there are none either, one buffer is written to while it is shown. Cursors come with the frames.
 */
struct hv_gpu_drm_opts {
	const char *card; /* "/dev/dri/card0"; NULL = the first that has a connector of that name */
	const char *const *connectors; /* by screen, "HDMI-A-1"; NULL, or an entry NULL: the first
					  connected one that is left */
	const char *mode;	       /* "1280x800" or "1280x800@60"; NULL: the guest's size where
					  the display has it, or else the one it prefers */
	unsigned int scanouts;	       /* 0 = 1 */
	const char *library;	       /* NULL = "libdrm.so.2" */
};

/*
 * -ENOTSUP: no libdrm; -ENODEV: no card, or one without buffers of this kind; -ENOENT: no such
 * connector or mode, with what there is; -EBUSY: somebody else has the card. main thread.
 */
int hv_gpu_drm_new(const struct hv_gpu_drm_opts *opts, struct hv_gpu_output **out,
		   struct hv_err *err);

#endif
