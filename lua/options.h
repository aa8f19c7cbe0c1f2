/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_OPTIONS_H
#define HV_LUA_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"
#include "lua/session.h"

/* What stands on the command line before the script or subcommand, and what may stand behind it. */
struct hv_command_line {
	struct hv_session *session; /* what options set */
	int argc;
	char **argv;
	int first; /* index of the script or subcommand; argc = none */
	bool interactive, detach, version, help;
	struct action {
		char kind; /* 'e' or 'l' */
		const char *text;
	} * actions; /* in the order given */
	int n_actions;
	struct hv_err err; /* why it cannot be used */
};

/* argc, argv, session and room for argc actions are given. -errno with cl->err. */
int hv_options_read(struct hv_command_line *cl);
/* What does not go together. */
int hv_options_check(const struct hv_command_line *cl, struct hv_err *err);
/*
 * One for all commands at argv[*i], and the value behind it: 1 = taken, *stays: the command wants to
 * see it, too; 0 = it is none. -errno with cl->err.
 */
int hv_options_take(struct hv_command_line *cl, char **argv, int *i, bool *stays);

#endif
