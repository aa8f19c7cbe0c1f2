/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_READLINE_H
#define HV_LUA_READLINE_H

#include <stdio.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "base/err.h"

/*
 * readline's functions and variables, by pointers: the library is loaded for the first prompt. With
 * the library of terminals that it brings it would be a fifth of the start of every command. A
 * program that is linked statically has it in itself (lua/static.c).
 */
#define HV_READLINE(X)                                                                             \
	X(add_history, add_history)                                                                \
	X(begin_undo_group, rl_begin_undo_group)                                                   \
	X(bind_key, rl_bind_key)                                                                   \
	X(bind_keyseq_in_map, rl_bind_keyseq_in_map)                                               \
	X(callback_handler_install, rl_callback_handler_install)                                   \
	X(callback_handler_remove, rl_callback_handler_remove)                                     \
	X(callback_read_char, rl_callback_read_char)                                               \
	X(catch_signals, rl_catch_signals)                                                         \
	X(catch_sigwinch, rl_catch_sigwinch)                                                       \
	X(clear_visible_line, rl_clear_visible_line)                                               \
	X(delete_text, rl_delete_text)                                                             \
	X(ding, rl_ding)                                                                           \
	X(display_match_list, rl_display_match_list)                                               \
	X(emacs_keymap, emacs_standard_keymap)                                                     \
	X(end, rl_end)                                                                             \
	X(end_undo_group, rl_end_undo_group)                                                       \
	X(history_base, history_base)                                                              \
	X(history_get, history_get)                                                                \
	X(history_length, history_length)                                                          \
	X(insert, rl_insert)                                                                       \
	X(insert_text, rl_insert_text)                                                             \
	X(line_buffer, rl_line_buffer)                                                             \
	X(newline, rl_newline)                                                                     \
	X(on_new_line, rl_on_new_line)                                                             \
	X(outstream, rl_outstream)                                                                 \
	X(point, rl_point)                                                                         \
	X(read_key, rl_read_key)                                                                   \
	X(readline_name, rl_readline_name)                                                         \
	X(redisplay, rl_redisplay)                                                                 \
	X(resize_terminal, rl_resize_terminal)                                                     \
	X(stifle_history, stifle_history)                                                          \
	X(using_history, using_history)                                                            \
	X(vi_insertion_keymap, vi_insertion_keymap)

struct hv_readline {
#define X(field, symbol) __typeof__(symbol) *(field);
	HV_READLINE(X)
#undef X
};

/* Filled in by hv_readline_load; nothing of it may be used before. */
extern struct hv_readline hv_rl;

/* Does nothing when it is there. -ENOTSUP as of hv_library_load. Main thread. */
int hv_readline_load(struct hv_err *err);

#endif
