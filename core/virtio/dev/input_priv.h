/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_INPUT_PRIV_H
#define HV_VIRTIO_DEV_INPUT_PRIV_H

#include <linux/input.h>
#include <linux/virtio_input.h>
#include <pthread.h>

#include "virtio/dev/input.h"

/* Private to dev/input*.c. */

/* ---- input_caps.c: what a device can report, and how it says so */

#define HV_INPUT_BYTES (KEY_CNT / 8) /* the longest bitmap */

struct hv_input_caps {
	char name[HV_INPUT_NAME_MAX + 1], serial[HV_INPUT_NAME_MAX + 1];
	struct input_id id;
	uint8_t props[INPUT_PROP_CNT / 8];
	uint8_t bits[EV_CNT][HV_INPUT_BYTES];
	struct input_absinfo abs[ABS_CNT];
};

/* The types of events that there are bitmaps for, and how many codes each has; 0 = none. */
unsigned int hv_input_codes(unsigned int type);
void hv_input_caps_of_kind(struct hv_input_caps *caps, enum hv_input_kind kind, unsigned int width,
			   unsigned int height);
bool hv_input_can(const struct hv_input_caps *caps, unsigned int type, unsigned int code);
/* What select and subsel ask for (5.8.4): its size, 0 = there is nothing. */
unsigned int hv_input_caps_answer(const struct hv_input_caps *caps, uint8_t select, uint8_t subsel,
				  uint8_t u[HV_INPUT_NAME_MAX]);
/* May one stand in for the other without the guest being told? Names may differ. */
bool hv_input_caps_same(const struct hv_input_caps *a, const struct hv_input_caps *b);

/* ---- input_state.c: what the guest believes */

#define HV_INPUT_MT_SLOTS 32
#define HV_INPUT_MT_FIRST ABS_MT_TOUCH_MAJOR
#define HV_INPUT_MT_CODES (ABS_MT_TOOL_Y - ABS_MT_TOUCH_MAJOR + 1)
/* A difference has no more events than this. */
#define HV_INPUT_DIFF (KEY_CNT + SW_CNT + ABS_CNT + HV_INPUT_MT_SLOTS * (HV_INPUT_MT_CODES + 1) + 2)

struct hv_input_state {
	uint8_t keys[KEY_CNT / 8], switches[SW_CNT / 8 + 1];
	int32_t abs[ABS_CNT];
	unsigned int slot;
	int32_t mt[HV_INPUT_MT_SLOTS][HV_INPUT_MT_CODES];
};

/* All up, at 0, no finger. */
void hv_input_state_init(struct hv_input_state *state);
void hv_input_state_apply(struct hv_input_state *state, const struct hv_input_event *e);
/* The same with keys and fingers up; what has a place stays there. */
void hv_input_state_let_go(struct hv_input_state *state);
/*
 * What a guest may believe of whom it is only known which keys may be down and which slots may have
 * a finger: such that the difference to `to` says all of that anew. places: and where everything
 * is.
 */
void hv_input_state_doubt(struct hv_input_state *state, const struct hv_input_state *to,
			  const uint8_t keys[KEY_CNT / 8], uint32_t fingers, bool places);
/* A bit per slot that has a finger. */
uint32_t hv_input_state_fingers(const struct hv_input_state *state);
/* The events that lead from one to the other, as far as the device can report them. */
size_t hv_input_state_diff(const struct hv_input_state *from, const struct hv_input_state *to,
			   const struct hv_input_caps *caps,
			   struct hv_input_event out[HV_INPUT_DIFF]);

/* ---- input.c */

#define HV_INPUT_RING 4096u /* a power of two, above HV_INPUT_DIFF */

struct hv_evdev;

/* What the next process has to know. */
struct hv_input_kept {
	uint8_t select, subsel, pad[2];
	uint32_t leds;
	/* Never less than what the guest may hold for down. */
	uint32_t fingers;
	uint8_t keys[KEY_CNT / 8];
};

struct hv_input {
	struct hv_vdev *dev;
	enum hv_input_kind kind;
	unsigned int width, height;
	struct hv_input_caps caps; /* constant */
	uint8_t select, subsel;	   /* under the device's lock */
	struct hv_evdev *evdev;	   /* the worker's, once attached; NULL = none */
	_Atomic uint32_t leds;
	bool begun;		     /* the worker's: this life has begun */
	struct hv_input_state given; /* the worker's: of the guest, as of what it was given */
	struct hv_input_kept kept;   /* keys and fingers; the worker's, under the device's lock */
	_Atomic bool doubtful;	     /* what it was given in another process is as `kept` says */
	pthread_mutex_t lock;	     /* all below */
	struct virtio_input_event ring[HV_INPUT_RING];
	unsigned int head, tail;     /* run on; head - tail events wait */
	struct hv_input_state state; /* of the guest when it has taken all that waits */
	bool refused;		     /* somebody waits for room */
};

/* Room for events. */
unsigned int hv_input_room(struct hv_input *in);
/* Events and their SYN_REPORT; there must be room. */
void hv_input_append(struct hv_input *in, const struct hv_input_event *events, size_t n);
/* Appends what leads to that state, if anything. Room for HV_INPUT_DIFF must be there. */
int hv_input_append_diff(struct hv_input *in, const struct hv_input_state *to);
void hv_input_get_state(struct hv_input *in, struct hv_input_state *state);
/* Before the first difference to `to` of a life that began in another process. */
void hv_input_settle(struct hv_input *in, const struct hv_input_state *to, bool places);

/* ---- input_evdev.c: a real device. The worker's thread, but for new and free. */

/* Opens and grabs it; fills caps. */
int hv_evdev_new(const char *path, const struct hv_evdev_host *host, struct hv_input_caps *caps,
		 struct hv_evdev **evdev, struct hv_err *err);
void hv_evdev_free(struct hv_evdev *evdev);
/* A life begins: what was reported before is not its business. */
void hv_evdev_begin(struct hv_evdev *evdev);
/* A life has ended: its LEDs go out. */
void hv_evdev_end(struct hv_evdev *evdev);
/* Reads what there is, and room for; says in the worker's descriptors what to wait for. */
int hv_evdev_turn(struct hv_evdev *evdev, struct hv_input *in, struct hv_worker *w);
/* EV_LED or EV_SND. */
void hv_evdev_tell(struct hv_evdev *evdev, uint16_t type, uint16_t code, int32_t value);
bool hv_evdev_gone(const struct hv_evdev *evdev);
const char *hv_evdev_path(const struct hv_evdev *evdev);

#endif
