/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_BOARD_H
#define MV_BOARD_H

/* QEMU's `virt` machine with GICv3, and where things lie on it. README.md says the same. */

#define MAX_CPUS 8
#define MAX_ZONES 8 /* zone0 among them */

#define GICD_BASE 0x08000000UL
#define GICD_SIZE 0x10000UL
#define GITS_BASE 0x08080000UL
#define GITS_SIZE 0x20000UL
#define GICR_BASE 0x080a0000UL
#define GICR_SIZE 0x20000UL /* of each CPU */
#define UART_BASE 0x09000000UL
#define VIRTIO_SLOTS_BASE 0x0a000000UL
#define VIRTIO_SLOTS_SIZE 0x4000UL

/* Nothing of QEMU's is there. */
#define CONTROL_BASE 0x0b000000UL

#define RAM_BASE 0x40000000UL
#define RAM_END 0xc0000000UL
#define OPTIONS_BASE 0x40200000UL
#define OPTIONS_SIZE 4096
#define HYPERVISOR_END 0x50000000UL /* RAM below is minivisor's own */

#define ZONE0_RAM_BASE HYPERVISOR_END
#define ZONE0_RAM_SIZE (RAM_END - ZONE0_RAM_BASE)
#define ZONE0_DTB 0xa0000000UL
#define ZONE0_ENTRY 0xa0400000UL

/* Zone0's end of IVC 0, with ivc=on. Both numbers are free on this machine. */
#define ZONE0_IVC_CONTROL 0xd0000000UL
#define ZONE0_IVC_SHARED 0xd0001000UL
#define ZONE0_IVC_IRQ 65

/* What hvisor is compiled with for this board; zone0's tree says it, too. */
#define WAKEUP_IRQ 64

#define STACK_SIZE 8192 /* start.S has the same number */

#endif
