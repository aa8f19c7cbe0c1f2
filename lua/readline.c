// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/readline.h"

#include "base/library.h"

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

struct hv_readline hv_rl;

/* Of lua/static.c. */
extern const struct hv_readline hv_readline_linked __attribute__((weak));

int hv_readline_load(struct hv_err *err)
{
	/* The version that the headers are of. */
	static const struct hv_library library = {
		.file = "libreadline.so." NUMBER(RL_VERSION_MAJOR),
		.package = "libreadline" NUMBER(RL_VERSION_MAJOR),
		.purpose = "the prompt",
	};
	static const struct hv_library_symbol symbols[] = {
#define X(field, symbol) { #symbol, (void **)&hv_rl.field },
		HV_READLINE(X)
#undef X
	};

	if (hv_rl.redisplay)
		return 0;
	if (&hv_readline_linked) {
		hv_rl = hv_readline_linked;
		return 0;
	}
	return hv_library_load(&library, symbols, sizeof(symbols) / sizeof(symbols[0]), err);
}
