// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <time.h>

#include "base/now.h"
#include "loop/loop.h"
#include "lua/run.h"

/* The first errors leave this many instructions to __close handlers; after them none. */
#define GRACE 20000
#define GRACE_ERRORS 3
/* The last of so many ends the process. */
#define PRESSES 3
/* What runs in the background is not meant, unless it keeps all others waiting: ns, and after how
 * many instructions the clock is asked. */
#define PATIENCE UINT64_C(200000000)
#define PATIENCE_STEP 10000
/* Work that is watched: ns between two looks, and after how many instructions the clock is asked. */
#define LOOK UINT64_C(20000000)
#define LOOK_STEP 10000

static pthread_t owner;
static lua_State *volatile running;
static struct hv_loop *volatile woken;
static volatile sig_atomic_t pending; /* the signal */
static volatile sig_atomic_t presses;
static volatile sig_atomic_t raised;
static volatile sig_atomic_t background;
static volatile uint64_t since; /* hv_cpu_time of the signal */

static struct hv_interrupt_watching watching;

static void stop(lua_State *L, lua_Debug *ar);
static void glance(lua_State *L, lua_Debug *ar);

#define EVERYTHING (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

static bool is_spared(void)
{
	return background && !raised && hv_cpu_time() - since < PATIENCE;
}

/* Safe in a signal handler, as the manual says of lua_sethook. */
static void arm(lua_State *L)
{
	if (raised > 0 && raised < GRACE_ERRORS)
		lua_sethook(L, stop, LUA_MASKCOUNT, GRACE);
	else if (is_spared())
		lua_sethook(L, stop, LUA_MASKCOUNT, PATIENCE_STEP);
	else
		lua_sethook(L, stop, EVERYTHING, 1);
}

static void arm_glance(lua_State *L)
{
	if (watching.level == HV_INTERRUPT_NOT)
		lua_sethook(L, glance, LUA_MASKCOUNT, LOOK_STEP);
	else if (watching.level == HV_INTERRUPT_ONCE && watching.raised < GRACE_ERRORS)
		lua_sethook(L, glance, LUA_MASKCOUNT, GRACE);
	else
		lua_sethook(L, glance, EVERYTHING, 1);
}

static void stop(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (!pending) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (!is_spared())
		hv_interrupt_raise(L);
}

static void on_signal(int sig)
{
	int saved = errno;

	if (!pthread_equal(pthread_self(), owner)) {
		pthread_kill(owner, sig);
	} else if (pending && ++presses >= PRESSES) {
		signal(sig, SIG_DFL);
		raise(sig);
	} else if (pending) {
		raised = GRACE_ERRORS;
		if (running)
			arm(running);
	} else {
		since = hv_cpu_time();
		pending = sig;
		presses = 1;
		if (running)
			arm(running);
		if (woken)
			hv_loop_wake(woken);
	}
	errno = saved;
}

void hv_interrupt_install(lua_State *L)
{
	struct sigaction action = { .sa_handler = on_signal };

	owner = pthread_self();
	running = L;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

void hv_interrupt_also_ends(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

void hv_interrupt_end(void)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action;

	running = NULL;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (sigaction(taken[i], NULL, &action) || action.sa_handler != on_signal)
			continue;
		action.sa_flags |= SA_RESTART;
		sigaction(taken[i], &action, NULL);
	}
}

int hv_interrupt_signal(void)
{
	return pending;
}

void hv_interrupt_wakes(struct hv_loop *loop)
{
	woken = loop;
}

void hv_interrupt_raised(lua_State *L)
{
	if (raised < GRACE_ERRORS)
		raised++;
	arm(L);
}

static int raise_error(lua_State *L)
{
	hv_run_where(L);
	lua_pushliteral(L, "interrupted");
	lua_concat(L, 2);
	return lua_error(L);
}

int hv_interrupt_raise(lua_State *L)
{
	hv_interrupt_raised(L);
	return raise_error(L);
}

static void glance(lua_State *L, lua_Debug *ar)
{
	uint64_t now;

	(void)ar;
	if (!watching.by) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	now = hv_now();
	if (now >= watching.next) {
		watching.next = now + LOOK;
		watching.level = watching.by->look(watching.by, now - watching.since);
	}
	if (watching.level == HV_INTERRUPT_NOT)
		return;
	if (watching.raised < GRACE_ERRORS)
		watching.raised++;
	arm_glance(L);
	raise_error(L);
}

struct hv_interrupt_watching hv_interrupt_watch(struct hv_interrupt_watch *by)
{
	struct hv_interrupt_watching before = watching;
	uint64_t now = by ? hv_now() : 0;

	watching = (struct hv_interrupt_watching){ .by = by, .since = now, .next = now + LOOK };
	return before;
}

void hv_interrupt_unwatch(const struct hv_interrupt_watching *before)
{
	watching = *before;
}

bool hv_interrupt_background(bool now)
{
	bool before = background;

	background = now;
	return before;
}

bool hv_interrupted(void)
{
	return pending;
}

void hv_interrupt_clear(void)
{
	pending = 0;
	raised = 0;
	if (running)
		lua_sethook(running, NULL, 0, 0);
}

void hv_interrupt_settled(void)
{
	if (pending == SIGINT && !background) {
		hv_interrupt_clear();
	} else if (watching.by && !pending) {
		watching.by->settled(watching.by);
		watching.since = hv_now();
		watching.level = HV_INTERRUPT_NOT;
		watching.raised = 0;
		if (running)
			arm_glance(running);
	}
}

/* Arming again would begin its grace anew, which a loop over short coroutines would never use up.
 */
static void arm_once(lua_State *L)
{
	if (lua_gethook(L) != stop)
		arm(L);
}

lua_State *hv_interrupt_enter(lua_State *co)
{
	lua_State *before = running;

	running = co;
	if (pending)
		arm_once(co);
	else if (watching.by && lua_gethook(co) != glance)
		arm_glance(co);
	return before;
}

void hv_interrupt_leave(lua_State *before)
{
	running = before;
	if (pending && before)
		arm_once(before);
}
