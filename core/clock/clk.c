// SPDX-License-Identifier: GPL-2.0-or-later
#include "clock/clk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "clock/clk_priv.h"
#include "hypervisor/sim.h"

#define CLK_DIR "/sys/kernel/debug/clk"
#define DEBUGFS "/sys/kernel/debug"

int clk_bad(const struct clk_text *text, struct hv_err *err, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return hv_err_set(err, EINVAL, "%s:%u: %s", text->label, text->line, why);
}

/* Names go to terminals. */
static const char *keep(struct hv_arena *arena, const char *text, size_t len)
{
	char *copy = hv_arena_strndup(arena, text, len);

	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
			*c = '?';
	return copy;
}

struct hv_clk *clk_add(struct hv_clk_tree *tree, const struct clk_text *text, const char *name,
		       size_t len, int parent, struct hv_err *err)
{
	struct hv_clk *clk;

	if (tree->n == HV_CLK_MAX) {
		clk_bad(text, err, "more than %d clocks", HV_CLK_MAX);
		return NULL;
	}
	if (tree->n == tree->cap) {
		size_t cap = tree->cap ? tree->cap * 2 : 64;

		clk = reallocarray(tree->clks, cap, sizeof(*clk));
		if (!clk) {
			hv_err_nomem(err);
			return NULL;
		}
		tree->clks = clk;
		tree->cap = cap;
	}
	clk = &tree->clks[tree->n];
	*clk = (struct hv_clk){
		.name = keep(tree->arena, name, len),
		.parent = parent,
		.phase = -1,
		.duty = -1,
		.hardware = '?',
		.first_user = (unsigned int)tree->n_users,
	};
	if (!clk->name) {
		hv_err_nomem(err);
		return NULL;
	}
	tree->n++;
	return clk;
}

static const char *keep_unless(struct hv_arena *arena, const char *text, size_t len,
			       const char *none)
{
	if (!len || (len == strlen(none) && !memcmp(text, none, len)))
		return NULL;
	return keep(arena, text, len);
}

int clk_add_user(struct hv_clk_tree *tree, const char *device, size_t device_len,
		 const char *connection, size_t connection_len, struct hv_err *err)
{
	struct hv_clk_user user = {
		.device = keep_unless(tree->arena, device, device_len, "deviceless"),
		.connection =
			keep_unless(tree->arena, connection, connection_len, "no_connection_id"),
	};

	if (!user.device && !user.connection)
		return 0;
	if (tree->n_users == tree->users_cap) {
		size_t cap = tree->users_cap ? tree->users_cap * 2 : 64;
		struct hv_clk_user *users = reallocarray(tree->users, cap, sizeof(*users));

		if (!users)
			return hv_err_nomem(err);
		tree->users = users;
		tree->users_cap = cap;
	}
	tree->users[tree->n_users++] = user;
	tree->clks[tree->n - 1].n_users++;
	return 0;
}

int hv_clk_parse(const char *text, size_t len, const char *label, struct hv_clk_tree **tree,
		 struct hv_err *err)
{
	struct clk_text t = { .at = text, .end = text + len, .label = label, .line = 1 };
	struct hv_clk_tree *out;
	size_t skip = 0;
	int rc;

	if (len > HV_CLK_TEXT_MAX)
		return hv_err_set(err, EINVAL, "%s: more than %zu bytes", label, HV_CLK_TEXT_MAX);
	out = calloc(1, sizeof(*out));
	if (out)
		out->arena = hv_arena_new();
	if (!out || !out->arena) {
		hv_clk_free(out);
		return hv_err_nomem(err);
	}
	while (skip < len && strchr(" \t\r\n", text[skip]) && text[skip])
		skip++;
	if (skip < len && text[skip] == '{')
		rc = clk_parse_dump(out, &t, err);
	else
		rc = clk_parse_summary(out, &t, err);
	if (rc < 0) {
		hv_clk_free(out);
		return rc;
	}
	*tree = out;
	return 0;
}

void hv_clk_free(struct hv_clk_tree *tree)
{
	if (!tree)
		return;
	hv_arena_free(tree->arena);
	free(tree->clks);
	free(tree->users);
	free(tree);
}

/* ---- where they come from */

static int read_text(const char *path, struct hv_buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char bytes[16384];
	ssize_t n;
	int rc = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		else if (out->len + (size_t)n > HV_CLK_TEXT_MAX)
			rc = -EFBIG;
		if (rc)
			break;
		hv_buf_add(out, bytes, (size_t)n);
	}
	close(fd);
	return rc ? rc : out->failed ? -ENOMEM : 0;
}

static int cannot_read(const char *path, bool usual, int rc, struct hv_err *err)
{
	struct statfs fs;

	if (rc == -EACCES || rc == -EPERM)
		return hv_err_set(err, -rc,
				  "%s: permission denied; the kernel shows its clocks to root "
				  "(try sudo)",
				  path);
	if (rc != -ENOENT || !usual)
		return hv_err_sys(err, -rc, "%s", path);
	if (statfs(DEBUGFS, &fs) == 0 && fs.f_type != DEBUGFS_MAGIC)
		return hv_err_set(err, ENOENT,
				  "%s: debugfs is not mounted (mount -t debugfs none %s)", path,
				  DEBUGFS);
	return hv_err_set(err, ENOENT,
			  "%s is not there: this kernel has no debugfs, or none of Linux's common "
			  "clocks (as on x86)",
			  path);
}

static int read_one(const char *dir, const char *name, struct hv_clk_tree **tree,
		    struct hv_err *err)
{
	struct hv_buf text = { 0 };
	char path[512];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : CLK_DIR, name);
	rc = read_text(path, &text);
	if (rc < 0)
		rc = cannot_read(path, !dir, rc, err);
	else
		rc = hv_clk_parse(text.data ? text.data : "", text.len, path, tree, err);
	hv_buf_free(&text);
	return rc;
}

int hv_clk_read(const char *dir, struct hv_clk_tree **tree, struct hv_err *err)
{
	int rc = read_one(dir, "clk_summary", tree, err);

	if (rc < 0 && read_one(dir, "clk_dump", tree, NULL) == 0)
		return 0;
	return rc;
}

int hv_clk_read_sim(struct hv_hyp *hyp, struct hv_clk_tree **tree, struct hv_err *err)
{
	struct hv_buf text = { 0 };
	int rc = hv_sim_clk_summary(hyp, &text, err);

	if (rc == 0)
		rc = hv_clk_parse(text.data, text.len, "simulated clocks", tree, err);
	hv_buf_free(&text);
	return rc;
}

/* ---- looking */

int hv_clk_find(const struct hv_clk_tree *tree, const char *name)
{
	for (size_t i = 0; i < tree->n; i++)
		if (!strcmp(tree->clks[i].name, name))
			return (int)i;
	return -1;
}

int hv_clk_find_user(const struct hv_clk_tree *tree, size_t from, const char *device,
		     const char *connection)
{
	for (size_t i = from; i < tree->n; i++)
		for (unsigned int u = 0; u < tree->clks[i].n_users; u++) {
			const struct hv_clk_user *user = &tree->users[tree->clks[i].first_user + u];

			if (user->device && !strcmp(user->device, device) &&
			    (!connection ||
			     (user->connection && !strcmp(user->connection, connection))))
				return (int)i;
		}
	return -1;
}

/* ---- frequencies */

static const struct {
	char letter;
	const char *unit;
	uint64_t factor;
} hz_units[] = {
	{ 'G', "GHz", 1000000000 },
	{ 'M', "MHz", 1000000 },
	{ 'k', "kHz", 1000 },
	{ '\0', "Hz", 1 },
};

int hv_hz_parse(const char *text, uint64_t *hz)
{
	uint64_t whole = 0, part = 0, scale = 1, factor = 1;
	const char *p = text;
	unsigned __int128 sum;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -ERANGE;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -EINVAL;
		for (p++; *p >= '0' && *p <= '9'; p++) {
			if (scale >= 1000000000)
				return -EINVAL;
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	}
	while (*p == ' ')
		p++;
	for (size_t i = 0; i < 3; i++)
		if (*p && (*p == hz_units[i].letter || (*p == 'K' && hz_units[i].letter == 'k'))) {
			factor = hz_units[i].factor;
			p++;
			break;
		}
	if (!strcmp(p, "Hz") || !strcmp(p, "hz"))
		p += 2;
	if (*p || part * factor % scale)
		return -EINVAL; /* no fractions of a hertz */
	sum = (unsigned __int128)whole * factor + part * factor / scale;
	if (sum > INT64_MAX)
		return -ERANGE;
	*hz = (uint64_t)sum;
	return 0;
}

const char *hv_hz_format(uint64_t hz, char out[HV_HZ_TEXT])
{
	size_t i = 0;
	char part[12];
	int len;

	/* Up to three decimals, or a smaller unit. */
	while (hz_units[i].factor > 1 &&
	       (hz < hz_units[i].factor || hz % (hz_units[i].factor / 1000)))
		i++;
	snprintf(part, sizeof(part), "%03u",
		 (unsigned int)(hz % hz_units[i].factor * 1000 / hz_units[i].factor));
	for (len = 3; len && part[len - 1] == '0'; len--)
		;
	snprintf(out, HV_HZ_TEXT, "%" PRIu64 "%s%.*s %s", hz / hz_units[i].factor, len ? "." : "",
		 len, part, hz_units[i].unit);
	return out;
}
