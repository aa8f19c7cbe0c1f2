/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entry points, EL2's vectors and the way into a guest. EL2 without VHE. */

#define STACK_SIZE 8192

	/* This CPU's own stack, empty. Changes x9 to x11. */
	.macro	set_stack
	mrs	x9, mpidr_el1
	and	x9, x9, #0xff
	ldr	x10, =cpu_stacks + STACK_SIZE
	mov	x11, #STACK_SIZE
	madd	x10, x9, x11, x10
	mov	sp, x10
	.endm

	.section .text.boot, "ax"
	.globl	_start, secondary_entry, guest_enter

/*
 * CPU 0, MMU off. .bss is cleared here and not by the loader: a reset of the machine enters again with
 * the image reloaded and the rest of RAM as it was.
 */
_start:
	msr	daifset, #0xf
	ldr	x1, =__bss_start
	ldr	x2, =__bss_end
1:	cmp	x1, x2
	b.hs	2f
	stp	xzr, xzr, [x1], #16
	b	1b
2:	bl	cpu_early
	bl	boot_main
3:	b	3b

/* From PSCI CPU_ON. Its context id is unused: the number in MPIDR says which CPU it is. */
secondary_entry:
	msr	daifset, #0xf
	bl	cpu_early
	bl	secondary_main
4:	b	4b

/*
 * Real hardware would want the image cleaned to memory by its loader, .bss invalidated before the caches
 * go on, and nothing that another CPU wrote read before this returns.
 */
cpu_early:
	set_stack
	ldr	x10, =vectors
	msr	vbar_el2, x10
	ldr	x10, =0xff04		/* attribute 0 device-nGnRE, 1 normal write-back */
	msr	mair_el2, x10
	ldr	x10, =el2_table
	msr	ttbr0_el2, x10
	ldr	x10, =0x80823519	/* 39-bit addresses, 4 KiB pages, write-back inner shareable walks, 40-bit PA */
	msr	tcr_el2, x10
	tlbi	alle2
	dsb	sy
	isb
	ldr	x10, =0x30c51835	/* RES1, I, SA, C, M */
	msr	sctlr_el2, x10
	isb
	ret

/* x0 = the guest's first argument; ELR and SPSR are set. Nothing of EL2 is left in registers. */
guest_enter:
	set_stack
	.irp	n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	mov	x\n, xzr
	.endr
	eret

	.macro	save_rest
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	str	x30, [sp, #240]
	.endm

	.macro	vector_bad n
	.balign	0x80
	sub	sp, sp, #256
	stp	x0, x1, [sp]
	mov	x1, #\n
	b	exit_bad
	.endm

	.text
	.balign	2048
vectors:
	vector_bad 0
	vector_bad 1
	vector_bad 2
	vector_bad 3
	vector_bad 4
	vector_bad 5
	vector_bad 6
	vector_bad 7
	.balign	0x80		/* synchronous, from a lower level in AArch64 */
	sub	sp, sp, #256
	stp	x0, x1, [sp]
	b	exit_sync
	vector_bad 9
	vector_bad 10
	vector_bad 11
	vector_bad 12
	vector_bad 13
	vector_bad 14
	vector_bad 15
	.balign	0x80

exit_sync:
	save_rest
	mov	x0, sp
	bl	guest_exit
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	ldp	x0, x1, [sp], #256
	eret

exit_bad:
	save_rest
	mov	x0, sp
	bl	bad_exception
5:	b	5b
