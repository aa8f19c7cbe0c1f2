// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/vt.h"

#if HVSH_VIRTIO_GPU

#include <errno.h>
#include <fcntl.h>
#include <linux/vt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/dev/gpu.h"
#include "zone/serve.h"

#define DISPLAYS 16

/* Of no meaning to anybody else. */
#define LEAVE (SIGRTMIN + 4)
#define BACK (SIGRTMIN + 5)

struct hv_vt {
	struct hv_session *session;
	int fd; /* the controlling terminal */
	struct hv_source *leave, *back;
	/* What was given away for the switch. */
	unsigned int n_given;
	uint64_t given[DISPLAYS];
};

/* The next device that shows something on a display of this machine. */
static struct hv_served *next_display(const struct hv_session *s, struct hv_served *prev)
{
	struct hv_gpu_info info;

	while (s->serve && (prev = hv_serve_next(s->serve, prev))) {
		if (strcmp(prev->type, "gpu") != 0)
			continue;
		hv_gpu_info(&prev->dev, &info);
		if (!strcmp(info.output, "drm"))
			return prev;
	}
	return NULL;
}

static void on_leave(struct hv_source *src, const struct signalfd_siginfo *signal, void *arg)
{
	struct hv_vt *vt = arg;
	struct hv_gpu_info info;
	struct hv_err err;

	(void)src;
	(void)signal;
	vt->n_given = 0;
	for (struct hv_served *d = NULL; (d = next_display(vt->session, d));) {
		hv_gpu_info(&d->dev, &info);
		if (info.away || vt->n_given == DISPLAYS)
			continue;
		if (hv_gpu_release(&d->dev, &err) < 0)
			hv_log_warn("the terminal is switched: %s", err.msg);
		else
			vt->given[vt->n_given++] = d->serial;
	}
	if (ioctl(vt->fd, VT_RELDISP, 1) < 0)
		hv_log_warn("the terminal cannot be left: %s", strerror(errno));
}

static bool was_given(const struct hv_vt *vt, uint64_t serial)
{
	for (unsigned int i = 0; i < vt->n_given; i++)
		if (vt->given[i] == serial)
			return true;
	return false;
}

static void on_back(struct hv_source *src, const struct signalfd_siginfo *signal, void *arg)
{
	struct hv_vt *vt = arg;
	struct hv_err err;

	(void)src;
	(void)signal;
	if (ioctl(vt->fd, VT_RELDISP, VT_ACKACQ) < 0)
		hv_log_warn("the terminal cannot be taken: %s", strerror(errno));
	for (struct hv_served *d = NULL; (d = next_display(vt->session, d));)
		if (was_given(vt, d->serial) && hv_gpu_take(&d->dev, &err) < 0)
			hv_log_warn("the terminal is back: %s", err.msg);
	vt->n_given = 0;
}

static int watch(struct hv_vt *vt, struct hv_loop *loop, struct hv_err *err)
{
	struct vt_mode mode = { .mode = VT_PROCESS, .relsig = LEAVE, .acqsig = BACK };

	/* What is still under way when they are not waited for any more. */
	signal(LEAVE, SIG_IGN);
	signal(BACK, SIG_IGN);
	if (hv_loop_add_signal(loop, LEAVE, on_leave, vt, &vt->leave, err) < 0 ||
	    hv_loop_add_signal(loop, BACK, on_back, vt, &vt->back, err) < 0)
		return -err->code;
	if (ioctl(vt->fd, VT_SETMODE, &mode) < 0)
		return hv_err_sys(err, errno, "the terminal's switches cannot be watched");
	return 0;
}

struct hv_vt *hv_vt_watch(struct hv_session *session, struct hv_loop *loop)
{
	struct vt_mode mode;
	struct hv_err err;
	struct hv_vt *vt;
	int fd;

	if (!next_display(session, NULL))
		return NULL;
	fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	/* One that is watched already has a master of its own. */
	if (fd < 0 || ioctl(fd, VT_GETMODE, &mode) < 0 || mode.mode != VT_AUTO) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	vt = calloc(1, sizeof(*vt));
	if (!vt) {
		close(fd);
		return NULL;
	}
	vt->session = session;
	vt->fd = fd;
	if (watch(vt, loop, &err) == 0)
		return vt;
	hv_log_warn("%s", err.msg);
	hv_vt_unwatch(vt);
	return NULL;
}

void hv_vt_unwatch(struct hv_vt *vt)
{
	struct vt_mode automatic = { .mode = VT_AUTO };

	if (!vt)
		return;
	(void)ioctl(vt->fd, VT_SETMODE, &automatic);
	hv_source_remove(vt->leave);
	hv_source_remove(vt->back);
	close(vt->fd);
	free(vt);
}

#else

struct hv_vt *hv_vt_watch(struct hv_session *session, struct hv_loop *loop)
{
	(void)session;
	(void)loop;
	return NULL;
}

void hv_vt_unwatch(struct hv_vt *vt)
{
	(void)vt;
}

#endif
