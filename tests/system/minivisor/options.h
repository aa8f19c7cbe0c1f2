/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_OPTIONS_H
#define MV_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

/* What is chosen when the machine is started. */
struct options {
	const struct config_layout *layout;
	uint64_t cpus; /* zone0's */
	bool has_ivc;  /* zone0 is a peer of IVC 0 */
};

/* Reads the options page; faults and log are set at once. Complains on the UART, never fails. */
void options_read(struct options *out);

#endif
