// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/opener.h"
#include "virtio/dev/input_priv.h"

#define READ_EVENTS 64
#define TURN_READS 8
#define RETRY UINT64_C(1000000000) /* ns between looks for a device that was unplugged */

struct hv_evdev {
	const struct hv_evdev_host *host;
	char *path;
	int fd; /* -1 = unplugged */
	_Atomic bool gone;
	uint64_t retry_at;
	struct hv_input_caps caps;
	bool drain;   /* what waits in the kernel is of no interest */
	bool skip;    /* up to the next SYN_REPORT: the kernel has lost some */
	bool resync;  /* the guest is to be told what has become different */
	bool refused; /* another device is in its place; that was said */
	struct hv_input_event report[HV_INPUT_REPORT];
	size_t n;
	uint16_t leds; /* lit by the guest */
};

static int system_open(const char *path, int flags)
{
	return hv_opener_open(path, flags, 0);
}

static int system_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

static const struct hv_evdev_host system_host = { system_open, system_ioctl };

bool hv_evdev_gone(const struct hv_evdev *e)
{
	return atomic_load(&e->gone);
}

const char *hv_evdev_path(const struct hv_evdev *e)
{
	return e->path;
}

/* ---- opening */

static int ask(const struct hv_evdev *e, unsigned long request, void *arg)
{
	return e->host->ioctl(e->fd, request, arg);
}

/* Types that the guest is offered: not force feedback, which virtio-input does not have. */
static const uint8_t types[] = { EV_KEY, EV_REL, EV_ABS, EV_MSC, EV_SW, EV_LED, EV_SND, EV_REP };

static int read_caps(const struct hv_evdev *e, struct hv_input_caps *caps)
{
	uint8_t all[EV_CNT / 8] = { 0 };

	memset(caps, 0, sizeof(*caps));
	if (ask(e, EVIOCGID, &caps->id) < 0 || ask(e, EVIOCGBIT(0, sizeof(all)), all) < 0)
		return -errno;
	/* Not every device has these. */
	(void)ask(e, EVIOCGNAME(HV_INPUT_NAME_MAX), caps->name);
	(void)ask(e, EVIOCGUNIQ(HV_INPUT_NAME_MAX), caps->serial);
	(void)ask(e, EVIOCGPROP(sizeof(caps->props)), caps->props);
	for (size_t i = 0; i < sizeof(types); i++) {
		unsigned int type = types[i];

		if (!(all[type / 8] >> type % 8 & 1))
			continue;
		/* There is no bitmap of it, only that it repeats. */
		if (type == EV_REP)
			caps->bits[type][0] = 1u << REP_DELAY | 1u << REP_PERIOD;
		else if (ask(e, EVIOCGBIT(type, HV_INPUT_BYTES), caps->bits[type]) < 0)
			return -errno;
	}
	for (unsigned int i = 0; i < ABS_CNT; i++)
		if (hv_input_can(caps, EV_ABS, i) && ask(e, EVIOCGABS(i), &caps->abs[i]) < 0)
			return -errno;
	return 0;
}

/* Leaves e->fd -1 on failure. */
static int open_node(struct hv_evdev *e, struct hv_input_caps *caps, struct hv_err *err)
{
	int ret, version;

	e->fd = e->host->open(e->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (e->fd < 0)
		return hv_err_sys(err, errno, "%s cannot be opened", e->path);
	if (ask(e, EVIOCGVERSION, &version) < 0)
		ret = hv_err_set(err, ENOTTY,
				 "%s is no input device; those are /dev/input/event0 and so on",
				 e->path);
	else if (ask(e, EVIOCGRAB, (void *)1) < 0)
		ret = errno == EBUSY
			      ? hv_err_set(err, EBUSY,
					   "%s is in the hands of another program or zone", e->path)
			      : hv_err_sys(err, errno, "%s cannot be had for the zone alone",
					   e->path);
	else if (read_caps(e, caps) < 0)
		ret = hv_err_sys(err, errno, "%s does not say what it can do", e->path);
	else
		return 0;
	close(e->fd);
	e->fd = -1;
	return ret;
}

int hv_evdev_new(const char *path, const struct hv_evdev_host *host, struct hv_input_caps *caps,
		 struct hv_evdev **out, struct hv_err *err)
{
	struct hv_evdev *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return hv_err_nomem(err);
	e->host = host ?: &system_host;
	e->path = strdup(path);
	ret = e->path ? open_node(e, &e->caps, err) : hv_err_nomem(err);
	if (ret < 0) {
		free(e->path);
		free(e);
		return ret;
	}
	*caps = e->caps;
	*out = e;
	return 0;
}

void hv_evdev_free(struct hv_evdev *e)
{
	if (!e)
		return;
	if (e->fd >= 0)
		close(e->fd);
	free(e->path);
	free(e);
}

/* ---- unplugged, and back */

static void lose(struct hv_evdev *e, struct hv_input *in, int code)
{
	close(e->fd);
	e->fd = -1;
	e->n = 0;
	e->skip = false;
	e->resync = true;
	e->retry_at = hv_now() + RETRY;
	atomic_store(&e->gone, true);
	hv_vdev_error(in->dev, "%s is gone (%s); it is used again when it is back", e->path,
		      strerror(code));
}

static void find_again(struct hv_evdev *e, struct hv_input *in)
{
	struct hv_input_caps caps;
	struct hv_err err;
	char text[HV_ERR_MSG_MAX];

	e->retry_at = hv_now() + RETRY;
	if (open_node(e, &caps, &err) < 0)
		return;
	if (!hv_input_caps_same(&e->caps, &caps)) {
		if (!e->refused)
			hv_vdev_error(in->dev,
				      "%s is back as another device (%s), which the guest "
				      "does not know: it is not used",
				      e->path, caps.name);
		e->refused = true;
		close(e->fd);
		e->fd = -1;
		return;
	}
	e->refused = false;
	e->drain = e->resync = true;
	atomic_store(&e->gone, false);
	for (uint16_t i = 0; i < 16; i++)
		if (e->leds >> i & 1)
			hv_evdev_tell(e, EV_LED, i, 1);
	snprintf(text, sizeof(text), "%s is back", e->path);
	hv_log_info("%s: %s", in->dev->name, text);
	if (in->dev->event)
		in->dev->event(in->dev, HV_EV_LINK, text, in->dev->event_arg);
}

/* ---- what was missed */

static void read_fingers(const struct hv_evdev *e, struct hv_input_state *state)
{
	struct {
		uint32_t code;
		int32_t values[HV_INPUT_MT_SLOTS];
	} ask_for;

	for (unsigned int c = 0; c < HV_INPUT_MT_CODES; c++) {
		if (!hv_input_can(&e->caps, EV_ABS, HV_INPUT_MT_FIRST + c))
			continue;
		memset(&ask_for, 0, sizeof(ask_for));
		ask_for.code = HV_INPUT_MT_FIRST + c;
		if (ask_for.code == ABS_MT_TRACKING_ID)
			memset(ask_for.values, 0xff, sizeof(ask_for.values));
		if (ask(e, EVIOCGMTSLOTS(sizeof(ask_for)), &ask_for) < 0)
			continue;
		for (unsigned int i = 0; i < HV_INPUT_MT_SLOTS; i++)
			state->mt[i][c] = ask_for.values[i];
	}
}

/* How the device stands. What cannot be asked for stays as it was. */
static void read_state(const struct hv_evdev *e, struct hv_input_state *state)
{
	struct input_absinfo abs;

	(void)ask(e, EVIOCGKEY(sizeof(state->keys)), state->keys);
	(void)ask(e, EVIOCGSW(sizeof(state->switches)), state->switches);
	for (unsigned int i = 0; i < ABS_MT_SLOT; i++)
		if (hv_input_can(&e->caps, EV_ABS, i) && !ask(e, EVIOCGABS(i), &abs))
			state->abs[i] = abs.value;
	if (!hv_input_can(&e->caps, EV_ABS, ABS_MT_SLOT))
		return;
	if (!ask(e, EVIOCGABS(ABS_MT_SLOT), &abs))
		state->slot = (unsigned int)abs.value;
	read_fingers(e, state);
}

static int resync(struct hv_evdev *e, struct hv_input *in)
{
	struct hv_input_state state;

	if (hv_input_room(in) <= HV_INPUT_DIFF)
		return 0;
	e->resync = false;
	hv_input_get_state(in, &state);
	if (e->fd < 0)
		hv_input_state_let_go(&state);
	else
		read_state(e, &state);
	hv_input_settle(in, &state, true);
	return hv_input_append_diff(in, &state);
}

/* ---- reading */

/* Passed on; a guest repeats keys by itself, and LEDs are its own doing. */
static bool wanted(const struct hv_evdev *e, const struct input_event *ev)
{
	if (ev->type == EV_SYN)
		return ev->code == SYN_MT_REPORT;
	if (ev->type == EV_LED || ev->type == EV_SND || ev->type == EV_REP)
		return false;
	return hv_input_can(&e->caps, ev->type, ev->code) && !(ev->type == EV_KEY && ev->value > 1);
}

/* false: the rest of what was read is older than what resync will find. */
static bool feed(struct hv_evdev *e, struct hv_input *in, const struct input_event *ev)
{
	if (ev->type == EV_SYN && ev->code == SYN_DROPPED) {
		e->skip = true;
		return true;
	}
	if (ev->type == EV_SYN && ev->code == SYN_REPORT) {
		if (!e->skip && e->n)
			hv_input_append(in, e->report, e->n);
		e->n = 0;
		e->resync |= e->skip;
		e->skip = false;
		return !e->resync;
	}
	if (e->skip || !wanted(e, ev))
		return true;
	if (e->n == HV_INPUT_REPORT - 1)
		e->skip = true;
	else
		e->report[e->n++] = (struct hv_input_event){ ev->type, ev->code, ev->value };
	return true;
}

/* Returns how many events there were; 0 = none now; -errno = unplugged. */
static int read_some(struct hv_evdev *e, struct hv_input *in)
{
	struct input_event events[READ_EVENTS];
	ssize_t n = read(e->fd, events, sizeof(events));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n < (ssize_t)sizeof(*events))
		return -ENODEV;
	n /= (ssize_t)sizeof(*events);
	for (ssize_t i = 0; i < n && !e->drain; i++)
		if (!feed(e, in, &events[i]))
			break;
	return (int)n;
}

/* Everything read becomes reports: room for what is read at once and for one begun before. */
static bool has_room(struct hv_input *in)
{
	return hv_input_room(in) >= 2 * READ_EVENTS + HV_INPUT_REPORT;
}

static int read_all(struct hv_evdev *e, struct hv_input *in)
{
	int done = 0;

	for (unsigned int i = 0; i < TURN_READS; i++) {
		int n;

		if (e->resync && !e->drain) {
			done += resync(e, in);
			if (e->resync)
				break;
		}
		if (!has_room(in))
			break;
		n = read_some(e, in);
		if (n < 0) {
			lose(e, in, -n);
			return 1;
		}
		if (!n && !e->drain)
			break;
		if (!n)
			e->drain = false;
		done++;
	}
	return done;
}

void hv_evdev_begin(struct hv_evdev *e)
{
	e->n = 0;
	e->skip = false;
	e->drain = e->resync = true;
}

void hv_evdev_end(struct hv_evdev *e)
{
	for (uint16_t i = 0; i < 16; i++)
		if (e->leds >> i & 1)
			hv_evdev_tell(e, EV_LED, i, 0);
}

int hv_evdev_turn(struct hv_evdev *e, struct hv_input *in, struct hv_worker *w)
{
	int done = 0;

	if (e->fd < 0 && hv_now() >= e->retry_at)
		find_again(e, in);
	if (e->fd >= 0)
		done = read_all(e, in);
	if (e->fd < 0 && e->resync)
		done += resync(e, in);
	w->wake_at = e->fd < 0 ? e->retry_at : 0;
	w->fds[0].fd = e->fd;
	w->fds[0].events = e->fd >= 0 && has_room(in) && !e->resync ? POLLIN : 0;
	return done;
}

void hv_evdev_tell(struct hv_evdev *e, uint16_t type, uint16_t code, int32_t value)
{
	const struct input_event events[] = {
		{ .type = type, .code = code, .value = value },
		{ .type = EV_SYN, .code = SYN_REPORT },
	};

	if (type == EV_LED && code < 16)
		e->leds = (uint16_t)(value ? e->leds | 1u << code : e->leds & ~(1u << code));
	/* One that is gone is found out by reading. */
	if (e->fd >= 0)
		(void)!write(e->fd, events, sizeof(events));
}
