// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "clock/clk_priv.h"

/*
 * clk_summary. Two lines of header (one in old kernels), dashes, and a line per clock, indented by
 * its depth: a name and the columns of the header, whose widths no one can count on. Where there
 * is a column of consumers, the second and further ones have lines of their own.
 */

enum column {
	COL_ENABLE,
	COL_PREPARE,
	COL_PROTECT,
	COL_RATE,
	COL_ACCURACY,
	COL_PHASE,
	COL_DUTY,
	COL_HARDWARE,
	COL_OTHER, /* one word we do not know */
};

#define COLUMNS_MAX 16
#define HEADER_LINES 8
#define WORDS_MAX 64

struct word {
	const char *at;
	size_t len;
};

struct line {
	size_t indent;
	const char *start, *end;
	unsigned int n_words;
	struct word words[WORDS_MAX]; /* the first ones */
};

struct table {
	unsigned int n_columns;
	enum column columns[COLUMNS_MAX];
	bool has_consumers;
	/* The clocks above the next one. */
	unsigned int depth;
	struct {
		size_t indent;
		int clk;
	} above[HV_CLK_DEPTH];
};

static bool is(const struct word *word, const char *text)
{
	return word->len == strlen(text) && !memcmp(word->at, text, word->len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* False at the end of the text. */
static bool next_line(struct clk_text *text, struct line *line)
{
	const char *newline, *p;

	if (text->at == text->end)
		return false;
	newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
	line->start = p = text->at;
	line->end = newline ? newline : text->end;
	text->at = newline ? newline + 1 : text->end;
	line->n_words = 0;
	while (p < line->end && line->n_words < WORDS_MAX) {
		struct word *word = &line->words[line->n_words];

		while (p < line->end && is_space(*p))
			p++;
		word->at = p;
		while (p < line->end && !is_space(*p))
			p++;
		word->len = (size_t)(p - word->at);
		if (word->len)
			line->n_words++;
	}
	line->indent = line->n_words ? (size_t)(line->words[0].at - line->start) : 0;
	return true;
}

static bool is_rule(const struct line *line)
{
	if (line->n_words != 1 || line->words[0].len < 10)
		return false;
	for (size_t i = 0; i < line->words[0].len; i++)
		if (line->words[0].at[i] != '-')
			return false;
	return true;
}

static int add_column(struct table *table, const struct clk_text *text, enum column column,
		      struct hv_err *err)
{
	if (table->n_columns == COLUMNS_MAX)
		return clk_bad(text, err, "more than %d columns", COLUMNS_MAX);
	table->columns[table->n_columns++] = column;
	return 0;
}

/* "count" stands below what is counted. */
static enum column counted(const struct line *upper, unsigned int *at)
{
	while (*at < upper->n_words) {
		const struct word *word = &upper->words[(*at)++];

		if (is(word, "enable"))
			return COL_ENABLE;
		if (is(word, "prepare"))
			return COL_PREPARE;
		if (is(word, "protect"))
			return COL_PROTECT;
	}
	return COL_OTHER;
}

static int read_columns(struct table *table, const struct clk_text *text, const struct line *upper,
			const struct line *lower, struct hv_err *err)
{
	static const struct {
		const char *word;
		enum column column;
	} known[] = {
		{ "enable_cnt", COL_ENABLE },	{ "prepare_cnt", COL_PREPARE },
		{ "protect_cnt", COL_PROTECT }, { "rate", COL_RATE },
		{ "accuracy", COL_ACCURACY },	{ "phase", COL_PHASE },
		{ "cycle", COL_DUTY },		{ "enable", COL_HARDWARE },
	};
	bool has_rate = false;
	unsigned int at = 0;
	int rc = 0;

	if (!lower->n_words || !is(&lower->words[0], "clock"))
		return clk_bad(text, err,
			       "no header of clk_summary, which begins with \"clock\" (was this "
			       "file cut?)");
	for (unsigned int i = 1; i < lower->n_words && rc == 0; i++) {
		const struct word *word = &lower->words[i];
		enum column column = COL_OTHER;

		if (is(word, "consumer")) {
			table->has_consumers = true;
			break;
		}
		if (is(word, "count"))
			column = counted(upper, &at);
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			if (is(word, known[k].word))
				column = known[k].column;
		has_rate |= column == COL_RATE;
		rc = add_column(table, text, column, err);
	}
	if (rc == 0 && !has_rate)
		return clk_bad(text, err, "the header of clk_summary has no column \"rate\"");
	return rc;
}

static int read_header(struct table *table, struct clk_text *text, struct hv_err *err)
{
	struct line lines[2] = { 0 }, line;

	for (unsigned int n = 0; n < HEADER_LINES && next_line(text, &line); n++) {
		if (is_rule(&line)) {
			int rc = read_columns(table, text, &lines[0], &lines[1], err);

			text->line++;
			return rc;
		}
		text->line++;
		if (!line.n_words)
			continue;
		lines[0] = lines[1];
		lines[1] = line;
	}
	return clk_bad(text, err,
		       "this is neither clk_summary (a header above a line of dashes) nor clk_dump "
		       "(JSON)");
}

static bool read_number(const struct word *word, uint64_t max, uint64_t *value)
{
	*value = 0;
	if (!word->len)
		return false;
	for (size_t i = 0; i < word->len; i++) {
		char c = word->at[i];

		if (c < '0' || c > '9' || __builtin_mul_overflow(*value, 10u, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(c - '0'), value) || *value > max)
			return false;
	}
	return true;
}

static bool read_cell(struct hv_clk *clk, enum column column, const struct word *word)
{
	uint64_t n;

	switch (column) {
	case COL_OTHER:
		return true;
	case COL_HARDWARE:
		clk->hardware = *word->at;
		return word->len == 1 && memchr("YN?", *word->at, 3);
	case COL_PHASE:
		/* Not all dashes are as many, and some kernels say -1. */
		if (word->at[0] == '-') {
			clk->phase = -1;
			return true;
		}
		break;
	default:
		break;
	}
	if (!read_number(word, column == COL_RATE || column == COL_ACCURACY ? INT64_MAX : INT32_MAX,
			 &n))
		return false;
	switch (column) {
	case COL_ENABLE:
		clk->enable_count = (uint32_t)n;
		break;
	case COL_PREPARE:
		clk->prepare_count = (uint32_t)n;
		break;
	case COL_PROTECT:
		clk->protect_count = (uint32_t)n;
		break;
	case COL_RATE:
		clk->rate = n;
		break;
	case COL_ACCURACY:
		clk->accuracy = n;
		break;
	case COL_PHASE:
		clk->phase = (int)n;
		break;
	default:
		clk->duty = (int)n;
		break;
	}
	return true;
}

/* The words that follow the first `name` ones are the columns. */
static bool read_cells(const struct table *table, const struct line *line, unsigned int name,
		       struct hv_clk *clk)
{
	for (unsigned int i = 0; i < table->n_columns; i++)
		if (!read_cell(clk, table->columns[i], &line->words[name + i]))
			return false;
	return true;
}

/* Of how many words the name is; 0: the line is no clock's. Names may have spaces and numbers. */
static unsigned int name_words(const struct table *table, const struct line *line,
			       struct hv_clk *clk)
{
	struct hv_clk blank = *clk;

	for (unsigned int name = 1; name + table->n_columns <= line->n_words; name++) {
		/* Without consumers nothing follows the columns. */
		if (!table->has_consumers && name + table->n_columns != line->n_words)
			continue;
		*clk = blank;
		if (read_cells(table, line, name, clk))
			return name;
	}
	return 0;
}

static int add_user(struct hv_clk_tree *tree, const struct line *line, unsigned int first,
		    struct hv_err *err)
{
	const struct word *device = &line->words[first];
	const char *at, *end = line->end;

	if (first >= line->n_words)
		return 0;
	at = device->at + device->len;
	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	return clk_add_user(tree, device->at, device->len, at, (size_t)(end - at), err);
}

static int read_line(struct hv_clk_tree *tree, struct table *table, const struct clk_text *text,
		     const struct line *line, struct hv_err *err)
{
	struct hv_clk cells = { .phase = -1, .duty = -1, .hardware = '?' }, *clk;
	unsigned int name = name_words(table, line, &cells);
	const struct word *last = &line->words[name ? name - 1 : 0];
	int parent;

	if (!name) {
		if (table->has_consumers && tree->n)
			return add_user(tree, line, 0, err);
		return clk_bad(text, err,
			       "this is no clock's line: %u words, not a name and %u "
			       "columns",
			       line->n_words, table->n_columns);
	}
	while (table->depth && table->above[table->depth - 1].indent >= line->indent)
		table->depth--;
	if (table->depth == HV_CLK_DEPTH)
		return clk_bad(text, err, "clocks are nested deeper than %d levels", HV_CLK_DEPTH);
	parent = table->depth ? table->above[table->depth - 1].clk : -1;
	clk = clk_add(tree, text, line->words[0].at,
		      (size_t)(last->at + last->len - line->words[0].at), parent, err);
	if (!clk)
		return -err->code;
	cells.name = clk->name;
	cells.parent = parent;
	cells.first_user = clk->first_user;
	*clk = cells;
	table->above[table->depth].indent = line->indent;
	table->above[table->depth++].clk = (int)tree->n - 1;
	if (!table->has_consumers)
		return 0;
	return add_user(tree, line, name + table->n_columns, err);
}

int clk_parse_summary(struct hv_clk_tree *tree, struct clk_text *text, struct hv_err *err)
{
	struct hv_err spare;
	struct table table = { 0 };
	struct line line;
	int rc;

	if (!err)
		err = &spare;
	rc = read_header(&table, text, err);
	for (; rc == 0 && next_line(text, &line); text->line++)
		if (line.n_words)
			rc = read_line(tree, &table, text, &line, err);
	return rc;
}
