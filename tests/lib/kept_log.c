// SPDX-License-Identifier: GPL-2.0-or-later
#include "kept_log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static struct {
	pthread_mutex_t lock;
	char text[8192];
	unsigned int lines;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void keep_line(enum hv_log_level level, const char *line, void *arg)
{
	size_t used;

	(void)level;
	(void)arg;
	pthread_mutex_lock(&kept.lock);
	used = strlen(kept.text);
	snprintf(kept.text + used, sizeof(kept.text) - used, "%s\n", line);
	kept.lines++;
	pthread_mutex_unlock(&kept.lock);
}

void kept_log_begin(void)
{
	hv_log_set_sink(keep_line, NULL);
	pthread_mutex_lock(&kept.lock);
	kept.text[0] = '\0';
	kept.lines = 0;
	pthread_mutex_unlock(&kept.lock);
}

bool kept_log_has(const char *text)
{
	bool found;

	pthread_mutex_lock(&kept.lock);
	found = strstr(kept.text, text);
	pthread_mutex_unlock(&kept.lock);
	return found;
}

unsigned int kept_log_lines(void)
{
	unsigned int lines;

	pthread_mutex_lock(&kept.lock);
	lines = kept.lines;
	pthread_mutex_unlock(&kept.lock);
	return lines;
}

const char *kept_log_text(void)
{
	return kept.text;
}
