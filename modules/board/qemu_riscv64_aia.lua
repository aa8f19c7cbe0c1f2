-- SPDX-License-Identifier: GPL-2.0-or-later
-- QEMU's riscv64 `virt` machine with the advanced interrupt architecture (-machine virt,aia=aplic). The
-- published zone files give the same figures as for the PLIC.
local plic = require "board.qemu_riscv64_plic"

return plic:extend { name = "qemu_riscv64_aia", controller = "aplic" }
