/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_TESTS_POLICY_RIG_H
#define HV_TESTS_POLICY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lua/policy_engine.h"

/* A policy's file with what device:policy would add to it. */

static char rig_printed[4096];

static inline void rig_print(const char *line, size_t len, void *arg)
{
	size_t n = strlen(rig_printed);

	(void)arg;
	snprintf(rig_printed + n, sizeof(rig_printed) - n, "%.*s\n", (int)len, line);
}

static inline struct hv_policy_source rig_source(const char *text)
{
	rig_printed[0] = '\0';
	return (struct hv_policy_source){
		.type = HV_POLICY_OF_BLK,
		.device = "linux1/root",
		.name = "night.lua",
		.text = text,
		.len = strlen(text),
		.args = "",
		.memory = UINT64_C(1) << 20,
		.deadline = UINT64_C(100000000),
		.print = rig_print,
	};
}

static inline struct hv_question rig_question(void)
{
	return (struct hv_question){
		.ticket = 77, .kind = HV_POLICY_BLK_WRITE, .at = 512, .size = 4096
	};
}

static inline void rig_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text ? text : "", part);
}

#endif
