// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/shell_channel.h"

#include <inttypes.h>
#include <jansson.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lua/bind.h"
#include "lua/coroutine.h"
#include "lua/interrupt.h"
#include "lua/shell_end.h"

#define CHANNEL "hvsh.shell_channel"

#define OUTPUT (64u << 10)
#define WAITING_MAX (512u << 10) /* from the client, not taken by its task */
#define NOTE 80			 /* bytes kept for the line about lost output */
/* Lines are sent together, but for what has waited for so long, ns. */
#define LINGER UINT64_C(10000000)
/* A task that is not the statement was not meant, unless it keeps all others waiting: ns. */
#define PATIENCE UINT64_C(200000000)
#define BUSY UINT64_C(1000000000) /* ns after which the log says who it is */

struct shell {
	struct hv_interrupt_watch watch; /* first: see hv_task_own */
	struct hv_shell_end end;
	struct hv_session *session;
	struct hv_channel *ch; /* NULL: closed */
	struct hv_loop *loop;
	struct hv_post later;
	struct hv_cond room;
	char who[96];
	bool started;		      /* the client has read the reply that names the channel */
	const struct hv_task *server; /* the prompt's own task */

	/* the statement that runs */
	const struct hv_task *task; /* NULL = none */
	lua_Integer number;
	unsigned int interrupts;    /* heard of in its turn */
	unsigned int seen, settled; /* of all there were: by look, and what was dealt with */
	bool complained;

	/* output */
	uint64_t written, sent, lost;
	uint64_t flushed; /* hv_now of the last time */
	char *finish;	  /* sent behind the first finish_at bytes of output; NULL = nothing */
	uint64_t finish_at;
	size_t n_out;
	char out[OUTPUT];
};

static struct shell *check_shell(lua_State *L)
{
	return luaL_checkudata(L, 1, CHANNEL);
}

/* ---- output */

static void say_finished(struct shell *s)
{
	if (!s->finish || s->sent < s->finish_at)
		return;
	/* Where the client does not read now, when there is room. */
	if (hv_channel_event(s->ch, s->finish, strlen(s->finish), NULL))
		return;
	free(s->finish);
	s->finish = NULL;
}

static void flush(struct shell *s)
{
	size_t n;

	if (!s->ch)
		return;
	s->flushed = hv_now();
	n = s->n_out ? hv_channel_send(s->ch, s->out, s->n_out) : 0;
	s->sent += n;
	s->n_out -= n;
	memmove(s->out, s->out + n, s->n_out);
	say_finished(s);
	if (n && s->n_out <= OUTPUT / 2)
		hv_cond_wake(&s->room);
}

static void on_later(struct hv_loop *loop, struct hv_post *post)
{
	(void)loop;
	flush(post->arg);
}

static void flush_soon(struct shell *s)
{
	if (s->ch && hv_now() - s->flushed > LINGER)
		flush(s);
	else if (s->ch)
		hv_loop_defer(s->loop, &s->later);
}

static size_t keep(struct shell *s, const char *bytes, size_t len)
{
	size_t room = OUTPUT - NOTE - s->n_out;

	if (s->n_out > OUTPUT - NOTE)
		return 0;
	if (len > room)
		len = room;
	memcpy(s->out + s->n_out, bytes, len);
	s->n_out += len;
	s->written += len;
	return len;
}

/* Where output is missing; after it there is room again. */
static void note_lost(struct shell *s)
{
	int n;

	if (!s->lost || s->n_out > OUTPUT / 2)
		return;
	n = snprintf(s->out + s->n_out, NOTE,
		     "\n[%" PRIu64 " bytes of output lost: this terminal was too slow]\n", s->lost);
	s->n_out += (size_t)n;
	s->written += (uint64_t)n;
	s->lost = 0;
}

static int wrote(lua_State *L, int result)
{
	if (!result)
		return 0;
	lua_pushvalue(L, result);
	return 1;
}

/* Stack: …, the owner, the text; how much of it is written, the result's index. */
static int write_on(lua_State *L, int status, lua_KContext ctx)
{
	struct shell *s = lua_touserdata(L, -3);
	size_t len, at = (size_t)lua_tointeger(L, -1);
	const char *text = lua_tolstring(L, -2, &len);

	(void)status;
	while (s->ch && at < len) {
		size_t n;

		note_lost(s);
		/* Behind a gap nothing else goes before it is noted. */
		n = s->lost ? 0 : keep(s, text + at, len - at);
		at += n;
		if (at == len)
			break;
		flush(s);
		if (n || s->n_out <= OUTPUT / 2)
			continue;
		if (s->task != hv_task_running(L) || !hv_co_can_wait(L)) {
			s->lost += len - at;
			at = len;
			break;
		}
		lua_pop(L, 1);
		lua_pushinteger(L, (lua_Integer)at);
		return hv_cond_wait(L, &s->room, 0, ctx, write_on);
	}
	if (!s->ch && at < len)
		hv_log_info("a task of %s, which has gone: %.*s", s->who,
			    len - at < 1500 ? (int)(len - at) : 1500, text + at);
	flush_soon(s);
	return wrote(L, (int)ctx);
}

static int write_to(lua_State *L, int result)
{
	luaL_checkstack(L, 8, "too much to write with");
	lua_pushinteger(L, 0);
	return write_on(L, LUA_OK, result);
}

int hv_shell_write(lua_State *L, int result)
{
	luaL_checkstack(L, 8, "too much to write with");
	hv_task_push_owner(L);
	lua_insert(L, -2);
	return write_to(L, result);
}

/* ---- interruptions */

struct interrupts {
	const struct shell *s;
	bool of_any;
	unsigned int n;
};

static bool is_interrupt(const char *json, size_t len, lua_Integer *number)
{
	json_t *root = json_loadb(json, len, 0, NULL);
	const char *event = json_string_value(json_object_get(root, "event"));
	bool is = event && !strcmp(event, "interrupt");

	*number = is ? json_integer_value(json_object_get(root, "statement")) : 0;
	json_decref(root);
	return is;
}

static void count(const char *json, size_t len, void *arg)
{
	struct interrupts *i = arg;
	lua_Integer number;

	if (is_interrupt(json, len, &number) && (i->of_any || number == i->s->number))
		i->n++;
}

static void complain(struct shell *s)
{
	if (s->complained)
		return;
	s->complained = true;
	hv_log_warn("%s: what was typed there has kept the service from everything else for more "
		    "than a "
		    "second; zones run on, commands wait",
		    s->who);
}

static enum hv_interrupt_level look(struct hv_interrupt_watch *watch, uint64_t busy)
{
	struct shell *s = (struct shell *)watch;
	const struct hv_task *running = hv_task_running(s->session->L);
	struct interrupts i = { .s = s, .of_any = !s->task || s->task != running };

	if (busy > BUSY)
		complain(s);
	/* The prompt's own task closes what the statement has open: it gets the time for that. */
	if (!s->ch && running == s->server)
		return busy > PATIENCE ? HV_INTERRUPT_ONCE : HV_INTERRUPT_NOT;
	if (!s->ch)
		return i.of_any ? HV_INTERRUPT_NOT : HV_INTERRUPT_AT_ONCE;
	flush(s);
	if (!hv_channel_peek(s->ch, count, &i))
		return i.of_any ? HV_INTERRUPT_NOT : HV_INTERRUPT_AT_ONCE;
	if (i.of_any)
		return i.n && busy > PATIENCE ? HV_INTERRUPT_ONCE : HV_INTERRUPT_NOT;
	s->seen = s->interrupts + i.n;
	if (s->seen <= s->settled)
		return HV_INTERRUPT_NOT;
	return s->seen - s->settled > 1 ? HV_INTERRUPT_AT_ONCE : HV_INTERRUPT_ONCE;
}

static void settled(struct hv_interrupt_watch *watch)
{
	struct shell *s = (struct shell *)watch;

	s->settled = s->seen;
}

static void tell(struct hv_interrupt_watch *watch, const char *text, size_t len)
{
	struct shell *s = (struct shell *)watch;
	size_t n;

	if (!s->ch)
		return;
	note_lost(s);
	n = s->lost ? 0 : keep(s, text, len);
	s->lost += len - n;
	flush_soon(s);
}

/* ---- the channel */

/* The channel is no longer valid. */
static void ended(struct shell *s, const char *reason)
{
	lua_State *L = s->session->L;

	s->ch = NULL;
	hv_loop_unpost(s->loop, &s->later);
	free(s->finish);
	s->finish = NULL;
	s->n_out = 0;
	hv_shell_end_close(&s->end, reason);
	hv_cond_wake(&s->room);
	if (!lua_checkstack(L, 1))
		return;
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, s);
}

static void drop(struct shell *s, const char *reason)
{
	hv_channel_close(s->ch, reason);
	ended(s, reason);
}

static void receive(struct shell *s, bool data, const void *bytes, size_t len)
{
	if (hv_shell_end_waiting(&s->end) + len > WAITING_MAX)
		drop(s, "more came than was answered");
	else if (!hv_shell_end_put(&s->end, data, bytes, len))
		drop(s, "out of memory");
}

static void on_data(struct hv_channel *ch, const void *bytes, size_t len, void *arg)
{
	(void)ch;
	receive(arg, true, bytes, len);
}

static void on_event(struct hv_channel *ch, const char *json, size_t len, void *arg)
{
	struct shell *s = arg;
	lua_Integer number;

	(void)ch;
	if (is_interrupt(json, len, &number) && s->task && number == s->number)
		s->interrupts++;
	receive(s, false, json, len);
}

static void on_room(struct hv_channel *ch, void *arg)
{
	struct shell *s = arg;

	if (!s->started)
		hv_channel_grant(ch, HV_SHELL_WINDOW);
	s->started = true;
	flush(s);
}

static void on_closed(struct hv_channel *ch, const char *reason, void *arg)
{
	(void)ch;
	ended(arg, reason);
}

static const struct hv_channel_ops ops = {
	.data = on_data,
	.room = on_room,
	.event = on_event,
	.closed = on_closed,
};

static void grant(struct hv_shell_end *end, uint32_t len)
{
	struct shell *s = (struct shell *)((char *)end - offsetof(struct shell, end));

	if (s->ch)
		hv_channel_grant(s->ch, len);
}

/* ---- methods */

static int shell_receive(lua_State *L)
{
	struct shell *s = check_shell(L);

	lua_settop(L, 1);
	return hv_shell_end_receive(L, &s->end);
}

static int shell_number(lua_State *L)
{
	struct shell *s = check_shell(L);

	lua_pushinteger(L, s->ch ? hv_channel_number(s->ch) : 0);
	return 1;
}

/* who() -> "the prompt of hvsh 0.1.0 (pid 712)" */
static int shell_who(lua_State *L)
{
	lua_pushstring(L, check_shell(L)->who);
	return 1;
}

/* own(): the task that calls is the prompt's own; those it makes work for this prompt, too */
static int shell_own(lua_State *L)
{
	check_shell(L)->server = hv_task_running(L);
	hv_task_own(L, 1);
	return 0;
}

/* begin(statement): its task is the one that calls; the client may send the next */
static int shell_begin(lua_State *L)
{
	struct shell *s = check_shell(L);

	s->number = luaL_checkinteger(L, 2);
	s->task = hv_task_running(L);
	s->interrupts = s->seen = s->settled = 0;
	s->complained = false;
	return 0;
}

static int tried(lua_State *L, int status, lua_KContext ctx)
{
	(void)ctx;
	/* What comes from now on is not for the statement. */
	hv_interrupt_settled();
	lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
	lua_replace(L, 1);
	return lua_gettop(L);
}

/* try(f, …): as pcall; an interruption that f would not catch any more ends with it */
static int shell_try(lua_State *L)
{
	check_shell(L);
	luaL_checkany(L, 2);
	return tried(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, tried), 0);
}

/* finish(json): the event goes to the client behind the output there is */
static int shell_finish(lua_State *L)
{
	struct shell *s = check_shell(L);
	const char *json = luaL_checkstring(L, 2);

	s->task = NULL;
	if (!s->ch)
		return 0;
	free(s->finish);
	s->finish = strdup(json);
	if (!s->finish)
		return luaL_error(L, "not enough memory");
	note_lost(s);
	s->finish_at = s->written;
	flush(s);
	return 0;
}

static int shell_event(lua_State *L)
{
	struct shell *s = check_shell(L);
	size_t len;
	const char *json = luaL_checklstring(L, 2, &len);

	lua_pushboolean(L, s->ch && !hv_channel_event(s->ch, json, len, NULL));
	return 1;
}

static int shell_write(lua_State *L)
{
	check_shell(L);
	luaL_checkstring(L, 2);
	lua_settop(L, 2);
	return write_to(L, 0);
}

static int shell_close(lua_State *L)
{
	struct shell *s = check_shell(L);

	if (s->ch)
		drop(s, luaL_optstring(L, 2, "the prompt has ended"));
	return 0;
}

static int shell_gc(lua_State *L)
{
	struct shell *s = check_shell(L);

	if (s->ch) {
		hv_loop_unpost(s->loop, &s->later);
		hv_channel_close(s->ch, "the service ended");
		s->ch = NULL;
	}
	free(s->finish);
	s->finish = NULL;
	hv_shell_end_free(&s->end);
	return 0;
}

int hv_shell_channel_open(lua_State *L, struct hv_control_conn *conn, struct hv_err *err)
{
	static const luaL_Reg methods[] = {
		{ "receive", shell_receive },
		{ "number", shell_number },
		{ "own", shell_own },
		{ "who", shell_who },
		{ "begin", shell_begin },
		{ "try", shell_try },
		{ "finish", shell_finish },
		{ "event", shell_event },
		{ "write", shell_write },
		{ "close", shell_close },
		{ NULL, NULL },
	};
	struct shell *s;
	int rc;

	hv_bind_type(L, CHANNEL, methods, shell_gc);
	s = lua_newuserdatauv(L, sizeof(*s), 0);
	memset(s, 0, sizeof(*s));
	luaL_setmetatable(L, CHANNEL);
	s->watch.look = look;
	s->watch.settled = settled;
	s->watch.tell = tell;
	s->end.grant = grant;
	s->session = hv_session_of(L);
	s->loop = hv_control_conn_loop(conn);
	s->later.fn = on_later;
	s->later.arg = s;
	snprintf(s->who, sizeof(s->who), "the prompt of %s (pid %d)", hv_control_conn_program(conn),
		 (int)hv_control_conn_pid(conn));
	/* Whatever holds it: it stays while the channel is open. */
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, s);
	rc = hv_channel_open(conn, &ops, s, &s->ch, err);
	if (rc < 0) {
		s->ch = NULL;
		lua_pushnil(L);
		lua_rawsetp(L, LUA_REGISTRYINDEX, s);
		lua_pop(L, 1);
		return rc;
	}
	return 0;
}
