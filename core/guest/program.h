/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_PROGRAM_H
#define HV_GUEST_PROGRAM_H

#include "base/buf.h"
#include "guest/drivers.h"
#include "guest/guest_priv.h"

/*
 * What a guest does by itself, on its first CPU; the others stay off. It finds its devices, says
 * what it found on its console, reads the beginning of its disk, answers frames, and obeys
 * the lines typed at its console (command.c, `help` lists them). Private to core/guest.
 */
#define PROGRAM_DEVICES 8
#define PROGRAM_LINE 256
#define PROGRAM_INPUTS 4

struct program {
	struct hv_guest *g;
	unsigned int n_devices;
	struct hv_gdev devices[PROGRAM_DEVICES];
	/* The first of each kind; dev NULL = there is none, or it does not work. */
	struct hv_gconsole console;
	struct hv_gblk blk;
	struct hv_gnet net;
	struct hv_gdev *rng;
	struct hv_ggpu gpu;
	bool resized; /* the screen has said so */
	unsigned int n_inputs;
	struct hv_ginput inputs[PROGRAM_INPUTS];
	char line[PROGRAM_LINE];
	size_t line_len;
	/* A ping that waits for its answer. */
	uint8_t ping_to[6];
	bool pinging, pinged;
	int dead; /* -errno that ends the program */
};

/* To the console; nowhere when there is none. Lines end with \r\n. */
void program_say(struct program *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Handles whatever has happened; waits up to timeout_ns for something. */
void program_step(struct program *p, uint64_t timeout_ns);

/* command.c */
void program_obey(struct program *p, char *line);
/* The CRC-32 of a range of the disk. */
int program_sum(struct program *p, uint64_t offset, uint64_t len, uint32_t *sum);

/* report.c: input devices. */
void program_start_input(struct program *p, struct hv_gdev *dev);
/* Says what was typed, pointed at and touched. */
void program_hear(struct program *p);
/* Whether something has come; asks for an interrupt for the next. */
bool program_input_arrived(struct program *p);

/* card.c: the screen. */
void program_start_gpu(struct program *p, struct hv_gdev *dev);
/* In the size that the screen has by now. */
int program_draw_card(struct program *p);
/* -ENODEV without a screen, -ERANGE beyond it. */
int program_draw_rect(struct program *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		      uint32_t colour);

/* frame.c: this guest's own little protocol, of an experimental Ethernet type. */
#define PROGRAM_MAC_TEXT 18
const char *program_mac(const uint8_t mac[6], char out[PROGRAM_MAC_TEXT]);
int program_parse_mac(const char *text, uint8_t mac[6]);
int program_send(struct program *p, const uint8_t to[6], char kind, const char *text);
void program_receive(struct program *p);

#endif
