// SPDX-License-Identifier: GPL-2.0-or-later
#include "lives.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct hv_state_id id = {
	.life = 1, .at = 0xa000000, .size = 0x200, .config = 2, .zone = 1, .irq = VRIG_IRQ
};

void lives_begin(struct lives *lives, struct hv_vdev *dev)
{
	lives_begin_with(lives, dev, LIVES_RAM);
}

void lives_begin_with(struct lives *lives, struct hv_vdev *dev, size_t ram)
{
	struct hv_err err;

	snprintf(lives->dir, sizeof(lives->dir), "/tmp/hvsh-lives-XXXXXX");
	assert_non_null(mkdtemp(lives->dir));
	assert_int_equal(hv_state_create(lives->dir, &id, dev, &err), 0);
	vrig_init(&lives->rig, dev, ram);
}

void lives_end(struct hv_vdev *dev)
{
	struct hv_state *kept = dev->kept;

	hv_vdev_destroy(dev);
	hv_state_close(kept, false);
}

void lives_leave(struct lives *lives, struct hv_vdev *dev)
{
	assert_ptr_equal(lives->rig.dev, dev);
	hv_vdev_leave(dev);
	lives_end(dev);
}

int lives_try_open(struct lives *lives, struct hv_vdev *dev, struct hv_err *err)
{
	return hv_state_open(lives->dir, &id, dev, &lives->rig.mem, err);
}

void lives_open(struct lives *lives, struct hv_vdev *dev)
{
	struct hv_err err;

	if (lives_try_open(lives, dev, &err))
		fail_msg("not taken up: %s", err.msg);
}

void lives_attach(struct lives *lives, struct hv_vdev *dev)
{
	struct hv_err err;

	lives->rig.dev = dev;
	assert_int_equal(hv_vdev_attach(dev, &lives->rig.bus, id.at, id.size, id.irq, &err), 0);
}

int lives_close(struct lives *lives, struct hv_vdev *dev)
{
	char command[128];

	vrig_free(&lives->rig);
	lives_end(dev);
	snprintf(command, sizeof(command), "rm -r %s", lives->dir);
	return system(command);
}
