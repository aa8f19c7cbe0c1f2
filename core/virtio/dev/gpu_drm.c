// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/gpu_drm.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/dev/gpu_drm_priv.h"

static struct hv_drm *drm_of(struct hv_gpu_output *out)
{
	return (struct hv_drm *)out;
}

static struct hv_drm_screen *screen_of(struct hv_gpu_output *out, unsigned int scanout)
{
	return &drm_of(out)->screens[scanout];
}

/* ---- modes and frames */

static void drm_preferred(struct hv_gpu_output *out, unsigned int scanout,
			  struct hv_gpu_preferred *to)
{
	const struct hv_drm_screen *s = screen_of(out, scanout);
	const drmModeModeInfo *mode = hv_drm_mode_for(s, 0, 0);

	*to = (struct hv_gpu_preferred){ .connected = s->connected && mode };
	snprintf(to->name, sizeof(to->name), "%.*s", (int)sizeof(to->name) - 1, s->name);
	if (!mode)
		return;
	to->w = mode->hdisplay;
	to->h = mode->vdisplay;
	to->w_mm = s->w_mm;
	to->h_mm = s->h_mm;
	to->refresh_mhz = hv_drm_refresh(mode);
}

static void place(struct hv_drm_screen *s, uint32_t w, uint32_t h)
{
	uint32_t mode_w = s->mode.hdisplay, mode_h = s->mode.vdisplay;

	s->w = w;
	s->h = h;
	s->seen_w = w < mode_w ? w : mode_w;
	s->seen_h = h < mode_h ? h : mode_h;
	s->x = (mode_w - s->seen_w) / 2;
	s->y = (mode_h - s->seen_h) / 2;
	hv_drm_buffers_clear(s);
}

static int drm_mode(struct hv_gpu_output *out, unsigned int scanout, uint32_t w, uint32_t h,
		    struct hv_err *err)
{
	struct hv_drm_screen *s = screen_of(out, scanout);
	const drmModeModeInfo *mode = hv_drm_mode_for(s, w, h);
	int ret = 0;

	if (s->drm->away)
		return 0;
	if (!mode)
		return hv_err_set(err, ENODEV, "nothing is connected to %s %s", s->drm->card,
				  s->name);
	if (!s->buffers[0].map || memcmp(mode, &s->mode, sizeof(*mode)) != 0) {
		ret = hv_drm_buffers_make(s, mode, err);
		s->modeset = true;
	}
	if (!ret)
		place(s, w, h);
	return ret;
}

static bool drm_ready(struct hv_gpu_output *out, unsigned int scanout)
{
	return drm_of(out)->away || !screen_of(out, scanout)->pending;
}

static int drm_frame(struct hv_gpu_output *out, unsigned int scanout,
		     const struct hv_gpu_frame *frame, const struct hv_gpu_rect *damage,
		     unsigned int n, struct hv_err *err)
{
	struct hv_drm_screen *s = screen_of(out, scanout);
	struct hv_gpu_rect shown[HV_GPU_DAMAGE];
	unsigned int n_shown = 0;
	int ret;

	if (s->drm->away || !s->buffers[s->back].map)
		return 0;
	hv_drm_buffer_draw(s, frame, damage, n);
	for (unsigned int i = 0; i < n; i++) {
		struct hv_gpu_rect r = damage[i];

		if (r.x >= s->seen_w || r.y >= s->seen_h)
			continue;
		r.w = r.w < s->seen_w - r.x ? r.w : s->seen_w - r.x;
		r.h = r.h < s->seen_h - r.y ? r.h : s->seen_h - r.y;
		r.x += s->x;
		r.y += s->y;
		shown[n_shown++] = r;
	}
	/* All of it where the mode has no room. */
	if (!n_shown && !s->modeset)
		return 0;
	ret = hv_drm_commit(s, shown, n_shown, err);
	if (!ret)
		hv_drm_buffers_swap(s, damage, n);
	return ret;
}

static void drm_blank(struct hv_gpu_output *out, unsigned int scanout)
{
	struct hv_drm_screen *s = screen_of(out, scanout);

	if (!s->buffers[0].map)
		return;
	if (!s->drm->away)
		hv_drm_commit_off(s);
	hv_drm_buffers_free(s);
}

/* ---- what the card says */

static void on_flip(int fd, unsigned int sequence, unsigned int sec, unsigned int usec, void *arg)
{
	struct hv_drm_screen *s = arg;

	(void)fd;
	(void)sequence;
	(void)sec;
	(void)usec;
	s->pending = false;
}

static bool tells(const char *text, size_t len, const char *word)
{
	return memmem(text, len, word, strlen(word) + 1) != NULL;
}

/* The kernel says that something was plugged in or out. */
static bool plugged(struct hv_drm *drm)
{
	struct sockaddr_nl from;
	socklen_t size = sizeof(from);
	bool found = false;
	char text[4096];
	ssize_t n;

	while ((n = recvfrom(drm->uevents, text, sizeof(text), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &size)) > 0) {
		/* Other programs can send to this group as well. */
		if (from.nl_family == AF_NETLINK && !from.nl_pid &&
		    tells(text, (size_t)n, "SUBSYSTEM=drm") && tells(text, (size_t)n, "HOTPLUG=1"))
			found = true;
		size = sizeof(from);
	}
	/* Some did not fit. */
	return found || errno == ENOBUFS;
}

static void read_flips(struct hv_drm *drm, uint32_t events)
{
	drmEventContext context = { .version = 2, .page_flip_handler = on_flip };

	if (events & EPOLLIN)
		drm->lib.drmHandleEvent(drm->fd, &context);
	if (events & (EPOLLERR | EPOLLHUP)) {
		hv_log_error("%s is gone", drm->card);
		epoll_ctl(drm->out.fd, EPOLL_CTL_DEL, drm->fd, NULL);
	}
}

static unsigned int drm_dispatch(struct hv_gpu_output *out)
{
	struct hv_drm *drm = drm_of(out);
	struct epoll_event events[2];
	int n = epoll_wait(out->fd, events, 2, 0);
	unsigned int news = 0;

	if (drm->blind) {
		read_flips(drm, EPOLLIN);
		news = HV_GPU_OUTPUT_READY;
	}
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == drm->fd) {
			read_flips(drm, events[i].events);
			news |= HV_GPU_OUTPUT_READY;
		} else if (plugged(drm)) {
			news |= hv_drm_card_probe(drm);
		}
	}
	return news;
}

/* ---- the card given away and taken back */

static int drm_release(struct hv_gpu_output *out, struct hv_err *err)
{
	struct hv_drm *drm = drm_of(out);

	if (!drm->away && drm->lib.drmDropMaster(drm->fd) < 0)
		return hv_err_sys(err, errno, "%s cannot be given away", drm->card);
	drm->away = true;
	return 0;
}

static int drm_take(struct hv_gpu_output *out, struct hv_err *err)
{
	struct hv_drm *drm = drm_of(out);

	if (drm->lib.drmSetMaster(drm->fd) < 0)
		return hv_err_sys(err, errno, "%s cannot be taken: another program has it",
				  drm->card);
	drm->away = false;
	for (unsigned int i = 0; i < drm->n_screens; i++) {
		drm->screens[i].modeset = true;
		drm->screens[i].pending = false;
	}
	hv_drm_card_probe(drm);
	return 0;
}

/* ---- beginning and end */

static void drm_close(struct hv_gpu_output *out)
{
	struct hv_drm *drm = drm_of(out);

	for (unsigned int i = 0; i < drm->n_screens; i++) {
		if (drm->screens[i].buffers[0].map && !drm->away)
			hv_drm_commit_off(&drm->screens[i]);
		hv_drm_buffers_free(&drm->screens[i]);
	}
	hv_drm_card_close(drm);
	if (drm->uevents >= 0)
		close(drm->uevents);
	if (out->fd >= 0)
		close(out->fd);
	hv_drm_lib_close(&drm->lib);
	free(drm);
}

static const struct hv_gpu_output_ops drm_ops = {
	.name = "drm",
	.preferred = drm_preferred,
	.mode = drm_mode,
	.ready = drm_ready,
	.frame = drm_frame,
	.blank = drm_blank,
	.dispatch = drm_dispatch,
	.release = drm_release,
	.take = drm_take,
	.close = drm_close,
};

/* Without it everything works but plugging. */
static int open_uevents(void)
{
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&group, sizeof(group)) == 0)
		return fd;
	hv_log_info("displays that are plugged in later are not noticed: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int watch(struct hv_drm *drm, int fd, struct hv_err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || !epoll_ctl(drm->out.fd, EPOLL_CTL_ADD, fd, &event))
		return 0;
	drm->blind = errno == EPERM;
	if (drm->blind)
		return 0;
	return hv_err_sys(err, errno, "%s cannot be watched", drm->card);
}

static int parse_mode(struct hv_drm *drm, const char *text, struct hv_err *err)
{
	int end = 0;

	if (!text)
		return 0;
	if (sscanf(text, "%5ux%5u%n@%4u%n", &drm->wish_w, &drm->wish_h, &end, &drm->wish_hz, &end) <
		    2 ||
	    text[end] || !drm->wish_w || !drm->wish_h)
		return hv_err_set(err, EINVAL,
				  "\"%s\" is no mode; one is \"1280x800\" or \"1280x800@60\"",
				  text);
	return 0;
}

int hv_gpu_drm_new(const struct hv_gpu_drm_opts *opts, struct hv_gpu_output **out,
		   struct hv_err *err)
{
	struct hv_drm *drm = calloc(1, sizeof(*drm));
	int ret;

	if (!drm)
		return hv_err_nomem(err);
	drm->out = (struct hv_gpu_output){ .ops = &drm_ops, .fd = -1, .soft_cursor = true };
	drm->fd = drm->uevents = -1;
	ret = parse_mode(drm, opts->mode, err);
	if (!ret)
		ret = hv_drm_lib_open(&drm->lib, opts->library, err);
	if (!ret)
		ret = hv_drm_card_open(drm, opts, err);
	if (!ret) {
		drm->uevents = open_uevents();
		drm->out.fd = epoll_create1(EPOLL_CLOEXEC);
		if (drm->out.fd < 0)
			ret = hv_err_sys(err, errno, "%s cannot be watched", drm->card);
	}
	ret = ret ?: watch(drm, drm->fd, err);
	ret = ret ?: watch(drm, drm->uevents, err);
	if (ret) {
		drm_close(&drm->out);
		return ret;
	}
	*out = &drm->out;
	return 0;
}
