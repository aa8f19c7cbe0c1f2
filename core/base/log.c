// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef HV_LOG_DEFAULT
#define HV_LOG_DEFAULT HV_LOG_WARN
#endif

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* As syslog(3) numbers them. */
static const int journal_levels[] = { 3, 4, 6, 7 };

static _Atomic int current_level = HV_LOG_DEFAULT;
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static hv_log_sink_fn *sink_fn;
static void *sink_arg;

void hv_log_set_sink(hv_log_sink_fn *sink, void *arg)
{
	pthread_mutex_lock(&sink_lock);
	sink_fn = sink;
	sink_arg = arg;
	pthread_mutex_unlock(&sink_lock);
}

void hv_log_set_level(enum hv_log_level level)
{
	atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum hv_log_level hv_log_level(void)
{
	return (enum hv_log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

const char *hv_log_level_name(enum hv_log_level level)
{
	return level_names[level];
}

int hv_log_level_parse(const char *word)
{
	for (int i = 0; i <= HV_LOG_DEBUG; i++)
		if (!strcmp(word, level_names[i]))
			return i;
	return -EINVAL;
}

/*
 * Whether standard error goes to systemd's journal, which reads levels from lines and knows name
 * and pid itself: it names the stream that it has given us. Asked each time: standard error may
 * have been pointed elsewhere meanwhile.
 */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	int end = 0;

	return stream && sscanf(stream, "%llu:%llu%n", &dev, &ino, &end) == 2 && !stream[end] &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == dev && st.st_ino == ino;
}

/* What guests and files bring into a message must not steer the reader's terminal. */
static void disarm(char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < ' ' && *text != '\t' && *text != '\n') || *text == 0x7f)
			*text = '?';
}

size_t hv_log_word(char text[HV_LOG_LINE_MAX], enum hv_log_level level, const char *line)
{
	int n = snprintf(text, HV_LOG_LINE_MAX, "hvsh: %s: %s", level_names[level], line);

	return n < HV_LOG_LINE_MAX ? (size_t)n : HV_LOG_LINE_MAX - 1;
}

void hv_log(enum hv_log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	char text[2048];
	char *rest = text;
	const char *line;
	bool journal;
	va_list ap;

	if (level > hv_log_level())
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	disarm(text);

	pthread_mutex_lock(&sink_lock);
	journal = !sink_fn && is_journal();
	while ((line = strsep(&rest, "\n"))) {
		if (!*line && line != text)
			continue;
		if (sink_fn)
			sink_fn(level, line, sink_arg);
		else if (journal)
			fprintf(stderr, "<%d>%s\n", journal_levels[level], line);
		else
			fprintf(stderr, "hvsh: %s: %s\n", level_names[level], line);
	}
	pthread_mutex_unlock(&sink_lock);
	errno = saved_errno;
}
