/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HV_KMOD_HYPERCALL_H
#define HV_KMOD_HYPERCALL_H

#include <linux/errno.h>
#include <linux/types.h>

#ifdef CONFIG_ARM64
#include <asm/virt.h>
#endif
#ifdef CONFIG_X86_64
#include <asm/asm.h>
#endif

enum hv_hypercall {
	HV_CALL_INIT_VIRTIO = 0,
	HV_CALL_FINISH_REQ = 1,
	HV_CALL_ZONE_START = 2,
	HV_CALL_ZONE_SHUTDOWN = 3,
	HV_CALL_ZONE_LIST = 4,
	HV_CALL_IVC_INFO = 5,
	HV_CALL_CONFIG_CHECK = 6,
	HV_CALL_BOOT_MODE = 8,
	HV_CALL_ECAM_BASE = 9,
	HV_CALL_CLEAR_IRQ = 11,
	HV_CALL_VIRTIO_IRQ = 86, /* x86 only */
};

/* hvisor's errnos all lie below; what is further out was said by somebody else. */
#define HV_ERRNO_LAST 133

static inline long hv_call_result(long result)
{
	return result >= -HV_ERRNO_LAST ? result : -EIO;
}

/*
 * hv_call() asks hvisor: 0, a count, or a negative errno. hvisor answers 0 to a code that
 * it does not know. Pointers go as physical addresses of memory from kmalloc, which
 * is contiguous. -ENODEV where it is plain that no hvisor runs below.
 */
#if defined(CONFIG_ARM64)

/* What Linux's own stub at EL2 answers where nobody took EL2 from it. */
#define HV_STUB_ERROR 0xbadca11

static inline long hv_call(unsigned long code, unsigned long arg0, unsigned long arg1)
{
	register unsigned long x0 asm("x0") = code;
	register unsigned long x1 asm("x1") = arg0;
	register unsigned long x2 asm("x2") = arg1;

	/* A Linux that runs at EL2 itself would call itself. */
	if (is_kernel_in_hyp_mode())
		return -ENODEV;
	asm volatile("hvc #0x4856" : "+r"(x0), "+r"(x1), "+r"(x2) : : "x3", "memory");
	return x0 == HV_STUB_ERROR ? -ENODEV : hv_call_result(x0);
}

#elif defined(CONFIG_RISCV) && defined(CONFIG_64BIT)

#define HV_SBI_EXTENSION 0x114514
#define HV_SBI_NOT_SUPPORTED -2

static inline long hv_call(unsigned long code, unsigned long arg0, unsigned long arg1)
{
	register unsigned long a0 asm("a0") = code;
	register unsigned long a1 asm("a1") = arg0;
	register unsigned long a2 asm("a2") = arg1;
	register unsigned long a7 asm("a7") = HV_SBI_EXTENSION;

	asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a7) : "memory");
	if (a0)
		return (long)a0 == HV_SBI_NOT_SUPPORTED ? -ENODEV : -EIO;
	return hv_call_result(a1);
}

#elif defined(CONFIG_LOONGARCH) && defined(CONFIG_64BIT)

static inline long hv_call(unsigned long code, unsigned long arg0, unsigned long arg1)
{
	register unsigned long a0 asm("a0") = code;
	register unsigned long a1 asm("a1") = arg0;
	register unsigned long a2 asm("a2") = arg1;

	/* hvcl 0, which not every assembler knows */
	asm volatile(".word 0x002b8000" : "+r"(a0) : "r"(a1), "r"(a2) : "memory");
	return hv_call_result(a0);
}

#elif defined(CONFIG_X86_64)

static inline long hv_call(unsigned long code, unsigned long arg0, unsigned long arg1)
{
	long result = code;

	/* Without a hypervisor the instruction is undefined. */
	asm volatile("1: vmcall\n"
		     "   jmp 3f\n"
		     "2: movq %[nodev], %%rax\n"
		     "3:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+a"(result)
		     : "D"(arg0), "S"(arg1), [nodev] "i"(-ENODEV)
		     : "memory");
	return hv_call_result(result);
}

#else
#error "hvisor runs on arm64, riscv64, loongarch64 and x86_64"
#endif

#endif
