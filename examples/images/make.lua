#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- hvsh make.lua [DIR]: writes what the examples load: placeholders with true headers, whose code only sleeps, and
-- device trees compiled from the .dts files beside this script (dtc is needed). For trying the examples with --sim and
-- for hvsh check; on a board, put your own kernels, trees and disks in their place.
local here = arg[0]:match "^(.*/)[^/]*$" or "./"
local out = (arg[1] or here):gsub("/*$", "/")

local function write(name, ...)
	local file = assert(io.open(out .. name, "wb"))
	assert(file:write(...))
	assert(file:close())
end

-- Zeroes up to a length.
local function pad(text, length) return text .. ("\0"):rep(length - #text) end

-- ---- kernels

-- arm64 Linux boot header; behind it: wfi, and a branch back to it.
local arm64_code = string.pack("<I4I4", 0xd503207f, 0x17ffffff)
local arm64_image = string.pack("<I4I4 I8I8I8 I8I8I8 c4I4",
	0x14000010,       -- branch over the header
	0,
	0,                -- text_offset
	0x400000,         -- image_size: what it takes in memory, .bss included
	0xa,              -- little endian, 4K pages, anywhere in RAM
	0, 0, 0, "ARM\x64", 0) .. arm64_code
write("Image", pad(arm64_image, 0x10000))

-- A kernel without any header.
write("unikernel-arm64.bin", pad(arm64_code, 0x8000))

-- riscv64 ELF: text at its physical address, data with .bss; it runs where it is loaded.
local function elf_riscv64(base)
	local riscv_code = string.pack("<I4I4", 0x10500073, 0xffdff06f) -- wfi; j .-4
	local text, data = pad(riscv_code, 0x1000), pad("data", 0x200)
	local function program_header(flags, offset, addr, file_size, mem_size)
		return string.pack("<I4I4I8I8I8I8I8I8", 1, flags, offset, addr, addr, file_size, mem_size, 0x1000)
	end
	local header = string.pack("<c4BBBB I8 I2I2I4 I8I8I8 I4I2I2I2I2I2I2",
		"\127ELF", 2, 1, 1, 0, 0,
		2, 243, 1,         -- executable, RISC-V
		base, 64, 0,       -- entry, program headers, no sections
		0, 64, 56, 2, 0, 0, 0)
	return pad(header .. program_header(5, 0x1000, base, #text, #text)
		.. program_header(6, 0x2000, base + 0x1000, #data, 0x4000), 0x1000) .. text .. data
end
write("rtos-riscv64.elf", elf_riscv64(0x84000000))

-- The three pieces of an x86_64 zone: hlt, and a jump back to it.
for _, name in ipairs { "boot.bin", "setup.bin", "vmlinux.bin" } do
	write(name, pad("\xf4\xeb\xfd", name == "vmlinux.bin" and 0x10000 or 0x1000))
end

-- ---- an initial RAM disk (an empty cpio archive), disks, trees

local trailer = "070701" .. ("0"):rep(8 * 4) .. "00000001" .. ("0"):rep(8 * 6) .. "0000000b" .. ("0"):rep(8) .. "TRAILER!!!\0"
write("initrd", pad(trailer, 512))

for _, name in ipairs { "rootfs1.ext4", "rootfs2.ext4", "rootfs.img" } do
	local file = assert(io.open(out .. name, "wb"))
	assert(file:seek("set", (1 << 20) - 1))
	assert(file:write "\0")
	assert(file:close())
end

local function quoted(path) return "'" .. path:gsub("'", "'\\''") .. "'" end

for _, name in ipairs {
	"linux1", "linux2", "passthrough", "riscv64", "imx8mp", "rk3588", "zcu102", "jetson", "imported", "odroid_c4",
	"rk3588_uart",
} do
	local ok, _, code = os.execute(("dtc -q -I dts -O dtb -o %s %s"):format(
		quoted(out .. name .. ".dtb"), quoted(here .. name .. ".dts")))
	if not ok then
		io.stderr:write(("dtc failed on %s.dts (exit %s); is device-tree-compiler installed?\n"):format(name, code))
		os.exit(1, true)
	end
end
