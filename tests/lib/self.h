/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_SELF_H
#define TESTS_LIB_SELF_H

/*
 * Becomes this program anew, with other arguments: argv[0] is its name, NULL ends them. Under user
 * emulation the kernel does not know what this program is: HVSH_EMULATOR names who does. Returns
 * only when that fails.
 */
void exec_self(const char *const argv[]);

#endif
