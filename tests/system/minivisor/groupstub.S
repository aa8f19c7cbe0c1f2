/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware would have done for a real hvisor: every interrupt into group 1. Loaded and entered at
 * 0x40300000, at EL2 on CPU 0; goes on at 0x40400000 with x0 as it was.
 */
#define GICD 0x08000000
#define GICD_CTLR_ARE 0x10
#define GICR 0x080a0000
#define GICR_SIZE 0x20000
#define GICR_TYPER 0x8
#define GICR_TYPER_LAST 4	/* bit number */
#define GICR_IGROUPR0 0x10080
#define IGROUPR 0x80
#define IGROUPR_END 0x100

	.globl	_start
_start:
	ldr	x1, =GICD
	mov	w2, #GICD_CTLR_ARE
	str	w2, [x1]
	mov	w2, #-1
	mov	x3, #IGROUPR + 4
1:	str	w2, [x1, x3]
	add	x3, x3, #4
	cmp	x3, #IGROUPR_END
	b.ne	1b
	ldr	x1, =GICR
	ldr	x4, =GICR_IGROUPR0
2:	str	w2, [x1, x4]
	ldr	w3, [x1, #GICR_TYPER]
	add	x1, x1, #GICR_SIZE
	tbz	w3, #GICR_TYPER_LAST, 2b
	dsb	sy
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	ldr	x4, =0x40400000
	br	x4
