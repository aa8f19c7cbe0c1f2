// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "clock/clk_priv.h"

/*
 * clk_dump: an object of clocks; in each, members that are numbers are its values and members that
 * are objects its children.
 */

#define NAME_MAX_LEN 256

static void skip_space(struct clk_text *text)
{
	for (; text->at < text->end; text->at++) {
		if (*text->at == '\n')
			text->line++;
		else if (*text->at != ' ' && *text->at != '\t' && *text->at != '\r')
			return;
	}
}

static bool take(struct clk_text *text, char c)
{
	skip_space(text);
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static int unexpected(struct clk_text *text, const char *wanted, struct hv_err *err)
{
	skip_space(text);
	if (text->at == text->end)
		return clk_bad(text, err, "clk_dump ends where %s should be", wanted);
	return clk_bad(text, err, "clk_dump has '%c' where %s should be",
		       *text->at >= ' ' && *text->at < 0x7f ? *text->at : '?', wanted);
}

/* Beyond ASCII nothing is taken literally: \u becomes '?'. */
static int read_name(struct clk_text *text, char out[NAME_MAX_LEN], size_t *len, struct hv_err *err)
{
	*len = 0;
	if (!take(text, '"'))
		return unexpected(text, "a name", err);
	while (text->at < text->end && *text->at != '"') {
		char c = *text->at;

		if (c == '\n')
			break;
		text->at++;
		if (c == '\\') {
			if (text->at == text->end)
				break;
			c = *text->at++;
			if (c == 'u') {
				if (text->end - text->at < 4)
					break;
				text->at += 4;
			}
			if (!strchr("\"\\/", c))
				c = '?';
		}
		if (*len == NAME_MAX_LEN)
			return clk_bad(text, err, "a name of more than %d bytes", NAME_MAX_LEN);
		out[(*len)++] = c;
	}
	if (text->at == text->end || *text->at != '"')
		return clk_bad(text, err, "a name does not end");
	text->at++;
	return 0;
}

static int read_number(struct clk_text *text, int64_t *value, struct hv_err *err)
{
	bool minus = take(text, '-');
	int64_t n = 0;

	if (text->at == text->end || *text->at < '0' || *text->at > '9')
		return unexpected(text, "a number or an object", err);
	for (; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *text->at - '0', &n))
			/* "No limit" of a 64-bit kernel is over what we count to. */
			n = INT64_MAX;
	*value = minus ? -n : n;
	return 0;
}

static uint32_t count(int64_t value)
{
	return value < 0 ? 0 : value > INT32_MAX ? INT32_MAX : (uint32_t)value;
}

static void set_value(struct hv_clk *clk, const char *name, size_t len, int64_t value)
{
	static const char *const names[] = { "enable_count", "prepare_count", "protect_count",
					     "rate",	     "accuracy",      "min_rate",
					     "max_rate",     "phase",	      "duty_cycle" };
	uint64_t positive = value < 0 ? 0 : (uint64_t)value;
	int small = value < 0 || value > INT32_MAX ? -1 : (int)value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			break;
	switch (i) {
	case 0:
		clk->enable_count = count(value);
		break;
	case 1:
		clk->prepare_count = count(value);
		break;
	case 2:
		clk->protect_count = count(value);
		break;
	case 3:
		clk->rate = positive;
		break;
	case 4:
		clk->accuracy = positive;
		break;
	case 5:
		clk->min_rate = positive;
		break;
	case 6:
		clk->max_rate = positive;
		break;
	case 7:
		clk->phase = small;
		break;
	case 8:
		clk->duty = small;
		break;
	default:
		break; /* a later kernel's */
	}
}

/* The members of an object, from behind its brace to behind the closing one. */
static int read_members(struct hv_clk_tree *tree, struct clk_text *text, int parent,
			unsigned int depth, struct hv_err *err)
{
	char name[NAME_MAX_LEN];
	int64_t value = 0;
	size_t len;
	int rc;

	if (depth > HV_CLK_DEPTH)
		return clk_bad(text, err, "clocks are nested deeper than %d levels", HV_CLK_DEPTH);
	if (take(text, '}'))
		return 0;
	do {
		rc = read_name(text, name, &len, err);
		if (rc < 0)
			return rc;
		if (!take(text, ':'))
			return unexpected(text, "':'", err);
		if (take(text, '{')) {
			if (!clk_add(tree, text, name, len, parent, err))
				return err->code ? -err->code : -ENOMEM;
			rc = read_members(tree, text, (int)tree->n - 1, depth + 1, err);
		} else {
			rc = read_number(text, &value, err);
			if (rc == 0 && parent >= 0)
				set_value(&tree->clks[parent], name, len, value);
		}
		if (rc < 0)
			return rc;
	} while (take(text, ','));
	return take(text, '}') ? 0 : unexpected(text, "',' or '}'", err);
}

int clk_parse_dump(struct hv_clk_tree *tree, struct clk_text *text, struct hv_err *err)
{
	struct hv_err spare;
	int rc;

	if (!err)
		err = &spare;
	if (!take(text, '{'))
		return unexpected(text, "'{'", err);
	rc = read_members(tree, text, -1, 0, err);
	skip_space(text);
	if (rc == 0 && text->at != text->end)
		return clk_bad(text, err, "something follows the end of clk_dump");
	return rc;
}
