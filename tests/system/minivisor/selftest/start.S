/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry of both programs; each is linked with it on its own. An exception ends in `payload_trap`. */
	.section .text.boot, "ax"
	.globl	_start, second_entry
_start:
	ldr	x1, =stack_end
	mov	sp, x1
	ldr	x1, =payload_vectors
	msr	vbar_el1, x1
	isb
	bl	payload_main
1:	b	1b

second_entry:
	ldr	x1, =second_stack_end
	mov	sp, x1
	bl	payload_second
2:	b	2b

	.text
	.balign	2048
payload_vectors:
	.rept	16
	.balign	0x80
	mrs	x0, esr_el1
	mrs	x1, elr_el1
	mrs	x2, far_el1
	b	payload_trap
	.endr

	.bss
	.balign	16
	.skip	16384
stack_end:
	.skip	4096
second_stack_end:
