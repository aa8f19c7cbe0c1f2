local board = require "board.qemu_virt"

zone "linux1" {
    id     = 1,
    cpus   = {2},
    board  = board,
    ram    = {at = 0x50000000, size = "384M"},
    kernel = {image = "images/Image", at = 0x50400000,
              cmdline = "console=hvc0 root=/dev/vda rw"},
    dtb    = {image = "images/linux1.dtb", patch = true},
    devices = {
        blk "root"     {image = "images/rootfs1.ext4"},
        net "eth0"     {tap = "tap0", mac = "52:54:00:10:10:10"},
        console "hvc0" {log = "linux1.log", log_max = "8M", log_keep = 4},
        rng "rng0"     {},
    },
}

assert(zones.start())
