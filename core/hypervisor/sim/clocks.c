// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/resource.h"
#include "base/buf.h"
#include "hypervisor/sim/machine.h"

#define CLOCKS_MAX 128
#define FACTOR_MAX 65536u
#define NOT_LENT UINT32_MAX

/* The output is the parent's rate * mul / div; one of the two may be settable. */
struct sim_clock {
	char name[HV_RESOURCE_NAME_LEN];
	int parent;    /* -1: an oscillator */
	uint64_t rate; /* the oscillator's */
	uint32_t mul, mul_min, mul_max;
	uint32_t div, div_min, div_max;
	bool gate;
	uint32_t id;
	uint32_t enable_count;
	uint32_t lent_count; /* of these, through the ioctl */
	char consumer[HV_RESOURCE_NAME_LEN], connection[HV_RESOURCE_NAME_LEN];
};

struct sim_line {
	char name[HV_RESOURCE_NAME_LEN];
	bool asserted;
	uint32_t pulses; /* reset and released */
	uint32_t users;	 /* of a power domain */
};

struct sim_clocks {
	unsigned int n_clocks, n_lent, n_resets, n_powers;
	struct sim_clock clocks[CLOCKS_MAX];
	unsigned int lent[CLOCKS_MAX];
	struct sim_line resets[CLOCKS_MAX], powers[CLOCKS_MAX];
};

static const char default_clocks[] =
	"clock osc24m 24000000\n"
	"clock osc32k 32768\n"
	"clock pll0 parent=osc24m mul=20..100 gate\n"
	"clock pll1 parent=osc24m mul=66 gate\n"
	"clock apb parent=pll0 div=5\n"
	"clock uart0 parent=apb div=1..64 gate lent for=9000000.pl011:uartclk\n"
	"clock uart1 parent=apb div=1..64 gate lent\n"
	"clock spi0 parent=apb div=1..64 gate lent\n"
	"clock i2c0 parent=apb div=1..16 gate lent\n"
	"clock mmc0 parent=pll1 div=1..128 gate lent\n"
	"clock gpu parent=pll1 div=2..8 gate lent\n"
	"clock rtc parent=osc32k lent\n"
	"reset uart0\n"
	"reset uart1\n"
	"reset spi0\n"
	"reset gpu\n"
	"power gpu\n"
	"power media\n";

/* ---- the tree */

static uint64_t rate_of(const struct sim_clocks *c, unsigned int i)
{
	const struct sim_clock *clock = &c->clocks[i];
	unsigned __int128 rate;

	if (clock->parent < 0)
		return clock->rate;
	rate = (unsigned __int128)rate_of(c, (unsigned int)clock->parent) * clock->mul / clock->div;
	return rate > INT64_MAX ? INT64_MAX : (uint64_t)rate;
}

static void enable(struct sim_clocks *c, unsigned int i, bool on)
{
	struct sim_clock *clock = &c->clocks[i];

	if (on ? clock->enable_count++ == 0 : --clock->enable_count == 0)
		if (clock->parent >= 0)
			enable(c, (unsigned int)clock->parent, on);
}

static bool settable(const struct sim_clock *clock)
{
	return clock->parent >= 0 &&
	       (clock->mul_min < clock->mul_max || clock->div_min < clock->div_max);
}

static uint32_t choices(const struct sim_clock *clock)
{
	uint32_t muls = clock->mul_max - clock->mul_min + 1;

	return muls > 1 ? muls : clock->div_max - clock->div_min + 1;
}

/* The n-th possible setting, slowest first. */
static void choose(struct sim_clock *clock, uint32_t n)
{
	if (clock->mul_max > clock->mul_min)
		clock->mul = clock->mul_min + n;
	else
		clock->div = clock->div_max - n;
}

/* The fastest that is not over what was asked for, as Linux's dividers do; else the slowest. */
static void set_rate(struct sim_clocks *c, unsigned int i, uint64_t rate)
{
	struct sim_clock *clock = &c->clocks[i];
	uint32_t low = 0, high = choices(clock);

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		choose(clock, mid);
		if (rate_of(c, i) <= rate)
			low = mid;
		else
			high = mid;
	}
	choose(clock, low);
}

/* ---- its description */

struct line {
	const char *at, *end;
	int number;
};

static int bad(const struct line *line, struct hv_err *err, const char *why, const char *word)
{
	return hv_err_set(err, EINVAL, "simulated clocks, line %d: %s%s%s%s", line->number, why,
			  *word ? " \"" : "", word, *word ? "\"" : "");
}

/* The next word of a line; false at its end. Longer ones are cut, and then known by nobody. */
static bool next_word(struct line *line, char out[128])
{
	size_t n = 0;

	while (line->at < line->end && isblank((unsigned char)*line->at))
		line->at++;
	while (line->at < line->end && !isblank((unsigned char)*line->at) && n < 127)
		out[n++] = *line->at++;
	out[n] = '\0';
	return n > 0;
}

static bool read_number(const char **text, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*value = strtoull(*text, &end, 10);
	*text = end;
	return !errno && *value <= max;
}

/* "12" or "1..64"; begins with the lowest. */
static bool read_factor(const char *text, uint32_t *value, uint32_t *min, uint32_t *max)
{
	uint64_t low, high;

	if (!read_number(&text, FACTOR_MAX, &low) || !low)
		return false;
	high = low;
	if (!strncmp(text, "..", 2)) {
		text += 2;
		if (!read_number(&text, FACTOR_MAX, &high) || high < low)
			return false;
	}
	*value = *min = (uint32_t)low;
	*max = (uint32_t)high;
	return !*text;
}

static bool copy_name(char to[HV_RESOURCE_NAME_LEN], const char *from)
{
	size_t len = strlen(from);

	if (!len || len >= HV_RESOURCE_NAME_LEN)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static int find_clock(const struct sim_clocks *c, const char *name)
{
	for (unsigned int i = 0; i < c->n_clocks; i++)
		if (!strcmp(c->clocks[i].name, name))
			return (int)i;
	return -1;
}

static int clock_word(struct sim_clocks *c, struct sim_clock *clock, const struct line *line,
		      char *word, struct hv_err *err)
{
	const char *number = word;
	char *colon;
	bool ok;

	if (!strncmp(word, "parent=", 7)) {
		clock->parent = find_clock(c, word + 7);
		return clock->parent < 0 ? bad(line, err, "no clock before this one is", word + 7)
					 : 0;
	}
	if (!strncmp(word, "mul=", 4)) {
		ok = read_factor(word + 4, &clock->mul, &clock->mul_min, &clock->mul_max);
	} else if (!strncmp(word, "div=", 4)) {
		ok = read_factor(word + 4, &clock->div, &clock->div_min, &clock->div_max);
	} else if (!strncmp(word, "for=", 4)) {
		colon = strchr(word, ':');
		if (colon)
			*colon++ = '\0';
		ok = copy_name(clock->consumer, word + 4) &&
		     (!colon || copy_name(clock->connection, colon));
	} else if (!strcmp(word, "gate")) {
		ok = clock->gate = true;
	} else if (!strcmp(word, "lent")) {
		clock->id = c->n_lent;
		ok = true;
	} else {
		ok = read_number(&number, INT64_MAX, &clock->rate) && !*number;
	}
	return ok ? 0 : bad(line, err, "this cannot be understood:", word);
}

static int read_clock(struct sim_clocks *c, struct line *line, const char *name, struct hv_err *err)
{
	struct sim_clock *clock = &c->clocks[c->n_clocks];
	char word[128];
	int rc = 0;

	if (c->n_clocks == CLOCKS_MAX)
		return bad(line, err, "too many clocks", "");
	*clock = (struct sim_clock){ .parent = -1,
				     .id = NOT_LENT,
				     .mul = 1,
				     .mul_min = 1,
				     .mul_max = 1,
				     .div = 1,
				     .div_min = 1,
				     .div_max = 1 };
	if (!copy_name(clock->name, name) || find_clock(c, name) >= 0)
		return bad(line, err, "the name is taken, or too long:", name);
	while (!rc && next_word(line, word))
		rc = clock_word(c, clock, line, word, err);
	if (rc)
		return rc;
	if ((clock->parent < 0) == (clock->rate == 0))
		return bad(line, err, "a clock has a rate or a parent:", name);
	if (clock->mul_min < clock->mul_max && clock->div_min < clock->div_max)
		return bad(line, err, "one of mul and div can be settable:", name);
	if (clock->id != NOT_LENT)
		c->lent[c->n_lent++] = c->n_clocks;
	c->n_clocks++;
	if (*clock->consumer)
		enable(c, c->n_clocks - 1, true);
	return 0;
}

static int read_plain(struct sim_line *lines, unsigned int *n, struct line *line, const char *name,
		      struct hv_err *err)
{
	char word[128];

	if (*n == CLOCKS_MAX)
		return bad(line, err, "too many of them", "");
	if (!copy_name(lines[*n].name, name))
		return bad(line, err, "the name is too long:", name);
	if (next_word(line, word))
		return bad(line, err, "nothing may follow the name, but there is", word);
	(*n)++;
	return 0;
}

static int read_line(struct sim_clocks *c, struct line *line, struct hv_err *err)
{
	char kind[128], name[128];

	if (!next_word(line, kind) || *kind == '#')
		return 0;
	if (!next_word(line, name))
		return bad(line, err, "a name is missing after", kind);
	if (!strcmp(kind, "clock"))
		return read_clock(c, line, name, err);
	if (!strcmp(kind, "reset"))
		return read_plain(c->resets, &c->n_resets, line, name, err);
	if (!strcmp(kind, "power"))
		return read_plain(c->powers, &c->n_powers, line, name, err);
	return bad(line, err, "neither clock, reset nor power:", kind);
}

static int describe(const char *text, struct sim_clocks **out, struct hv_err *err)
{
	struct sim_clocks *c = calloc(1, sizeof(*c));
	struct line line = { .end = text };
	int rc = 0;

	if (!c)
		return hv_err_nomem(err);
	while (!rc && *text) {
		line.at = text;
		line.end = text + strcspn(text, "\n");
		line.number++;
		text = *line.end ? line.end + 1 : line.end;
		rc = read_line(c, &line, err);
	}
	if (rc) {
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

int hv_sim_clocks_open(struct hv_sim *sim, struct hv_err *err)
{
	return describe(default_clocks, &sim->clocks, err);
}

void hv_sim_clocks_close(struct hv_sim *sim)
{
	free(sim->clocks);
}

static int not_simulated(const struct hv_hyp *hyp, struct hv_err *err)
{
	return hv_err_set(err, EINVAL, "%s is not simulated", hyp->name);
}

int hv_sim_set_clocks(struct hv_hyp *hyp, const char *description, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct sim_clocks *fresh;
	int rc;

	if (!hv_hyp_is_sim(hyp))
		return not_simulated(hyp, err);
	rc = describe(description, &fresh, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&sim->lock);
	free(sim->clocks);
	sim->clocks = fresh;
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

/* ---- what Linux shows */

static void summarise(const struct sim_clocks *c, int parent, int level, struct hv_buf *out)
{
	for (unsigned int i = 0; i < c->n_clocks; i++) {
		const struct sim_clock *clock = &c->clocks[i];

		if (clock->parent != parent)
			continue;
		hv_buf_printf(out, "%*s%-*s %-7u %-8u %-8d %-11" PRIu64 " %-10d %-5d %-6d %5c   ",
			      level * 3 + 1, "", 35 - level * 3, clock->name, clock->enable_count,
			      clock->enable_count, 0, rate_of(c, i), 0, 0, 50000,
			      clock->gate && !clock->enable_count ? 'N' : 'Y');
		hv_buf_printf(out, "%-27s     %s\n",
			      *clock->consumer ? clock->consumer : "deviceless",
			      *clock->connection ? clock->connection : "no_connection_id");
		summarise(c, (int)i, level + 1, out);
	}
}

int hv_sim_clk_summary(struct hv_hyp *hyp, struct hv_buf *out, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);

	if (!hv_hyp_is_sim(hyp))
		return not_simulated(hyp, err);
	hv_buf_printf(out, "%33s%-7s  %-7s  %-7s%32s%-4s  %-8s%28s%s\n", "", "enable", "prepare",
		      "protect", "", "duty", "hardware", "", "connection");
	hv_buf_printf(out, "   %-30s%-8s %-8s %-8s %11s%11s %-5s  %-5s    %-6s   %-27s     %s\n",
		      "clock", "count", "count", "count", "rate", "accuracy", "phase", "cycle",
		      "enable", "consumer", "id");
	hv_buf_repeat(out, "-", 141);
	hv_buf_puts(out, "\n");
	pthread_mutex_lock(&sim->lock);
	summarise(sim->clocks, -1, 0, out);
	pthread_mutex_unlock(&sim->lock);
	return out->failed ? hv_err_nomem(err) : 0;
}

/* ---- the ioctls */

static int no_such(const char *what, unsigned int n, struct hv_err *err)
{
	return hv_err_set(err, ENOENT, "there is none with this number: %s lends %u", what, n);
}

static void give_rates(struct sim_clocks *c, unsigned int at, struct hv_ioc_clock *args)
{
	struct sim_clock clock = c->clocks[at];
	uint32_t n = settable(&clock) ? choices(&clock) : 1, index = args->rates.index, i;

	args->rates.num_rates = args->rates.remaining = 0;
	for (i = 0; i < HV_CLOCK_RATES_MAX && index < n && i < n - index; i++) {
		if (settable(&clock))
			choose(&c->clocks[at], index + i);
		args->rates.rates[i] = rate_of(c, at);
	}
	c->clocks[at] = clock;
	args->rates.num_rates = i;
	args->rates.remaining = index < n ? n - index - i : 0;
}

static int switch_clock(struct sim_clocks *c, unsigned int at, bool on, struct hv_err *err)
{
	struct sim_clock *clock = &c->clocks[at];

	if (!on && !clock->lent_count)
		return hv_err_set(err, EINVAL, "%s is switched off more often than on",
				  clock->name);
	clock->lent_count += on ? 1 : UINT32_MAX;
	enable(c, at, on);
	return 0;
}

static int clock_call(struct sim_clocks *c, struct hv_ioc_clock *args, struct hv_err *err)
{
	struct sim_clock *clock;
	unsigned int at;

	if (args->subcmd == HV_CLOCK_COUNT) {
		args->count = c->n_lent;
		return 0;
	}
	if (args->attributes.id >= c->n_lent)
		return no_such("the simulated root zone", c->n_lent, err);
	at = c->lent[args->attributes.id];
	clock = &c->clocks[at];
	switch (args->subcmd) {
	case HV_CLOCK_ATTRIBUTES:
		args->attributes.enabled = clock->enable_count > 0;
		args->attributes.parent_id = UINT32_MAX;
		args->attributes.is_valid = 1;
		memcpy(args->attributes.name, clock->name, sizeof(clock->name));
		return 0;
	case HV_CLOCK_RATES:
		give_rates(c, at, args);
		return 0;
	case HV_CLOCK_RATE_GET:
		args->rate.rate = rate_of(c, at);
		return 0;
	case HV_CLOCK_RATE_SET:
		if (settable(clock))
			set_rate(c, at, args->rate_set.rate);
		else if (rate_of(c, at) != args->rate_set.rate)
			return hv_err_set(err, EINVAL, "%s has a fixed rate", clock->name);
		return 0;
	case HV_CLOCK_CONFIG_GET:
		args->config.config = clock->enable_count > 0;
		args->config.extended = 0;
		return 0;
	case HV_CLOCK_CONFIG_SET:
		return switch_clock(c, at, args->config.config & HV_CLOCK_ON, err);
	case HV_CLOCK_NAME:
		memcpy(args->name.name, clock->name, sizeof(clock->name));
		return 0;
	default:
		return -EINVAL;
	}
}

static int reset_call(struct sim_clocks *c, struct hv_ioc_reset *args, struct hv_err *err)
{
	struct sim_line *line;

	if (args->subcmd == HV_RESET_COUNT) {
		args->count = c->n_resets;
		return 0;
	}
	if (args->subcmd != HV_RESET_RESET)
		return -EINVAL;
	if (args->reset.domain >= c->n_resets)
		return no_such("the simulated root zone", c->n_resets, err);
	line = &c->resets[args->reset.domain];
	line->pulses += args->reset.flags & HV_RESET_PULSE;
	line->asserted =
		!(args->reset.flags & HV_RESET_PULSE) && args->reset.flags & HV_RESET_ASSERT;
	return 0;
}

static int power_call(struct sim_clocks *c, struct hv_ioc_power *args, struct hv_err *err)
{
	struct sim_line *line;

	if (args->subcmd == HV_POWER_COUNT) {
		args->count = c->n_powers;
		return 0;
	}
	if (args->state.domain >= c->n_powers)
		return no_such("the simulated root zone", c->n_powers, err);
	line = &c->powers[args->state.domain];
	switch (args->subcmd) {
	case HV_POWER_ATTRIBUTES:
		args->attributes.flags = 0;
		memcpy(args->attributes.name, line->name, sizeof(line->name));
		return 0;
	case HV_POWER_STATE_SET:
		if (args->state.state == HV_POWER_ON) {
			line->users++;
			return 0;
		}
		if (!line->users)
			return hv_err_set(err, EINVAL, "%s is switched off more often than on",
					  line->name);
		line->users--;
		return 0;
	case HV_POWER_STATE_GET:
		args->state.state = line->users ? HV_POWER_ON : HV_POWER_OFF;
		return 0;
	default:
		return -EINVAL;
	}
}

int hv_sim_resource(struct hv_hyp *hyp, unsigned long request, void *args, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc;

	pthread_mutex_lock(&sim->lock);
	if (*sim->state.panic)
		rc = hv_err_set(err, EIO, "the machine is dead: %s", sim->state.panic);
	else if (request == HV_IOC_CLOCK)
		rc = clock_call(sim->clocks, args, err);
	else if (request == HV_IOC_RESET)
		rc = reset_call(sim->clocks, args, err);
	else
		rc = power_call(sim->clocks, args, err);
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

int hv_sim_reset_state(struct hv_hyp *hyp, uint32_t id, bool *asserted, uint32_t *pulses)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc = -ENOENT;

	if (!hv_hyp_is_sim(hyp))
		return -EINVAL;
	pthread_mutex_lock(&sim->lock);
	if (id < sim->clocks->n_resets) {
		*asserted = sim->clocks->resets[id].asserted;
		*pulses = sim->clocks->resets[id].pulses;
		rc = 0;
	}
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

int hv_sim_power_users(struct hv_hyp *hyp, uint32_t id, uint32_t *users)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc = -ENOENT;

	if (!hv_hyp_is_sim(hyp))
		return -EINVAL;
	pthread_mutex_lock(&sim->lock);
	if (id < sim->clocks->n_powers) {
		*users = sim->clocks->powers[id].users;
		rc = 0;
	}
	pthread_mutex_unlock(&sim->lock);
	return rc;
}
