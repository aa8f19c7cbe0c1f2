// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "lua/interrupt.h"
#include "lua/line.h"
#include "lua/traceback.h"

#define FILES_MAX 5000
#define TEXT_MAX (1u << 20)

/* notice(text): a line above what is being typed; on standard error where nothing is */
static int notice(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);

	hv_line_notice(text, len);
	return 0;
}

/* log_seen(level) -> whether the log's lines of that level stand at the prompt of this process */
static int log_seen(lua_State *L)
{
	int level = hv_log_level_parse(luaL_checkstring(L, 1));

	lua_pushboolean(L, level >= 0 && level <= (int)hv_log_level() && hv_line_has_log());
	return 1;
}

/* ---- statements */

static int statement_over(lua_State *L, int status, lua_KContext ctx)
{
	(void)ctx;
	hv_interrupt_settled();
	if (status == LUA_OK || status == LUA_YIELD)
		return lua_gettop(L);
	lua_pushboolean(L, 0);
	lua_insert(L, -2);
	return 2;
}

/*
 * statement(resume, coroutine) -> what resume returns. An interruption that was for it is over
 * then, however often it came: who called it can say so in peace.
 */
static int statement(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 2, LUA_TTHREAD);
	lua_settop(L, 2);
	return statement_over(L, lua_pcallk(L, 1, LUA_MULTRET, 0, 0, statement_over), 0);
}

/*
 * failure(error[, coroutine]) -> the message, the places that led to it ("\n    at …"), whether the
 * message is to be printed alone, as it is
 */
static int failure(lua_State *L)
{
	lua_State *co = lua_tothread(L, 2);
	struct hv_buf *places;
	struct hv_err err;
	bool as_it_is;

	luaL_checkany(L, 1);
	lua_pushvalue(L, 1);
	as_it_is = hv_traceback_message(L);
	places = hv_bind_buf(L);
	if (co && !as_it_is)
		hv_traceback_places(co, lua_tostring(L, -2), places);
	if (hv_bind_buf_text(L, &err) < 0)
		return luaL_error(L, "%s", err.msg);
	lua_pushboolean(L, as_it_is);
	return 3;
}

/* ---- files */

/* Of a plain file: opening anything else might do something. */
static FILE *open_plain(const char *path)
{
	struct stat st;
	FILE *file;
	int fd;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

/* file_text(path) -> its text; nil when it is not to be had, or too long to be a script */
static int file_text(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	struct hv_buf *text = hv_bind_buf(L);
	FILE *file = open_plain(path);
	char part[4096];
	struct hv_err err;
	size_t n;
	bool whole;

	if (!file)
		return 0;
	while ((n = fread(part, 1, sizeof(part), file)) > 0 && text->len <= TEXT_MAX)
		hv_buf_add(text, part, n);
	whole = feof(file) && !ferror(file);
	fclose(file);
	return whole && hv_bind_buf_text(L, &err) == 0;
}

static bool is_folder(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
		return entry->d_type == DT_DIR;
	return fstatat(dir, entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static int close_dir(lua_State *L)
{
	DIR **dir = luaL_checkudata(L, 1, "hvsh.dir");

	if (*dir)
		closedir(*dir);
	*dir = NULL;
	return 0;
}

/* files(folder, beginning) -> names that begin so, those of folders with a slash; unsorted */
static int files(lua_State *L)
{
	static const luaL_Reg none[] = { { NULL, NULL } };
	const char *path = luaL_checkstring(L, 1);
	size_t len;
	const char *beginning = luaL_checklstring(L, 2, &len);
	const struct dirent *entry;
	lua_Integer n = 0;
	DIR **dir;

	hv_bind_type(L, "hvsh.dir", none, close_dir);
	dir = lua_newuserdatauv(L, sizeof(*dir), 0);
	*dir = NULL;
	luaL_setmetatable(L, "hvsh.dir");
	lua_newtable(L);
	*dir = opendir(path);
	while (*dir && n < FILES_MAX && (entry = readdir(*dir))) {
		if (strncmp(entry->d_name, beginning, len) != 0 ||
		    (*entry->d_name == '.' && *beginning != '.') || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, ".."))
			continue;
		lua_pushfstring(L, "%s%s", entry->d_name, is_folder(dirfd(*dir), entry) ? "/" : "");
		lua_rawseti(L, -2, ++n);
	}
	if (*dir)
		closedir(*dir);
	*dir = NULL;
	return 1;
}

void hv_bind_shell(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "log_seen", log_seen }, { "notice", notice },	      { "statement", statement },
		{ "failure", failure },	  { "file_text", file_text }, { "files", files },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
