// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch.h"
#include "board.h"
#include "cpu.h"
#include "gic.h"
#include "options.h"
#include "text.h"
#include "zone.h"

/* start.S */
void boot_main(void) __attribute__((noreturn));

void boot_main(void)
{
	struct options options;

	cpu_init();
	options_read(&options);
	gic_init();
	say("minivisor: %u CPUs, zone0 on %lx, zone config layout %s (version %u, %u bytes)",
	    cpu_count(), options.cpus, options.layout->name, options.layout->version,
	    options.layout->size);
	cpu_enter_first(zone_init_root(options.cpus, options.layout, options.has_ivc), ZONE0_ENTRY,
			ZONE0_DTB);
}
