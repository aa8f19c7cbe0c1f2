/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_SANDBOX_OPENER_PRIV_H
#define HV_SANDBOX_OPENER_PRIV_H

#include <limits.h>
#include <stdint.h>

#include "sandbox/opener.h"

/* One request in one packet, answered by one. Both ends are the same program. */
enum opener_verb {
	OPENER_ALLOW, /* not answered; before the seal, or from a command */
	OPENER_SEAL,
	OPENER_OPEN,
	OPENER_STAT,
	OPENER_ACCESS,
	OPENER_RENAME,
	OPENER_SYMLINK,
	OPENER_UNLINK,
	OPENER_CALL,
};

struct opener_request {
	uint32_t verb;
	int32_t flags; /* of open and access; what is allowed */
	uint32_t mode;
	uint32_t len[2]; /* of two texts, each with its NUL; of the bytes of a call */
	char data[2 * PATH_MAX];
};

struct opener_reply {
	int32_t ret; /* 0 or -errno */
	uint32_t len;
	char data[HV_OPENER_BYTES];
	char message[HV_ERR_MSG_MAX]; /* of a call that failed */
};

/* ---- what is allowed */

/* What may be opened; owns its texts. Not for several threads at once. */
struct opener_list {
	struct opener_entry {
		unsigned int what;
		char *path; /* as it was said */
		char *real; /* where that led when it was said; NULL: nowhere */
	} * entries;
	size_t n;
};

int opener_list_add(struct opener_list *list, unsigned int what, const char *path);
void opener_list_clear(struct opener_list *list);
/* asked: the path as the service said it; real: where it leads. */
bool opener_list_allows(const struct opener_list *list, unsigned int what, const char *asked,
			const char *real);
bool opener_list_names(const struct opener_list *list, unsigned int what, const char *name);

/* ---- the process */

/* Serves until the service is gone; does not return. */
_Noreturn void opener_main(int service, int listener, pid_t service_pid, hv_opener_call_fn *call);

#endif
