/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What core/abi asks of libc's header, for a program without libc. */
#define static_assert _Static_assert
