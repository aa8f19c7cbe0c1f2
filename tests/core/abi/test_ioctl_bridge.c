// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes and numbers that the kernel module and the hypervisor share with us, written out once more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/bridge.h"
#include "abi/ioctl.h"

static void ioctl_numbers(void **state)
{
	(void)state;
	assert_int_equal(HV_IOC_INIT_VIRTIO, 0x00000100);
	assert_int_equal(HV_IOC_FINISH_REQ, 0x00000102);
	assert_int_equal(HV_IOC_ZONE_START, 0x40080103);
	assert_int_equal(HV_IOC_ZONE_SHUTDOWN, 0x40080104);
	assert_int_equal(HV_IOC_ZONE_LIST, 0x80080105);
	assert_int_equal(HV_IOC_CONFIG_CHECK, 0x80080106);
	assert_int_equal(HV_IOC_SET_EVENTFD, 0x40040107);
	assert_int_equal(HV_IOC_LOAD_IMAGE, 0x40180108);
	assert_int_equal(HV_IOC_BOOT_MODE, 0x40080109);
	assert_int_equal(HV_IOC_ECAM_BASE, 0x8008010a);
	assert_int_equal(HV_IOC_CLEAR_IRQ, 0x4004010b);
}

static void ioctl_structs(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct hv_ioc_zone_list), 16);
	assert_int_equal(sizeof(struct hv_ioc_load_image), 24);
	assert_int_equal(sizeof(struct hv_ioc_boot_mode), 16);
	assert_int_equal(offsetof(struct hv_ioc_boot_mode, multiboot_info_paddr), 8);
	assert_int_equal(sizeof(struct hv_ioc_clear_irq), 8);
	assert_int_equal(sizeof(struct hv_wire_zone_info), 56);
	assert_int_equal(offsetof(struct hv_wire_zone_info, cpus), 8);
	assert_int_equal(offsetof(struct hv_wire_zone_info, name), 16);
	assert_int_equal(offsetof(struct hv_wire_zone_info, is_err), 48);
}

static void bridge_page(void **state)
{
	(void)state;
	assert_int_equal(offsetof(struct hv_bridge_page, req_front), 0);
	assert_int_equal(offsetof(struct hv_bridge_page, req_rear), 4);
	assert_int_equal(offsetof(struct hv_bridge_page, res_front), 8);
	assert_int_equal(offsetof(struct hv_bridge_page, res_rear), 12);
	assert_int_equal(offsetof(struct hv_bridge_page, req), 16);
	assert_int_equal(sizeof(struct hv_bridge_req), 40);
	assert_int_equal(offsetof(struct hv_bridge_req, src_zone), 32);
	assert_int_equal(offsetof(struct hv_bridge_req, is_write), 36);
	assert_int_equal(offsetof(struct hv_bridge_req, need_interrupt), 37);
	assert_int_equal(offsetof(struct hv_bridge_page, res), 16 + 32 * 40);
	assert_int_equal(sizeof(struct hv_bridge_res), 8);
	assert_int_equal(offsetof(struct hv_bridge_page, cfg_flags), 1552);
	assert_int_equal(offsetof(struct hv_bridge_page, cfg_values), 1808);
	assert_int_equal(offsetof(struct hv_bridge_page, mmio_addrs), 2064);
	assert_int_equal(offsetof(struct hv_bridge_page, mmio_avail), 2128);
	assert_int_equal(offsetof(struct hv_bridge_page, need_wakeup), 2129);
	assert_int_equal(sizeof(struct hv_bridge_page), 2136);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ioctl_numbers),
		cmocka_unit_test(ioctl_structs),
		cmocka_unit_test(bridge_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
