// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/blk.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "virtio/dev/blk_priv.h"

/* The largest buffer we ask for; larger ones work as well. */
#define SIZE_MAX_TOLD ((uint32_t)BLK_CHUNK)

/* ---- configuration space (5.2.4) */

static uint8_t exponent(uint32_t value)
{
	return (uint8_t)__builtin_ctz(value);
}

static void fill_config(const struct hv_blk *blk, struct virtio_blk_config *c)
{
	uint32_t physical = blk->image.overlay ? hv_overlay_cluster(blk->image.overlay)
					       : blk->image.base.physical;
	uint32_t unit;

	if (physical < blk->block_size)
		physical = blk->block_size;
	unit = physical / blk->block_size;
	*c = (struct virtio_blk_config){
		.capacity = htole64(atomic_load(&blk->sectors)),
		.size_max = htole32(SIZE_MAX_TOLD),
		.seg_max = htole32(blk->seg_max),
		.blk_size = htole32(blk->block_size),
		.physical_block_exp = exponent(unit),
		.min_io_size = htole16((uint16_t)unit),
		.opt_io_size = htole32((uint32_t)BLK_CHUNK / blk->block_size),
		.wce = !blk_write_through(blk),
		.num_queues = htole16((uint16_t)blk->dev->n_queues),
	};
	if (blk->image.readonly)
		return;
	c->max_discard_sectors = htole32(BLK_DISCARD_SECTORS);
	c->max_discard_seg = htole32(BLK_SEGMENTS);
	c->discard_sector_alignment = htole32(physical / BLK_SECTOR);
	c->max_write_zeroes_sectors = htole32(BLK_ZERO_SECTORS);
	c->max_write_zeroes_seg = htole32(BLK_SEGMENTS);
	c->write_zeroes_may_unmap = blk->image.overlay || blk->image.base.punches;
}

static void config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	struct virtio_blk_config config;

	fill_config(blk_of(dev), &config);
	memcpy(to, (const uint8_t *)&config + off, len);
}

static void config_write(struct hv_vdev *dev, unsigned int off, const void *from, unsigned int len)
{
	const unsigned int wce = offsetof(struct virtio_blk_config, wce);
	struct hv_blk *blk = blk_of(dev);

	if (off > wce || wce - off >= len || !hv_vdev_has(dev, VIRTIO_BLK_F_CONFIG_WCE))
		return;
	atomic_store(&blk->writeback, ((const uint8_t *)from)[wce - off] & 1);
	atomic_store(&blk->writeback_set, true);
}

/* Device lock held. */
struct kept {
	uint8_t writeback, writeback_set;
};

static void keep(struct hv_vdev *dev, void *to)
{
	const struct hv_blk *blk = blk_of(dev);
	struct kept kept = { atomic_load(&blk->writeback), atomic_load(&blk->writeback_set) };

	memcpy(to, &kept, sizeof(kept));
}

static void restore(struct hv_vdev *dev, const void *from)
{
	struct hv_blk *blk = blk_of(dev);
	struct kept kept;

	memcpy(&kept, from, sizeof(kept));
	atomic_store(&blk->writeback, kept.writeback & 1);
	atomic_store(&blk->writeback_set, kept.writeback_set & 1);
}

/* ---- lives */

static int start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	return blk_worker_start(blk_of(dev), w, err);
}

static int work(struct hv_vdev *dev, struct hv_worker *w)
{
	(void)dev;
	return blk_worker_turn(w->state);
}

static bool drain(struct hv_vdev *dev, struct hv_worker *w)
{
	(void)dev;
	return blk_worker_drain(w->state);
}

static void stop(struct hv_vdev *dev, struct hv_worker *w)
{
	blk_worker_stop(w->state, hv_vdev_ending(dev));
}

static bool ready(struct hv_vdev *dev, struct hv_worker *w)
{
	(void)dev;
	return blk_worker_ready(w->state);
}

static void reset(struct hv_vdev *dev)
{
	atomic_store(&blk_of(dev)->writeback_set, false);
}

static int close_image(struct hv_blk_image *image)
{
	int rc;

	if (image->overlay) {
		rc = hv_overlay_close(image->overlay);
		image->overlay = NULL;
	} else {
		rc = image->base.fd >= 0 ? hv_blk_image_sync(image) : 0;
	}
	hv_blk_file_close(&image->base);
	return rc;
}

static void destroy(struct hv_vdev *dev)
{
	struct hv_blk *blk = blk_of(dev);
	char path[PATH_MAX], origin[HV_ORIGIN_TEXT];
	int rc;

	snprintf(path, sizeof(path), "%s",
		 blk->image.overlay ? hv_overlay_path(blk->image.overlay) : blk->image.base.path);
	rc = close_image(&blk->image);
	if (rc)
		hv_log_error(
			"%s (%s): what the guest wrote last could not be brought to the disk: %s",
			path, hv_origin_format(&dev->origin, origin), strerror(-rc));
	free(blk);
}

static const struct hv_vdev_ops blk_ops = {
	.type = "blk",
	.device_id = VIRTIO_ID_BLOCK,
	.config_size = offsetof(struct virtio_blk_config, unused1),
	.config_read = config_read,
	.config_write = config_write,
	.reset = reset,
	.start = start,
	.work = work,
	.drain = drain,
	.ready = ready,
	.stop = stop,
	.keeps = true,
	.kept_size = sizeof(struct kept),
	.keep = keep,
	.restore = restore,
	.destroy = destroy,
};

/* ---- creation */

/* Puts device and script line before what is there. */
static int name_trouble(const char *name, const struct hv_origin *origin, struct hv_err *err)
{
	char text[HV_ORIGIN_TEXT];

	hv_origin_format(origin, text);
	return hv_err_prefix(err, "%s%s%s%s: ", name, *text ? " (" : "", text, *text ? ")" : "");
}

static int check_opts(const struct hv_blk_opts *o, struct hv_err *err)
{
	bool layered = o->overlay || o->snapshot;

	if (!o->image || !*o->image)
		return hv_err_set(err, EINVAL, "a disk needs an image");
	if (o->overlay && o->snapshot)
		return hv_err_set(
			err, EINVAL,
			"either overlay, which keeps what is written, or snapshot, which does not");
	if (layered && o->readonly)
		return hv_err_set(err, EINVAL,
				  "a read-only disk has no use for an overlay or a snapshot");
	if (layered && o->direct)
		return hv_err_set(err, EINVAL,
				  "direct is possible only without overlay and snapshot");
	if (o->overlay && !strcmp(o->overlay, o->image))
		return hv_err_set(err, EINVAL, "%s: cannot be an overlay above itself", o->overlay);
	if (o->serial && strlen(o->serial) > HV_BLK_SERIAL_MAX)
		return hv_err_set(err, EINVAL, "serial \"%s\": at most %d bytes", o->serial,
				  HV_BLK_SERIAL_MAX);
	if (o->queues > HV_VDEV_QUEUES)
		return hv_err_set(err, EINVAL, "%u queues: a disk has at most %d", o->queues,
				  HV_VDEV_QUEUES);
	if (o->queue_size && (o->queue_size < 4 || o->queue_size > HV_QUEUE_MAX ||
			      o->queue_size & (o->queue_size - 1)))
		return hv_err_set(err, EINVAL, "queue_size %u: a power of two from 4 to %d",
				  o->queue_size, HV_QUEUE_MAX);
	if (o->block_size && (o->block_size < BLK_SECTOR || o->block_size > HV_PAGE_SIZE ||
			      o->block_size & (o->block_size - 1)))
		return hv_err_set(err, EINVAL, "block_size %u: 512, 1024, 2048 or 4096",
				  o->block_size);
	return 0;
}

static int open_image(struct hv_blk *blk, const struct hv_blk_opts *o, struct hv_err *err)
{
	bool base_only = !o->overlay && !o->snapshot;
	struct hv_blk_image *image = &blk->image;
	uint64_t bytes;
	int rc;

	image->readonly = o->readonly;
	rc = hv_blk_file_open(&image->base, o->image, o->readonly || !base_only, o->direct, err);
	if (rc)
		return rc;
	bytes = image->base.bytes;
	if (bytes < BLK_SECTOR)
		return hv_err_set(err, EINVAL, "%s: has %" PRIu64 " bytes; a disk has at least %u",
				  o->image, bytes, BLK_SECTOR);
	if (o->overlay)
		rc = hv_overlay_open(o->overlay, &image->base, &image->overlay, err);
	else if (o->snapshot)
		rc = hv_overlay_anonymous(o->snapshot_dir, &image->base, &image->overlay, err);
	if (rc)
		return rc;
	if (image->overlay)
		bytes = hv_overlay_bytes(image->overlay);
	if (bytes % BLK_SECTOR)
		hv_log_warn("%s: %" PRIu64
			    " bytes are no whole number of sectors: the last %" PRIu64
			    " are not part of the disk",
			    o->image, bytes, bytes % BLK_SECTOR);
	atomic_store(&blk->sectors, bytes / BLK_SECTOR);
	return 0;
}

static uint64_t features(const struct hv_blk *blk, unsigned int queues)
{
	uint64_t f = HV_FEATURE(VIRTIO_BLK_F_SIZE_MAX) | HV_FEATURE(VIRTIO_BLK_F_SEG_MAX) |
		     HV_FEATURE(VIRTIO_BLK_F_BLK_SIZE) | HV_FEATURE(VIRTIO_BLK_F_TOPOLOGY) |
		     HV_FEATURE(VIRTIO_BLK_F_FLUSH);

	if (queues > 1)
		f |= HV_FEATURE(VIRTIO_BLK_F_MQ);
	if (blk->image.readonly)
		return f | HV_FEATURE(VIRTIO_BLK_F_RO);
	f |= HV_FEATURE(VIRTIO_BLK_F_CONFIG_WCE) | HV_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	if (blk->image.overlay || blk->image.base.punches)
		f |= HV_FEATURE(VIRTIO_BLK_F_DISCARD);
	return f;
}

static void set_serial(struct hv_blk *blk, const char *serial, const char *name)
{
	size_t len;

	if (!serial) {
		/* The end of the name tells a zone's disks apart. */
		len = strlen(name);
		serial = len > HV_BLK_SERIAL_MAX ? name + len - HV_BLK_SERIAL_MAX : name;
	}
	len = strlen(serial);
	memcpy(blk->serial, serial, len);
}

int hv_blk_init(struct hv_vdev *dev, const char *name, const struct hv_blk_opts *o,
		struct hv_err *err)
{
	unsigned int n_queues = o->queues ? o->queues : 1, worker_of[HV_VDEV_QUEUES];
	uint16_t size = (uint16_t)(o->queue_size ? o->queue_size : HV_BLK_QUEUE_SIZE);
	uint16_t queue_max[HV_VDEV_QUEUES];
	struct hv_blk *blk;
	int rc = check_opts(o, err);

	if (rc)
		return name_trouble(name, &o->origin, err);
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		return hv_err_nomem(err);
	blk->dev = dev;
	blk->engine = o->engine;
	blk->snapshot = o->snapshot;
	blk->seg_max = (uint16_t)(size - 2); /* header and status are descriptors, too */
	blk->image.base.fd = blk->image.base.direct_fd = -1;
	set_serial(blk, o->serial, name);
	rc = open_image(blk, o, err);
	if (rc) {
		name_trouble(name, &o->origin, err);
		goto fail;
	}
	blk->block_size = o->block_size ? o->block_size
			  : blk->image.base.block_device && blk->image.base.block <= HV_PAGE_SIZE
				  ? blk->image.base.block
				  : BLK_SECTOR;
	for (unsigned int i = 0; i < n_queues; i++) {
		queue_max[i] = size;
		worker_of[i] = i % HV_VDEV_WORKERS;
	}
	rc = hv_vdev_init(dev, &blk_ops, name, n_queues, queue_max, worker_of,
			  features(blk, n_queues), err);
	if (rc)
		goto fail;
	dev->state = blk;
	dev->origin = o->origin;
	dev->fleeting = o->snapshot;
	return 0;
fail:
	close_image(&blk->image);
	free(blk);
	return rc;
}

/* ---- at run time */

static int grow_file(struct hv_blk *blk, uint64_t bytes, struct hv_err *err)
{
	const struct hv_blk_file *base = &blk->image.base;
	int64_t there = hv_blk_file_size(base);

	if (base->block_device)
		return hv_err_set(err, EINVAL,
				  "%s: a block device has the size it has; resize without a size "
				  "takes it over",
				  base->path);
	if (blk->image.readonly)
		return hv_err_set(err, EROFS, "%s: is open for reading only", base->path);
	if (there < 0)
		return hv_err_sys(err, (int)-there, "%s: cannot ask for its size", base->path);
	if ((uint64_t)there < bytes && ftruncate(base->fd, (off_t)bytes))
		return hv_err_sys(err, errno, "%s: cannot make it longer", base->path);
	return 0;
}

static int take_over(struct hv_blk *blk, uint64_t *bytes, struct hv_err *err)
{
	const struct hv_blk_file *base = &blk->image.base;
	int64_t there;

	if (blk->image.overlay)
		return hv_err_set(err, EINVAL,
				  "a disk with an overlay or a snapshot needs its new size");
	there = hv_blk_file_size(base);
	if (there < 0)
		return hv_err_sys(err, (int)-there, "%s: cannot ask for its size", base->path);
	if (there < BLK_SECTOR)
		return hv_err_set(err, EINVAL, "%s: has %" PRId64 " bytes; a disk has at least %u",
				  base->path, there, BLK_SECTOR);
	*bytes = (uint64_t)there;
	return 0;
}

static int grow(struct hv_blk *blk, uint64_t bytes, struct hv_err *err)
{
	uint64_t now = atomic_load(&blk->sectors) * BLK_SECTOR;

	if (bytes % BLK_SECTOR || bytes > INT64_MAX)
		return hv_err_set(err, EINVAL,
				  "a size of %" PRIu64 " bytes: must be a multiple of %u", bytes,
				  BLK_SECTOR);
	if (bytes < now)
		return hv_err_set(err, EINVAL,
				  "a size of %" PRIu64
				  " bytes would cut data off: the disk has %" PRIu64,
				  bytes, now);
	return blk->image.overlay ? hv_overlay_resize(blk->image.overlay, bytes, err)
				  : grow_file(blk, bytes, err);
}

int hv_blk_resize(struct hv_vdev *dev, uint64_t bytes, struct hv_err *err)
{
	struct hv_blk *blk = blk_of(dev);
	char text[64];
	int rc = bytes ? grow(blk, bytes, err) : take_over(blk, &bytes, err);

	if (rc)
		return name_trouble(dev->name, &dev->origin, err);
	if (bytes / BLK_SECTOR == atomic_load(&blk->sectors))
		return 0;
	hv_vdev_config_begin(dev);
	atomic_store(&blk->sectors, bytes / BLK_SECTOR);
	hv_vdev_config_end(dev);
	snprintf(text, sizeof(text), "has %" PRIu64 " bytes now", bytes);
	if (dev->event)
		dev->event(dev, HV_EV_RESIZE, text, dev->event_arg);
	return 0;
}

int hv_blk_sync(struct hv_vdev *dev, struct hv_err *err)
{
	struct hv_blk *blk = blk_of(dev);
	int rc = hv_blk_image_sync(&blk->image);

	if (!rc)
		return 0;
	hv_err_sys(err, -rc, "%s: cannot bring it to the disk", blk->image.base.path);
	return name_trouble(dev->name, &dev->origin, err);
}

void hv_blk_info(struct hv_vdev *dev, struct hv_blk_info *info)
{
	struct hv_blk *blk = blk_of(dev);

	*info = (struct hv_blk_info){
		.image = blk->image.base.path,
		.overlay = blk->image.overlay && !blk->snapshot
				   ? hv_overlay_path(blk->image.overlay)
				   : NULL,
		.engine = atomic_load(&blk->threads_only) ? "threads" : "io_uring",
		.bytes = atomic_load(&blk->sectors) * BLK_SECTOR,
		.readonly = blk->image.readonly,
		.snapshot = blk->snapshot,
		.direct = blk->image.base.direct_fd >= 0,
		.block_device = blk->image.base.block_device,
	};
	memcpy(info->serial, blk->serial, sizeof(blk->serial));
}
