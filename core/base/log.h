/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_LOG_H
#define HV_BASE_LOG_H

#include <stddef.h>

enum hv_log_level {
	HV_LOG_ERROR,
	HV_LOG_WARN,
	HV_LOG_INFO,
	HV_LOG_DEBUG,
};

/*
 * Where lines go: a function of the program, or standard error when none is
 * set, with the journal's levels before them where that is systemd's journal
 * (JOURNAL_STREAM). It may be called by any thread, one line (without newline) at a time, and
 * must not log itself. Control characters arrive as '?'.
 */
typedef void hv_log_sink_fn(enum hv_log_level level, const char *line, void *arg);
void hv_log_set_sink(hv_log_sink_fn *sink, void *arg);

/* A line as it stands on a terminal, without its newline; returns its length. For sinks. */
#define HV_LOG_LINE_MAX 2200
size_t hv_log_word(char text[HV_LOG_LINE_MAX], enum hv_log_level level, const char *line);

/* The level may change while the program runs; lines above it cost one load. Any thread. */
void hv_log_set_level(enum hv_log_level level);
enum hv_log_level hv_log_level(void);

/* "error", "warn", "info", "debug" and back; -EINVAL for another word. */
const char *hv_log_level_name(enum hv_log_level level);
int hv_log_level_parse(const char *word);

/* A message of several lines becomes several lines; errno is kept. */
void hv_log(enum hv_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define hv_log_error(...) hv_log(HV_LOG_ERROR, __VA_ARGS__)
#define hv_log_warn(...) hv_log(HV_LOG_WARN, __VA_ARGS__)
#define hv_log_info(...) hv_log(HV_LOG_INFO, __VA_ARGS__)
#define hv_log_debug(...) hv_log(HV_LOG_DEBUG, __VA_ARGS__)

#endif
