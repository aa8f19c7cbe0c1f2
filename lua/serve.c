// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/notify.h"
#include "base/now.h"
#include "lua/detach.h"
#include "lua/event.h"
#include "lua/interrupt.h"
#include "lua/run.h"
#include "lua/sandbox.h"
#include "lua/task.h"
#include "lua/vt.h"

/* hvisor tells nobody that a zone has ended; it is asked. */
#define WATCH_NS UINT64_C(500000000)

static bool runs(const struct hv_zone_info *list, int n, uint32_t id)
{
	for (int i = 0; i < n; i++)
		if (list[i].id == id)
			return true;
	return false;
}

void hv_serve_say_crashed(const struct hv_session *s, const struct hv_zone_info *list, int n)
{
	for (int i = 0; s->serve && i < n; i++)
		if (hv_serve_crashed(s->serve, list[i].id, list[i].is_err))
			hv_log_error("zone %s (%" PRIu32
				     ") has crashed; it stays in hvisor's list until it is stopped",
				     hv_serve_zone_name(s->serve, list[i].id), list[i].id);
}

static void on_watch(struct hv_source *src, uint64_t times, void *arg)
{
	struct hv_session *s = arg;
	struct hv_zone_info list[HV_MAX_ZONES];
	struct hv_err err;
	uint32_t id, next;
	bool serves, waits;
	int n;

	(void)src;
	(void)times;
	serves = s->serve && hv_serve_next_zone(s->serve, 0, &id);
	waits = s->serve && hv_serve_waits(s->serve, 0);
	if (!s->hyp || (!serves && !waits && !hv_events_heard(s)))
		return;
	n = hv_hyp_zone_list(s->hyp, list, HV_MAX_ZONES, &err);
	if (n < 0) {
		if (!s->watch_failed)
			hv_log_error("the zones cannot be watched: %s", err.msg);
		s->watch_failed = true;
		return;
	}
	s->watch_failed = false;
	hv_serve_say_crashed(s, list, n);
	hv_events_zones(s, s->L, list, n);
	if (s->serve)
		hv_serve_running(s->serve, list, n);
	for (bool more = serves; more; id = next) {
		more = hv_serve_next_zone(s->serve, id, &next);
		if (runs(list, n, id))
			continue;
		if (!hv_serve_expects(s->serve, id))
			continue;
		hv_log_warn("zone %s (%" PRIu32 ") has ended, by itself or by another program; its "
			    "devices are closed",
			    hv_serve_zone_name(s->serve, id), id);
		hv_serve_gone(s->serve, id);
		if (s->records)
			hv_records_drop(s->records, id, NULL);
	}
}

int hv_serve_watch(struct hv_session *s, struct hv_err *err)
{
	struct hv_loop *loop;

	if (s->watch)
		return 0;
	loop = hv_session_loop(s, err);
	if (!loop)
		return -err->code;
	return hv_loop_add_timer(loop, hv_now() + WATCH_NS, WATCH_NS, on_watch, s, &s->watch, err);
}

void hv_serve_unwatch(struct hv_session *s)
{
	hv_source_remove(s->watch);
	s->watch = NULL;
}

bool hv_serve_alive(lua_State *L)
{
	struct hv_session *s = hv_session_of(L);

	hv_session_settle(s);
	return (s->serve && hv_serve_count(s->serve)) || hv_tasks_alive(L) || hv_events_alive(s);
}

static void announce(const struct hv_session *s)
{
	unsigned int zones = 0;
	uint32_t id = 0;

	if (!s->serve)
		return;
	while (hv_serve_next_zone(s->serve, id, &id))
		zones++;
	if (zones)
		fprintf(stderr, "hvsh: serving %u device%s of %u zone%s%s\n",
			hv_serve_count(s->serve), hv_serve_count(s->serve) == 1 ? "" : "s", zones,
			zones == 1 ? "" : "s",
			hv_detach_pending() ? " in the background, until they have stopped"
					    : "; Ctrl-C ends it");
}

static int go_background(const struct hv_session *s, int code, struct hv_err *err)
{
	char log[4096];

	if (!hv_detach_pending())
		return 0;
	if (!s->sim)
		snprintf(log, sizeof(log), "/run/hvsh/service.log");
	else if ((size_t)snprintf(log, sizeof(log), "%s/service.log", s->sim_dir) >= sizeof(log))
		return hv_err_set(err, ENAMETOOLONG, "--sim=%s: the path is too long", s->sim_dir);
	return hv_detach_ready(code, log, err);
}

static void tell_starter(const char *lines)
{
	struct hv_err err;

	if (hv_notify(lines, &err) < 0)
		hv_log_warn("who started this is not told \"%.*s\": %s", (int)strcspn(lines, "\n"),
			    lines, err.msg);
}

struct watchdog {
	const struct hv_session *session;
	uint64_t moves;
	bool stuck;
};

/*
 * This thread lives, or it would not be here. The one that answers the guests' registers looks at
 * them or sleeps, each of which counts.
 */
static void on_watchdog(struct hv_source *src, uint64_t times, void *arg)
{
	struct watchdog *w = arg;
	struct hv_service_stats stats = { 0 };
	uint64_t moves;

	(void)src;
	(void)times;
	if (w->session->serve)
		hv_serve_stats(w->session->serve, &stats);
	moves = stats.registers + stats.sleeps;
	if (moves && moves == w->moves) {
		if (!w->stuck)
			hv_log_error("the bridge thread does not move; the watchdog is not fed");
		w->stuck = true;
		return;
	}
	w->moves = moves;
	w->stuck = false;
	tell_starter("WATCHDOG=1");
}

void hv_serve_farewell(const struct hv_session *s)
{
	unsigned int n = s->serve ? hv_serve_count(s->serve) : 0;

	tell_starter("STOPPING=1");
	if (n)
		fprintf(stderr, "hvsh: closing %u device%s; their zones are not stopped%s\n", n,
			n == 1 ? "" : "s", s->sim ? "" : " and wait for the next service");
}

/* The process that goes on is not the one that was started when it went into the background. */
void hv_serve_ready(void)
{
	char lines[64];

	snprintf(lines, sizeof(lines), "READY=1\nMAINPID=%d", (int)getpid());
	tell_starter(lines);
}

int hv_serve_run(lua_State *L, int code)
{
	struct hv_session *s = hv_session_of(L);
	struct hv_loop *loop = hv_task_loop(L);
	struct watchdog watchdog = { .session = s };
	uint64_t period = hv_notify_watchdog();
	struct hv_source *feed = NULL;
	struct hv_vt *vt;
	struct hv_err err;
	int rc;

	fflush(stdout);
	announce(s);
	if (go_background(s, code, &err) < 0 ||
	    (period && hv_loop_add_timer(loop, hv_now() + period, period, on_watchdog, &watchdog,
					 &feed, &err) < 0)) {
		fprintf(stderr, "hvsh: %s\n", err.msg);
		return HV_EXIT_FAILED;
	}
	vt = hv_vt_watch(s, loop);
	hv_sandbox_enter(L);
	hv_serve_ready();
	while (hv_serve_alive(L) && !hv_interrupted()) {
		rc = hv_loop_run_once(loop, -1, &err);
		if (rc < 0 && rc != -EINTR) {
			fprintf(stderr, "hvsh: %s\n", err.msg);
			code = HV_EXIT_FAILED;
			break;
		}
		hv_sandbox_enter(L);
	}
	hv_source_remove(feed);
	hv_vt_unwatch(vt);
	if (!hv_interrupted()) {
		if (!hv_serve_alive(L))
			fprintf(stderr, "hvsh: nothing is left to serve\n");
		return code;
	}
	/* It was asked to end, and does: nothing has failed. */
	hv_interrupt_clear();
	hv_serve_farewell(s);
	return code;
}
