// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include "board.h"
#include "cpu.h"
#include "fault.h"
#include "text.h"
#include "words.h"

#define SHOWN 60

static void complain(const struct words *word, const char *right)
{
	char shown[SHOWN + 1];
	size_t n = word->len < SHOWN ? word->len : SHOWN;

	for (size_t i = 0; i < n; i++)
		shown[i] = word->at[i] > ' ' && word->at[i] < 0x7f ? word->at[i] : '?';
	shown[n] = '\0';
	shout("option '%s' is not understood: %s", shown, right);
}

static bool parse_cpus(struct words text, uint64_t *cpus)
{
	struct words part;
	uint64_t mask = 0, cpu;

	while (words_next(&text, ",", &part)) {
		if (!words_number(&part, &cpu) || part.len || cpu >= cpu_count())
			return false;
		mask |= 1UL << cpu;
	}
	if (!(mask & 1))
		return false;
	*cpus = mask;
	return true;
}

static bool parse_switch(const struct words *text, bool *on)
{
	*on = words_are(text, "on");
	return *on || words_are(text, "off");
}

static void parse_faults(struct words text)
{
	struct words fault;

	while (words_next(&text, ",", &fault))
		if (fault_parse(fault.at, fault.len))
			complain(&fault,
				 "a fault is late, late-answer, late-drain, lose-drain, lose-wake, "
				 "nostop, die, hang, refuse, version or slots with its argument");
}

static void parse_word(struct words word, struct options *out)
{
	const struct words whole = word;
	const struct config_layout *layout;
	bool on;

	if (words_take(&word, "layout=")) {
		layout = config_layout_named(word.at, word.len);
		if (layout)
			out->layout = layout;
		else
			complain(&whole, "layouts are 3, 4A, 4B, 5A, 5B, 6");
	} else if (words_take(&word, "cpus=")) {
		if (!parse_cpus(word, &out->cpus))
			complain(&whole, "numbers of CPUs that exist, 0 among them, with commas");
	} else if (words_take(&word, "ivc=")) {
		if (!parse_switch(&word, &out->has_ivc))
			complain(&whole, "on or off");
	} else if (words_take(&word, "log=")) {
		if (parse_switch(&word, &on))
			text_log(on);
		else
			complain(&whole, "on or off");
	} else if (words_take(&word, "fault=")) {
		parse_faults(word);
	} else {
		complain(&whole, "options are layout, cpus, ivc, log, fault");
	}
}

void options_read(struct options *out)
{
	struct words text = { (const char *)OPTIONS_BASE, 0 }, word;

	*out = (struct options){ .layout = config_layout_named("5A", 2),
				 .cpus = cpu_count() > 1 ? 3 : 1 };
	while (text.len < OPTIONS_SIZE - 1 && text.at[text.len])
		text.len++;
	while (words_next(&text, " \t\r\n", &word))
		if (word.len)
			parse_word(word, out);
}
