/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_GUEST_PROGRAM_H
#define HV_GUEST_PROGRAM_H

#include "base/buf.h"
#include "guest/drivers.h"
#include "guest/guest_priv.h"
#include "guest/terminal.h"

/*
 * What a guest does by itself, on its first CPU; the others stay off. It finds its devices, says
 * what it found on its console, reads the beginning of its disk, answers frames, and obeys
 * the lines typed at its console, and at its keyboard where there is a screen to see them
 * (command.c, `help` lists them). Private to core/guest.
 */
#define PROGRAM_DEVICES 8
#define PROGRAM_LINE 256
#define PROGRAM_INPUTS 4
#define PROGRAM_TYPED 256
#define PROGRAM_ID_INPUT 18 /* virtio */

/* Who is told. */
enum { PROGRAM_CONSOLE = 1, PROGRAM_SCREEN = 2, PROGRAM_EVERYBODY = 3 };

struct program_line {
	char text[PROGRAM_LINE];
	size_t len;
};

/* A channel to other zones, as its control table has it. */
struct program_channel {
	const struct hv_abi_ivc *config;
	uint32_t id, peer, max_peers, rw_size, out_size;
	uint8_t *memory;
	uint64_t size;
	uint32_t taken;	 /* interrupts */
	int64_t answers; /* the peer that is interrupted for each interrupt; -1 = none */
};

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
	unsigned int to; /* of what is said now */
	struct program_line console_line, screen_line;
	struct terminal terminal;
	char typed[PROGRAM_TYPED]; /* at the keyboard, not yet looked at */
	size_t n_typed;
	/* A ping that waits for its answer. */
	uint8_t ping_to[6];
	bool pinging, pinged;
	unsigned int n_channels;
	struct program_channel channels[HV_MAX_IVC];
	int dead; /* -errno that ends the program */
};

/* To p->to; nowhere when there is none. Lines end with \r\n. */
void program_say(struct program *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Handles whatever has happened; waits up to timeout_ns for something. */
void program_step(struct program *p, uint64_t timeout_ns);

/* line.c */
void program_prompt(struct program *p);
/* Obeys what has been typed by now. */
void program_read(struct program *p);

/* command.c */
void program_obey(struct program *p, char *line);
/* The CRC-32 of a range of the disk. */
int program_sum(struct program *p, uint64_t offset, uint64_t len, uint32_t *sum);

/* report.c: input devices. */
void program_start_input(struct program *p, struct hv_gdev *dev);
/* Says what was typed, pointed at and touched; for the screen, keys become characters. */
void program_hear(struct program *p);
/* Whether something has come; asks for an interrupt for the next. */
bool program_input_arrived(struct program *p);

/* keyboard.c: the character that an event of a key types; 0 = none. Keeps in->held. */
char program_key(struct hv_ginput *in, uint16_t code, int32_t value);

/* card.c: the screen. */
void program_start_gpu(struct program *p, struct hv_gdev *dev);
/* In the size that the screen has by now. With a keyboard the text is below the card. */
int program_draw_card(struct program *p);
/* "1280 x 800", and where the text is. */
void program_say_size(struct program *p);
/* What was said to the screen and is not seen yet. */
void program_show_text(struct program *p);
/* -ENODEV without a screen, -ERANGE beyond it. */
int program_draw_rect(struct program *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		      uint32_t colour);

/* frame.c: this guest's own little protocol, of an experimental Ethernet type. */
#define PROGRAM_MAC_TEXT 18
const char *program_mac(const uint8_t mac[6], char out[PROGRAM_MAC_TEXT]);
int program_parse_mac(const char *text, uint8_t mac[6]);
int program_send(struct program *p, const uint8_t to[6], char kind, const char *text);
void program_receive(struct program *p);

/* ivc.c: channels to other zones. */
void program_start_ivc(struct program *p);
void program_end_ivc(struct program *p);
/* An interrupt was taken that may be a channel's. */
void program_ivc_interrupt(struct program *p, uint32_t irq);
/* The command. */
void program_ivc(struct program *p, char *args);

#endif
