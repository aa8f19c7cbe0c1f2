-- SPDX-License-Identifier: GPL-2.0-or-later
-- Zones as the JSON files of hvisor-tool: one zone file each, and one virtio file for all their devices.
--   local hvisor = require "export.hvisor"
--   local lost = assert(hvisor.write("DIR", {linux1, linux2}))   -- without a list: all zones of the script
-- Everything is written out as it was decided: addresses, windows, interrupts. A tree that hvsh patches or makes is
-- written as well. Paths of files stay as hvsh opens them; that tool looks for them from where it is called. What the files cannot
-- say is in the list that comes back: findings as those of a check.
local common = require "export.common"
local virtio_text = require "export.hvisor.virtio"
local zone_text = require "export.hvisor.zone"

local hvisor = {}

local VIRTIO = "virtio_cfg.json"

-- What was made is read again: what the old tool's rules forbid does not leave the house.
local function read_again(files)
	local import = require "import.json"
	local texts = {}
	for _, file in ipairs(files) do
		if file.text then texts[#texts + 1] = { name = file.name, text = file.text } end
	end
	local result, problems = import.files(texts)
	if result then return true end
	local lines = {}
	for i, place in ipairs(problems) do lines[i] = import.format(place) end
	return nil, "ENOTSUP: these zones cannot be said in the files of hvisor-tool:\n" .. table.concat(lines, "\n"), "ENOTSUP"
end

-- {name=, text=} or, for trees, {name=, bytes=} each, and what is lost. nil, message, code, findings.
local function make(folder, zones)
	local entries, message, code, findings = common.resolve("export.hvisor", zones)
	if not entries then return nil, message, code, findings end
	if #entries == 0 then return nil, "ENOENT: no zone is defined", "ENOENT" end
	local lost, files = common.losses(), {}
	for _, entry in ipairs(entries) do
		local name = entry.zone.name
		if name .. ".json" == VIRTIO then
			return nil, ("EEXIST: zone %s would be written to %s, which is for the devices"):format(name, VIRTIO), "EEXIST"
		end
		local text, tree = zone_text(entry, common.join(folder, name .. ".dtb"), lost)
		files[#files + 1] = { name = name .. ".json", text = text }
		if tree then files[#files + 1] = { name = name .. ".dtb", bytes = tree } end
	end
	local text = virtio_text(entries, lost)
	if text then files[#files + 1] = { name = VIRTIO, text = text } end
	local ok
	ok, message, code = read_again(files)
	if not ok then return nil, message, code end
	return files, lost.findings
end

-- Writes the files into a folder that is there. What is lost, as a list; its field `files` names what was written.
-- nil, message, code, findings.
function hvisor.write(folder, zones)
	if type(folder) ~= "string" or folder == "" then error("export.hvisor: write takes a folder and zones", 2) end
	local files, lost, code, findings = make(folder, zones)
	if not files then return nil, lost, code, findings end
	local paths, out = {}, {}
	for i, file in ipairs(files) do
		paths[i] = common.join(folder, file.name)
		out[i] = { path = paths[i], bytes = file.text or file.bytes }
	end
	local ok, message
	ok, message, code = common.write(out)
	if not ok then return nil, message, code end
	local result = common.result(lost)
	result.files = paths
	return result
end

return hvisor
