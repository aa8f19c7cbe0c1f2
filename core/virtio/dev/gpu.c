// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/gpu.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/gpu_kept.h"
#include "virtio/dev/gpu_png.h"

#define Q_CONTROL 0
#define Q_CURSOR 1
#define CONTROL_SIZE 256
#define CURSOR_SIZE 64

/* Then the output gets its frames, and the guest hears of what is done. */
#define TURN_CHAINS 64
#define TURN_BYTES (UINT64_C(64) << 20)

/* ---- config space */

static struct virtio_gpu_config config_of(const struct hv_gpu *gpu)
{
	return (struct virtio_gpu_config){
		.events_read = htole32(gpu->events),
		.num_scanouts = htole32(gpu->n_scanouts),
	};
}

static void gpu_config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	struct virtio_gpu_config config = config_of(dev->state);

	memcpy(to, (const uint8_t *)&config + off, len);
}

static void gpu_config_write(struct hv_vdev *dev, unsigned int off, const void *from,
			     unsigned int len)
{
	struct hv_gpu *gpu = dev->state;
	uint32_t clear;

	if (off != offsetof(struct virtio_gpu_config, events_clear) || len != sizeof(clear))
		return;
	memcpy(&clear, from, sizeof(clear));
	gpu->events &= ~le32toh(clear);
}

void hv_gpu_display_changed(struct hv_gpu *gpu)
{
	hv_vdev_config_begin(gpu->dev);
	gpu->events |= VIRTIO_GPU_EVENT_DISPLAY;
	hv_vdev_config_end(gpu->dev);
}

/* ---- screens, as the guest is told */

struct hv_gpu_preferred hv_gpu_told(const struct hv_gpu *gpu, unsigned int scanout)
{
	const struct hv_gpu_scanout *s = &gpu->scanouts[scanout];
	struct hv_gpu_preferred told = s->wish;
	const char *name = strrchr(gpu->dev->name, '/');

	told.connected = s->wish.connected && !s->pulled;
	if (s->width) {
		/* The display's own rate and size belong to its own mode. */
		if (told.w != s->width || told.h != s->height)
			told.w_mm = told.h_mm = told.refresh_mhz = 0;
		told.w = s->width;
		told.h = s->height;
	} else if (!told.w || !told.h || told.w > HV_GPU_SIDE_MAX || told.h > HV_GPU_SIDE_MAX) {
		told.w = HV_GPU_WIDTH;
		told.h = HV_GPU_HEIGHT;
	}
	if (!*told.name)
		strncpy(told.name, name ? name + 1 : gpu->dev->name, sizeof(told.name) - 1);
	return told;
}

static bool same(const struct hv_gpu_preferred *a, const struct hv_gpu_preferred *b)
{
	return a->connected == b->connected && a->w == b->w && a->h == b->h && a->w_mm == b->w_mm &&
	       a->h_mm == b->h_mm && a->refresh_mhz == b->refresh_mhz && !strcmp(a->name, b->name);
}

static bool ask(struct hv_gpu *gpu, unsigned int scanout)
{
	struct hv_gpu_scanout *s = &gpu->scanouts[scanout];
	struct hv_gpu_preferred wish = { .connected = true };
	bool changed;

	if (gpu->out->ops->preferred) {
		pthread_mutex_lock(&gpu->output_lock);
		gpu->out->ops->preferred(gpu->out, scanout, &wish);
		pthread_mutex_unlock(&gpu->output_lock);
	}
	wish.name[sizeof(wish.name) - 1] = 0;
	pthread_mutex_lock(&gpu->lock);
	changed = !same(&wish, &s->wish);
	s->wish = wish;
	pthread_mutex_unlock(&gpu->lock);
	return changed;
}

void hv_gpu_ask_output(struct hv_gpu *gpu)
{
	bool changed = false;

	for (unsigned int i = 0; i < gpu->n_scanouts; i++)
		changed |= ask(gpu, i);
	if (changed)
		hv_gpu_display_changed(gpu);
}

/* ---- the worker */

/* The backend's descriptor ended: it is not asked again, so that nothing spins. */
static void output_gone(struct hv_vdev *dev, struct hv_worker *w)
{
	w->fds[0].events = 0;
	hv_vdev_error(dev, "its output has gone");
}

static int serve(struct hv_gpu *gpu, struct hv_worker *w, unsigned int queue)
{
	struct hv_vdev *dev = gpu->dev;
	struct hv_vq *vq = &dev->queues[queue];
	uint64_t budget = TURN_BYTES;
	struct hv_chain chain;
	int done = 0;

	vq->quiet = false;
	while (budget && done < TURN_CHAINS && hv_queue_pop(&vq->ring, &chain) > 0) {
		uint64_t now = hv_now(), bytes = hv_gpu_command_bytes(gpu, &chain), when;

		when = hv_limit_take(&dev->limit, 1, bytes, now);
		if (when) {
			hv_queue_unpop(&vq->ring);
			vq->quiet = true;
			hv_worker_wake(w, when);
			break;
		}
		if (queue == Q_CONTROL)
			gpu->at = vq->ring.used_idx;
		hv_queue_push(&vq->ring, chain.head,
			      hv_gpu_command(gpu, &chain, queue == Q_CURSOR));
		if (queue == Q_CONTROL) {
			hv_gpu_note_done(gpu);
			gpu->again -= gpu->again > 0;
		}
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_latency(&dev->stats, hv_now() - now, 1);
		budget -= bytes < budget ? bytes : budget;
		done++;
	}
	return done;
}

static int gpu_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_gpu *gpu = dev->state;
	int done;

	w->wake_at = 0;
	if (w->fds[0].revents & (POLLERR | POLLHUP | POLLNVAL))
		output_gone(dev, w);
	else if (w->fds[0].events && (w->fds[0].revents || hv_gpu_waiting(gpu)))
		hv_gpu_dispatch(gpu);
	done = serve(gpu, w, Q_CURSOR) + serve(gpu, w, Q_CONTROL);
	hv_gpu_show(gpu);
	hv_vq_flush(&dev->queues[Q_CURSOR]);
	hv_vq_flush(&dev->queues[Q_CONTROL]);
	return done;
}

static uint32_t life_of(struct hv_gpu *gpu)
{
	uint32_t life;

	pthread_mutex_lock(&gpu->dev->lock);
	life = gpu->life;
	pthread_mutex_unlock(&gpu->dev->lock);
	return life;
}

/* A life may end without its queues (QueueReady = 0 before): what is left of it goes now. */
static int gpu_start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct hv_gpu *gpu = dev->state;
	bool ended = atomic_exchange(&gpu->ended, false), taken_up = gpu->opened && !ended;

	(void)err;
	gpu->opened = false;
	if (ended) {
		hv_gpu_forget(gpu);
		hv_gpu_keep_begin(gpu, life_of(gpu));
	}
	if (taken_up)
		atomic_store(&gpu->lost, true);
	hv_gpu_keep_queue(gpu, &dev->queues[Q_CONTROL].ring, taken_up);
	w->fds[0].fd = gpu->out->fd;
	w->fds[0].events = gpu->out->fd >= 0 ? POLLIN : 0;
	return 0;
}

static void gpu_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	(void)w;
	if (hv_vdev_ending(dev))
		hv_gpu_forget(dev->state);
}

static void gpu_reset(struct hv_vdev *dev)
{
	struct hv_gpu *gpu = dev->state;

	gpu->events = 0;
	gpu->life++;
	atomic_store(&gpu->ended, true);
}

/* ---- for the next process */

struct gpu_kept {
	uint32_t life, pad;
};

static void gpu_keep(struct hv_vdev *dev, void *to)
{
	const struct hv_gpu *gpu = dev->state;
	const struct gpu_kept kept = { .life = gpu->life };

	memcpy(to, &kept, sizeof(kept));
}

static int gpu_open_kept(struct hv_vdev *dev, const void *extra, const void *room,
			 const struct hv_gmem *mem, struct hv_err *err)
{
	struct gpu_kept kept;

	memcpy(&kept, extra, sizeof(kept));
	return hv_gpu_open_kept(dev->state, kept.life, room, mem, err);
}

static void gpu_restore(struct hv_vdev *dev, const void *from)
{
	struct hv_gpu *gpu = dev->state;
	struct gpu_kept kept;

	memcpy(&kept, from, sizeof(kept));
	gpu->life = kept.life;
	if (!gpu->opened)
		return;
	atomic_store(&gpu->ended, false);
	/* The screens may be others by now: the guest looks. */
	gpu->events = VIRTIO_GPU_EVENT_DISPLAY;
}

/* The life that is kept has ended. */
static void gpu_restore_reset(struct hv_vdev *dev, const void *from)
{
	struct hv_gpu *gpu = dev->state;
	struct gpu_kept kept;

	memcpy(&kept, from, sizeof(kept));
	gpu->life = kept.life + 1;
}

static void gpu_destroy(struct hv_vdev *dev)
{
	struct hv_gpu *gpu = dev->state;

	hv_gpu_unref_all(gpu);
	gpu->out->ops->close(gpu->out);
	pthread_mutex_destroy(&gpu->output_lock);
	pthread_mutex_destroy(&gpu->lock);
	free(gpu);
}

static const struct hv_vdev_ops gpu_ops = {
	.type = "gpu",
	.device_id = VIRTIO_ID_GPU,
	.config_size = sizeof(struct virtio_gpu_config),
	.config_read = gpu_config_read,
	.config_write = gpu_config_write,
	.reset = gpu_reset,
	.start = gpu_start,
	.work = gpu_work,
	.stop = gpu_stop,
	.keeps = true,
	.kept_size = sizeof(struct gpu_kept),
	.keep = gpu_keep,
	.restore = gpu_restore,
	.restore_reset = gpu_restore_reset,
	.kept_room = sizeof(struct gpu_room),
	.open_kept = gpu_open_kept,
	.destroy = gpu_destroy,
};

/* ---- main thread */

static int check_size(uint32_t w, uint32_t h, struct hv_err *err)
{
	if (!w || !h || w > HV_GPU_SIDE_MAX || h > HV_GPU_SIDE_MAX)
		return hv_err_set(err, EINVAL, "a screen of %u x %u pixels; each side is 1 to %u",
				  w, h, HV_GPU_SIDE_MAX);
	return 0;
}

static int check_opts(const struct hv_gpu_opts *opts, struct hv_err *err)
{
	if (opts->scanouts > HV_GPU_SCANOUTS)
		return hv_err_set(err, EINVAL, "%u screens; there can be %d", opts->scanouts,
				  HV_GPU_SCANOUTS);
	if (opts->memory > HV_GPU_MEMORY_MAX)
		return hv_err_set(err, EINVAL, "memory of %llu bytes; at most %llu are possible",
				  (unsigned long long)opts->memory,
				  (unsigned long long)HV_GPU_MEMORY_MAX);
	return opts->width || opts->height
		       ? check_size(opts->width ?: HV_GPU_WIDTH, opts->height ?: HV_GPU_HEIGHT, err)
		       : 0;
}

static int make(struct hv_vdev *dev, const char *name, const struct hv_gpu_opts *opts,
		struct hv_err *err)
{
	static const uint16_t sizes[] = { [Q_CONTROL] = CONTROL_SIZE, [Q_CURSOR] = CURSOR_SIZE };
	struct hv_gpu *gpu = calloc(1, sizeof(*gpu));
	int rc;

	if (!gpu)
		return hv_err_nomem(err);
	rc = hv_vdev_init(dev, &gpu_ops, name, 2, sizes, NULL, HV_FEATURE(VIRTIO_GPU_F_EDID), err);
	if (rc) {
		free(gpu);
		return rc;
	}
	pthread_mutex_init(&gpu->lock, NULL);
	pthread_mutex_init(&gpu->output_lock, NULL);
	dev->state = gpu;
	dev->origin = opts->origin;
	gpu->dev = dev;
	gpu->out = opts->output;
	gpu->n_scanouts = opts->scanouts ?: 1;
	gpu->memory_max = opts->memory ?: HV_GPU_MEMORY;
	/* No life has begun. */
	atomic_store(&gpu->ended, true);
	for (unsigned int i = 0; i < gpu->n_scanouts; i++) {
		if (opts->width || opts->height) {
			gpu->scanouts[i].width = opts->width ?: HV_GPU_WIDTH;
			gpu->scanouts[i].height = opts->height ?: HV_GPU_HEIGHT;
		}
		ask(gpu, i);
	}
	return 0;
}

int hv_gpu_init(struct hv_vdev *dev, const char *name, const struct hv_gpu_opts *opts,
		struct hv_err *err)
{
	char origin[HV_ORIGIN_TEXT];
	int rc = check_opts(opts, err);

	if (!rc)
		rc = make(dev, name, opts, err);
	if (!rc) {
		hv_gpu_png_load();
		return 0;
	}
	opts->output->ops->close(opts->output);
	hv_origin_format(&opts->origin, origin);
	hv_err_prefix(err, "%s%s%s%s: ", name, *origin ? " (" : "", origin, *origin ? ")" : "");
	return rc;
}

int hv_gpu_check_scanout(const struct hv_gpu *gpu, unsigned int scanout, struct hv_err *err)
{
	if (scanout < gpu->n_scanouts)
		return 0;
	return hv_err_set(err, EINVAL, "there is no screen %u: it has %u, counted from 0", scanout,
			  gpu->n_scanouts);
}

int hv_gpu_resize(struct hv_vdev *dev, unsigned int scanout, uint32_t width, uint32_t height,
		  struct hv_err *err)
{
	struct hv_gpu *gpu = dev->state;
	struct hv_gpu_preferred before, after;
	struct hv_gpu_scanout *s;
	int rc = hv_gpu_check_scanout(gpu, scanout, err);

	if (!rc && (width || height))
		rc = check_size(width, height, err);
	if (rc) {
		hv_err_prefix(err, "%s: ", dev->name);
		return rc;
	}
	s = &gpu->scanouts[scanout];
	pthread_mutex_lock(&gpu->lock);
	before = hv_gpu_told(gpu, scanout);
	s->pulled = !width;
	if (width) {
		s->width = width;
		s->height = height;
	}
	after = hv_gpu_told(gpu, scanout);
	pthread_mutex_unlock(&gpu->lock);
	if (!same(&before, &after))
		hv_gpu_display_changed(gpu);
	return 0;
}

static int hand_over(struct hv_vdev *dev, bool take, struct hv_err *err)
{
	struct hv_gpu *gpu = dev->state;
	const struct hv_gpu_output_ops *ops = gpu->out->ops;
	int rc;

	if (!ops->release || !ops->take) {
		hv_err_set(err, ENOTSUP, "its output is %s: there is no display to give",
			   ops->name);
		hv_err_prefix(err, "%s: ", dev->name);
		return -ENOTSUP;
	}
	pthread_mutex_lock(&gpu->output_lock);
	rc = take ? ops->take(gpu->out, err) : ops->release(gpu->out, err);
	pthread_mutex_unlock(&gpu->output_lock);
	if (rc) {
		hv_err_prefix(err, "%s: ", dev->name);
		return rc;
	}
	gpu->away = !take;
	if (take) {
		/* Another display may be there by now. */
		hv_gpu_ask_output(gpu);
		atomic_store(&gpu->lost, true);
		hv_vdev_poke(dev);
	}
	return 0;
}

int hv_gpu_release(struct hv_vdev *dev, struct hv_err *err)
{
	return hand_over(dev, false, err);
}

int hv_gpu_take(struct hv_vdev *dev, struct hv_err *err)
{
	return hand_over(dev, true, err);
}

void hv_gpu_info(struct hv_vdev *dev, struct hv_gpu_info *info)
{
	struct hv_gpu *gpu = dev->state;

	pthread_mutex_lock(&gpu->lock);
	*info = (struct hv_gpu_info){ .output = gpu->out->ops->name,
				      .scanouts = gpu->n_scanouts,
				      .resources = gpu->n_resources,
				      .memory = gpu->memory,
				      .memory_max = gpu->memory_max,
				      .away = gpu->away };
	for (unsigned int i = 0; i < gpu->n_scanouts; i++) {
		const struct hv_gpu_scanout *s = &gpu->scanouts[i];
		struct hv_gpu_preferred told = hv_gpu_told(gpu, i);

		info->screen[i] = (struct hv_gpu_screen_info){
			.connected = told.connected,
			.width = told.w,
			.height = told.h,
			.on = s->res != NULL,
			.shown_width = s->res ? s->rect.w : 0,
			.shown_height = s->res ? s->rect.h : 0,
			.cursor = s->has_cursor,
			.cursor_x = s->cursor_x,
			.cursor_y = s->cursor_y,
			.frames = s->frames,
		};
	}
	pthread_mutex_unlock(&gpu->lock);
}
