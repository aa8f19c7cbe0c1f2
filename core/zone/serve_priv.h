/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_SERVE_PRIV_H
#define HV_ZONE_SERVE_PRIV_H

#include "clock/host.h"
#include "fdt/fdt.h"
#include "virtio/dev/switch.h"
#include "virtio/state.h"
#include "zone/serve.h"

struct hv_serve_window {
	uint64_t at, size;
	uint32_t irq;
};

struct hv_serve_home {
	struct hv_arena *arena;
	uint32_t id;
	const char *name;
	uint64_t cpus;
	unsigned int n_ram;
	struct hv_vzone_ram *ram;
	size_t n_windows;
	struct hv_serve_window *windows;
	struct hv_vzone *vzone; /* NULL until attached */
	bool standing;
	bool crashed;  /* as was said */
	bool ran;      /* before this service did, and was taken up */
	uint64_t life; /* 0 = nothing of it outlives us */
	struct hv_serve_home *next;
};

#define HV_SERVE_SWITCHES 16

struct hv_serve_vote;

struct hv_serve {
	struct hv_hyp *hyp;
	struct hv_loop *loop;
	char *lock_path;
	hv_served_event_fn *event;
	hv_served_ended_fn *ended;
	hv_served_made_fn *made;
	void *event_arg;
	bool harmless;
	char *state_dir;	    /* NULL = nothing is kept */
	bool left;		    /* to the next service */
	struct hv_service *service; /* NULL until the first device */
	struct hv_serve_home *homes;
	struct hv_served *devices;
	struct hv_clock_host *clocks; /* with the first scmi device */
	struct hv_serve_vote *votes;  /* of kept devices that are not taken up */
	struct hv_fdt *tree;	      /* of this machine, for the clocks; NULL = none */
	unsigned int n_switches;
	struct hv_switch *switches[HV_SERVE_SWITCHES];
	struct hv_serve *next;
};

/*
 * The device a specification asks for, in dev->dev, zeroed before; name is its full name. Its
 * options are read here and nowhere else.
 */
int hv_serve_make(struct hv_serve *serve, struct hv_served *dev, const char *name,
		  const struct hv_spec_device *spec, struct hv_err *err);

/* serve->clocks is there. */
int hv_serve_need_clocks(struct hv_serve *serve, struct hv_err *err);

struct hv_serve_home *hv_serve_home(const struct hv_serve *serve, uint32_t zone);
int hv_serve_attach_device(struct hv_serve *serve, const struct hv_serve_home *home,
			   struct hv_served *dev, struct hv_err *err);
/* Puts the line of the script behind the device's name, with which the message begins. */
int hv_serve_blame(const char *name, const struct hv_origin *origin, int ret, struct hv_err *err);

/* serve_keep.c */
uint64_t hv_serve_digest(const struct hv_spec_device *spec);
uint64_t hv_serve_new_life(void); /* 0 when there is no randomness */
/* Whether all devices of the zone can go on in another process, and are to. */
bool hv_serve_keeps(const struct hv_serve *serve, const struct hv_serve_home *home);
/*
 * Before a device is attached: from now on its state is kept. That it cannot is a warning, and
 * -errno: nothing of its zone may be kept then. 0 also where nothing is to be kept.
 */
int hv_serve_keep(struct hv_serve *serve, const struct hv_serve_home *home, struct hv_served *dev);
/* After it was detached. */
void hv_serve_unkeep(struct hv_served *dev, bool remove);
/* An earlier life of the zone is over: what it had on goes off, and its files go. */
void hv_serve_forget(struct hv_serve *serve, uint32_t zone);
/* All devices of an attached zone find what was left of them, or none does: -ENOENT when nothing
 * was. */
int hv_serve_take_up(struct hv_serve *serve, const struct hv_serve_home *home, struct hv_err *err);

/*
 * serve_votes.c: the kept devices that are not taken up. What those of scmi have on counts for
 * their zones, from before the first guest is served until each of them is taken up. main thread.
 */
/* Of all zones that run; what others had is switched off, and nothing of them is kept any more. */
void hv_serve_votes_begin(struct hv_serve *serve);
/* Of a zone whose devices were given up again, and still exist. */
void hv_serve_votes_keep(struct hv_serve *serve, uint32_t zone);
/* A device is about to be taken up: the vote is its own from now on. */
void hv_serve_votes_take(struct hv_serve *serve, struct hv_served *dev);
/* The zone is gone: what it had on goes off where nobody else wants it on. */
void hv_serve_votes_end(struct hv_serve *serve, uint32_t zone);
/* The same for what one window's device had on. */
void hv_serve_votes_drop(struct hv_serve *serve, uint32_t zone, uint64_t at);
/* This process ends: all of it stays on, for the next one. */
void hv_serve_votes_leave(struct hv_serve *serve);

/* A planned window that no device has until one is attached. */
bool hv_spec_is_slot(const struct hv_spec_device *spec);

#endif
