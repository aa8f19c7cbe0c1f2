// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/size.h"
#include "guest/program.h"

#define PING_NS UINT64_C(5000000000)

struct command {
	const char *name, *args, *help;
	void (*run)(struct program *p, char *args);
};

/* The next word of a line, or NULL; *rest goes on behind it. */
static char *word(char **rest)
{
	char *start = *rest + strspn(*rest, " ");
	size_t len = strcspn(start, " ");

	if (!len)
		return NULL;
	*rest = start + len;
	if (**rest)
		*(*rest)++ = 0;
	return start;
}

static void say_error(struct program *p, const char *what, int rc)
{
	program_say(p, "%s: %s\r\n", what, strerror(-rc));
}

int program_sum(struct program *p, uint64_t offset, uint64_t len, uint32_t *sum)
{
	static const size_t chunk = 64 * HV_KIB;
	uint8_t *bytes = malloc(chunk);
	uLong crc = crc32(0, NULL, 0);
	int rc = bytes ? 0 : -ENOMEM;

	while (len && rc == 0) {
		size_t n = len < chunk ? (size_t)len : chunk;

		rc = hv_gblk_read(&p->blk, offset, bytes, n);
		if (rc == 0)
			crc = crc32(crc, bytes, (uInt)n);
		offset += n;
		len -= n;
	}
	free(bytes);
	*sum = (uint32_t)crc;
	return rc;
}

static void run_echo(struct program *p, char *args)
{
	program_say(p, "%s\r\n", args);
}

static void run_sum(struct program *p, char *args)
{
	char *offset_text = word(&args), *len_text = word(&args);
	uint64_t offset, len;
	uint32_t sum;
	int rc;

	if (!offset_text || !len_text || hv_size_parse(offset_text, &offset) < 0 ||
	    hv_size_parse(len_text, &len) < 0) {
		program_say(p, "sum: an offset and a length, such as: sum 0 64K\r\n");
		return;
	}
	rc = p->blk.dev ? program_sum(p, offset, len, &sum) : -ENODEV;
	if (rc < 0)
		say_error(p, "sum", rc);
	else
		program_say(p, "%08x\r\n", sum);
}

static void run_write(struct program *p, char *args)
{
	char *offset_text = word(&args);
	uint64_t offset;
	int rc;

	if (!offset_text || hv_size_parse(offset_text, &offset) < 0) {
		program_say(p, "write: an offset and a text, such as: write 4K hello\r\n");
		return;
	}
	rc = p->blk.dev ? hv_gblk_write(&p->blk, offset, args, strlen(args)) : -ENODEV;
	if (rc < 0)
		say_error(p, "write", rc);
	else
		program_say(p, "%zu bytes written at %" PRIu64 "\r\n", strlen(args), offset);
}

static bool take_mac(struct program *p, const char *name, char **args, uint8_t mac[6])
{
	char *text = word(args);

	if (!p->net.pair.dev) {
		say_error(p, name, -ENODEV);
		return false;
	}
	if (!text || program_parse_mac(text, mac) < 0) {
		program_say(p, "%s: a MAC address, such as: %s 52:54:00:00:00:02\r\n", name, name);
		return false;
	}
	return true;
}

static void run_ping(struct program *p, char *args)
{
	char mac[PROGRAM_MAC_TEXT];
	uint64_t start = hv_guest_now();
	int rc;

	if (!take_mac(p, "ping", &args, p->ping_to))
		return;
	p->pinging = true;
	p->pinged = false;
	rc = program_send(p, p->ping_to, 'Q', "");
	while (rc == 0 && !p->pinged && !p->dead && hv_guest_now() - start < PING_NS)
		program_step(p, PING_NS / 10);
	p->pinging = false;
	if (rc < 0)
		say_error(p, "ping", rc);
	else
		program_say(p, "%s %s\r\n", p->pinged ? "answer from" : "no answer from",
			    program_mac(p->ping_to, mac));
}

static void run_say(struct program *p, char *args)
{
	uint8_t mac[6];
	int rc;

	if (!take_mac(p, "say", &args, mac))
		return;
	rc = program_send(p, mac, 'T', args);
	if (rc < 0)
		say_error(p, "say", rc);
}

static void run_devices(struct program *p, char *args)
{
	(void)args;
	for (unsigned int i = 0; i < p->n_devices; i++) {
		const struct hv_gdev *dev = &p->devices[i];

		program_say(p,
			    "0x%" PRIx64 " irq %u: type %u, features %" PRIx64 ", %" PRIu64
			    " interrupts\r\n",
			    dev->at, dev->irq, dev->id, dev->features, dev->interrupts);
	}
	if (p->net.pair.dev)
		program_say(p, "frames: %" PRIu64 " received, %" PRIu64 " sent\r\n",
			    p->net.received, p->net.sent);
}

static bool take_numbers(struct program *p, const char *usage, char **args, int32_t *to,
			 unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char *text = word(args), *end = text;

		if (text)
			to[i] = (int32_t)strtol(text, &end, 10);
		if (!text || *end) {
			program_say(p, "%s\r\n", usage);
			return false;
		}
	}
	return true;
}

static void run_card(struct program *p, char *args)
{
	int rc = p->gpu.dev ? program_draw_card(p) : -ENODEV;

	(void)args;
	if (rc < 0) {
		say_error(p, "card", rc);
		return;
	}
	program_say_size(p);
	program_say(p, "\r\n");
}

static void run_screen(struct program *p, char *args)
{
	unsigned int before = p->to;

	if (!p->terminal.on) {
		say_error(p, "screen", -ENODEV);
		return;
	}
	p->to = PROGRAM_SCREEN;
	program_say(p, "%s\r\n", args);
	p->to = before;
}

static void run_cursor(struct program *p, char *args)
{
	int32_t at[2];
	int rc;

	if (!take_numbers(p, "cursor: a place on the screen, such as: cursor 100 50", &args, at, 2))
		return;
	rc = p->gpu.w ? hv_ggpu_move_cursor(&p->gpu, at[0], at[1]) : -ENODEV;
	if (rc < 0)
		say_error(p, "cursor", rc);
	else
		program_say(p, "at %d %d\r\n", at[0], at[1]);
}

static void run_rect(struct program *p, char *args)
{
	static const char usage[] = "rect: place, size and colour, such as: rect 0 0 64 64 ff8000";
	char *colour, *end;
	int32_t r[4];
	int rc;

	if (!take_numbers(p, usage, &args, r, 4))
		return;
	colour = word(&args);
	if (!colour || strlen(colour) != 6) {
		program_say(p, "%s\r\n", usage);
		return;
	}
	rc = program_draw_rect(p, (uint32_t)r[0], (uint32_t)r[1], (uint32_t)r[2], (uint32_t)r[3],
			       (uint32_t)strtoul(colour, &end, 16));
	if (rc < 0)
		say_error(p, "rect", rc);
	else
		program_say(p, "drawn\r\n");
}

static void leave(struct program *p, bool crash, const char *why)
{
	program_say(p, "%s\r\n", why);
	hv_guest_exit(p->g, crash);
	p->dead = -ESHUTDOWN;
}

static void run_poweroff(struct program *p, char *args)
{
	(void)args;
	leave(p, false, "powering off");
}

static void run_panic(struct program *p, char *args)
{
	(void)args;
	leave(p, true, "panic: asked for at the console");
}

static void run_help(struct program *p, char *args);

static const struct command commands[] = {
	{ "help", "", "this list", run_help },
	{ "echo", " TEXT", "says it", run_echo },
	{ "devices", "", "what was found, and what it has done", run_devices },
	{ "sum", " OFFSET LEN", "the CRC-32 of a part of the disk", run_sum },
	{ "write", " OFFSET TEXT", "writes it to the disk", run_write },
	{ "ping", " MAC", "asks another guest for an answer", run_ping },
	{ "say", " MAC TEXT", "another guest prints it", run_say },
	{ "card", "", "draws the test card anew, as large as the screen is now", run_card },
	{ "screen", " TEXT", "says it on the screen, below the card", run_screen },
	{ "cursor", " X Y", "moves the cursor", run_cursor },
	{ "rect", " X Y W H RRGGBB", "fills a part of the screen", run_rect },
	{ "ivc", " WORD …", "channels to other zones; alone it lists the words", program_ivc },
	{ "poweroff", "", "the zone ends", run_poweroff },
	{ "panic", "", "the zone crashes", run_panic },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void run_help(struct program *p, char *args)
{
	(void)args;
	for (size_t i = 0; i < COMMANDS; i++)
		program_say(p, "%s%s: %s\r\n", commands[i].name, commands[i].args,
			    commands[i].help);
}

void program_obey(struct program *p, char *line)
{
	char *name = word(&line);

	if (!name)
		return;
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name))
			continue;
		commands[i].run(p, line);
		return;
	}
	program_say(p, "%s: no such command; help lists them\r\n", name);
}
