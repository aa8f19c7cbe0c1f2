/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_TOLD_H
#define TESTS_LIB_TOLD_H

/*
 * What the kept log has come to have since kept_log_begin: a few lines, one of them with `who` in
 * it; who NULL: none at all. Waits for it, since a register may show the trouble first. The test
 * that runs fails otherwise, and says after what: "pwritev2 EIO at place 3".
 */
void told(const char *who, const char *what, unsigned int place);

#endif
