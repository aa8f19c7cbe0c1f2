// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/interrupt.h"

#include <errno.h>
#include <lauxlib.h>
#include <pthread.h>
#include <time.h>

#include "loop/loop.h"
#include "lua/run.h"

/* The first errors leave this many instructions to __close handlers; after them none. */
#define GRACE 20000
#define GRACE_ERRORS 3
/* What runs in the background is not meant, unless it keeps all others waiting: ns, and after how
 * many instructions the clock is asked. */
#define PATIENCE UINT64_C(200000000)
#define PATIENCE_STEP 10000

static pthread_t owner;
static lua_State *volatile running;
static struct hv_loop *volatile woken;
static volatile sig_atomic_t pending; /* the signal */
static volatile sig_atomic_t raised;
static volatile sig_atomic_t background;
static volatile uint64_t since; /* cpu_time of the signal */

static void stop(lua_State *L, lua_Debug *ar);

/* Of the owner. On a busy machine the clock on the wall says little about a task. */
static uint64_t cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool is_spared(void)
{
	return background && !raised && cpu_time() - since < PATIENCE;
}

/* Safe in a signal handler, as the manual says of lua_sethook. */
static void arm(lua_State *L)
{
	if (raised > 0 && raised < GRACE_ERRORS)
		lua_sethook(L, stop, LUA_MASKCOUNT, GRACE);
	else if (is_spared())
		lua_sethook(L, stop, LUA_MASKCOUNT, PATIENCE_STEP);
	else
		lua_sethook(L, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
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
	} else if (pending) {
		signal(sig, SIG_DFL);
		raise(sig);
	} else {
		since = cpu_time();
		pending = sig;
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

int hv_interrupt_raise(lua_State *L)
{
	hv_interrupt_raised(L);
	hv_run_where(L);
	lua_pushliteral(L, "interrupted");
	lua_concat(L, 2);
	return lua_error(L);
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
	lua_sethook(running, NULL, 0, 0);
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
	return before;
}

void hv_interrupt_leave(lua_State *before)
{
	running = before;
	if (pending && before)
		arm_once(before);
}
