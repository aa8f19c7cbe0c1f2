/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAKE_LIBDRM_H
#define TESTS_FAKE_LIBDRM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A library with libdrm's calls and a card of two connectors behind it: HDMI-A-1 (modes 1280x800,
 * 1024x768 at 60 and 75 Hz) and Virtual-1. The "card" is a file, whose parts are the buffers. What
 * a test finds in the library as `fake_drm`:
 */
#define FAKE_FBS 64
#define FAKE_RECTS 16

struct fake_fb {
	uint32_t w, h, pitch;
	uint64_t offset; /* in the card's file */
	bool live;
};

struct fake_drm {
	/* set by the test */
	bool no_atomic, no_damage, no_flip, no_nonblock_modeset, no_dumb, other_master, no_rights;
	bool connected[2];
	int commit_errno; /* of the next commits; 0 = they succeed */
	/* seen by the test */
	bool master; /* may be set by it: of who opens a card that nobody has */
	unsigned int commits, modesets, set_crtcs, flips, dirties, asleep_commits;
	uint32_t fb[2];	      /* shown by CRTC; 0 = off */
	uint32_t mode_w[2];   /* of CRTC */
	unsigned int n_rects; /* damage of the last commit or DirtyFB; 0 = not given */
	struct {
		int32_t x1, y1, x2, y2;
	} rects[FAKE_RECTS];
	struct fake_fb fbs[FAKE_FBS];
	unsigned int live_fbs, live_dumbs, live_blobs, live_objects;
	unsigned int pending; /* flips whose events have not been read */
	bool hold;	      /* they do not come yet */
};

#endif
