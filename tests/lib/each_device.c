// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include "each_device.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_input.h>
#include <linux/virtio_mmio.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk_box.h"
#include "clock/host.h"
#include "net_box.h"
#include "virtio/dev/console.h"
#include "virtio/dev/custom.h"
#include "virtio/dev/gpu.h"
#include "virtio/dev/input.h"
#include "virtio/dev/rng.h"
#include "virtio/dev/scmi.h"

#define ORIGIN                                                                                     \
	{                                                                                          \
		"boot.lua", 3, "devices.dev"                                                       \
	}
#define IMAGE_BYTES (128u * 512)

struct hv_vdev ed_dev;
struct vrig ed_rig;

static struct {
	uint8_t *bytes; /* of the guest, for one request */
	char dir[64], image[96], overlay[96], log[96], link[96];
	bool have_network;
	int far; /* the other end of what is behind the device; -1 = none */
} t = { .far = -1 };

static unsigned int put(unsigned int queue, uint32_t out, uint32_t in)
{
	struct vrig_buf bufs[] = { { t.bytes, out, false }, { t.bytes + 1024, in, true } };

	assert_true(vrig_add(&ed_rig, queue, out ? bufs : bufs + 1, (out != 0) + (in != 0)) >= 0);
	vrig_kick(&ed_rig, queue);
	return queue;
}

static void is_empty(uint32_t len)
{
	assert_int_equal(len, 0);
}

static void close_far(void)
{
	if (t.far >= 0)
		close(t.far);
	t.far = -1;
}

/* ---- disks */

static void forget_overlay(void)
{
	unlink(t.overlay);
}

static int make_disk(struct hv_err *err)
{
	struct hv_blk_opts opts = { .origin = ORIGIN, .image = t.image };

	return hv_blk_init(&ed_dev, ED_NAME, &opts, err);
}

static int make_overlay(struct hv_err *err)
{
	struct hv_blk_opts opts = { .origin = ORIGIN, .image = t.image, .overlay = t.overlay };

	return hv_blk_init(&ed_dev, ED_NAME, &opts, err);
}

static int make_snapshot(struct hv_err *err)
{
	struct hv_blk_opts opts = { .origin = ORIGIN, .image = t.image, .snapshot = true };

	return hv_blk_init(&ed_dev, ED_NAME, &opts, err);
}

static unsigned int ask_disk(void)
{
	struct virtio_blk_outhdr header = { .type = htole32(VIRTIO_BLK_T_IN) };

	memcpy(t.bytes, &header, sizeof(header));
	return put(0, sizeof(header), 513);
}

static void check_disk(uint32_t len)
{
	assert_int_equal(len, 513);
	assert_int_equal(t.bytes[1024 + 512], VIRTIO_BLK_S_OK);
	assert_int_equal(t.bytes[1024 + 100], blk_box_byte(0, 100));
}

/* ---- networks */

static int make_pair(struct hv_err *err)
{
	struct hv_net_opts opts = { .origin = ORIGIN, .n_fds = 1 };
	int fds[2];

	close_far();
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
		return hv_err_sys(err, errno, "the test's sockets");
	t.far = fds[1];
	opts.fds = fds;
	return hv_net_init(&ed_dev, ED_NAME, &opts, err);
}

static unsigned int ask_net(void)
{
	memset(t.bytes, 0, NB_HDR);
	nb_frame(t.bytes + NB_HDR, NULL, NULL, 1, 100);
	return put(NB_TX, NB_HDR + 100, 0);
}

static void check_pair(uint32_t len)
{
	uint8_t got[256];

	assert_int_equal(len, 0);
	assert_int_equal(recv(t.far, got, sizeof(got), MSG_DONTWAIT), NB_HDR + 100);
}

static bool have_network(void)
{
	return t.have_network;
}

static int make_tap(struct hv_err *err)
{
	struct hv_net_opts opts = { .origin = ORIGIN, .tap = "tap7", .pairs = 2 };

	return hv_net_init(&ed_dev, ED_NAME, &opts, err);
}

static void no_tap(void)
{
	assert_int_equal(if_nametoindex("tap7"), 0);
}

static struct hv_switch *sw;

static void make_switch(void)
{
	struct hv_err err = { 0 };

	want(hv_switch_new("lan", &sw, &err), 0, &err);
}

static void no_port(void)
{
	struct hv_switch_stats stats;

	hv_switch_stats(sw, &stats);
	assert_int_equal(stats.ports, 0);
	hv_switch_put(sw);
}

static int make_plugged(struct hv_err *err)
{
	struct hv_net_opts opts = { .origin = ORIGIN, .sw = sw };

	return hv_net_init(&ed_dev, ED_NAME, &opts, err);
}

/* ---- consoles */

static int make_terminal(struct hv_err *err)
{
	const struct hv_console_port_opts port = { .pty = true, .pty_link = t.link };
	const struct hv_console_opts opts = { .origin = ORIGIN, .ports = &port, .n_ports = 1 };

	return hv_console_init(&ed_dev, ED_NAME, &opts, err);
}

static void no_link(void)
{
	struct stat st;

	assert_true(lstat(t.link, &st) < 0 && errno == ENOENT);
}

static int make_logged(struct hv_err *err)
{
	const struct hv_console_port_opts ports[] = { { .log = t.log },
						      { .name = "agent", .data = true } };
	const struct hv_console_opts opts = { .origin = ORIGIN, .ports = ports, .n_ports = 2 };

	unlink(t.log);
	return hv_console_init(&ed_dev, ED_NAME, &opts, err);
}

static unsigned int ask_console(void)
{
	memcpy(t.bytes, "hello", 5);
	return put(1, 5, 0);
}

static void check_file(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | flags);
	uint64_t deadline = 0;
	char got[8];

	assert_true(fd >= 0);
	while (read(fd, got, 5) != 5)
		vrig_pause(&deadline, path);
	assert_memory_equal(got, "hello", 5);
	close(fd);
}

static void check_terminal(uint32_t len)
{
	assert_int_equal(len, 0);
	check_file(t.link, O_NONBLOCK);
}

static void check_logged(uint32_t len)
{
	assert_int_equal(len, 0);
	check_file(t.log, 0);
}

/* ---- random numbers */

static int make_rng(struct hv_err *err)
{
	static const struct hv_origin origin = ORIGIN;

	return hv_rng_init(&ed_dev, ED_NAME, &origin, err);
}

static unsigned int ask_rng(void)
{
	return put(0, 0, 64);
}

static void check_rng(uint32_t len)
{
	assert_int_equal(len, 64);
}

/* ---- clocks */

static struct hv_hyp *hyp;
static struct hv_clock_host *host;

static void make_host(void)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_err err = { 0 };

	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want(hv_sim_set_clocks(hyp, "clock osc 24000000\nclock uart parent=osc gate lent\n", &err),
	     0, &err);
	want(hv_clock_host_new(&hv_clock_backend_hyp, hyp, &host, &err), 0, &err);
}

static void end_host(void)
{
	hv_clock_host_put(host);
	hv_hyp_close(hyp);
}

static int make_scmi(struct hv_err *err)
{
	static const char *const names[] = { "uart" };
	struct hv_scmi_opts opts = { .origin = ORIGIN, .host = host, .zone = "linux1" };

	opts.allow[HV_LENT_CLOCK] = (struct hv_scmi_allow){ .names = names, .n_names = 1 };
	return hv_scmi_init(&ed_dev, ED_NAME, &opts, err);
}

/* Which version of the base protocol it speaks. */
static unsigned int ask_scmi(void)
{
	uint32_t request = htole32(0x10u << 10);

	memcpy(t.bytes, &request, sizeof(request));
	return put(0, sizeof(request), 128);
}

static void check_scmi(uint32_t len)
{
	int32_t status;

	assert_int_equal(len, 12);
	memcpy(&status, t.bytes + 1024 + 4, 4);
	assert_int_equal(status, 0);
}

/* ---- keyboards */

static int make_keyboard(struct hv_err *err)
{
	struct hv_input_opts opts = { .origin = ORIGIN, .kind = HV_INPUT_KEYBOARD };

	return hv_input_init(&ed_dev, ED_NAME, &opts, err);
}

static unsigned int ask_input(void)
{
	for (unsigned int i = 0; i < 8; i++)
		put(0, 0, sizeof(struct virtio_input_event));
	return 0;
}

static void type_key(void)
{
	static int32_t down;

	down = !down;
	(void)hv_input_send(&ed_dev, &(struct hv_input_event){ EV_KEY, KEY_A, down }, 1, NULL);
}

static void check_input(uint32_t len)
{
	assert_int_equal(len, sizeof(struct virtio_input_event));
}

/* A node of the kernel's where there is none: it opens and asks, which may fail, and answers as one
 * with two keys. */
static int node_open(const char *path, int flags)
{
	int fds[2], fd = open("/dev/null", flags);

	assert_string_equal(path, "/dev/input/event0");
	if (fd < 0)
		return -1;
	close(fd);
	close_far();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		return -1;
	t.far = fds[1];
	return fds[0];
}

static int node_ioctl(int fd, unsigned long request, void *arg)
{
	int waiting;

	if (ioctl(fd, FIONREAD, &waiting) < 0)
		return -1;
	if (request == EVIOCGRAB || request == EVIOCGVERSION)
		return 0;
	memset(arg, 0, _IOC_SIZE(request));
	if (_IOC_NR(request) == _IOC_NR(EVIOCGBIT(0, 0)))
		((uint8_t *)arg)[EV_KEY / 8] |= 1u << EV_KEY % 8;
	if (_IOC_NR(request) == _IOC_NR(EVIOCGBIT(EV_KEY, 0)))
		((uint8_t *)arg)[KEY_A / 8] |= 1u << KEY_A % 8;
	return 0;
}

static int make_evdev(struct hv_err *err)
{
	static const struct hv_evdev_host node = { node_open, node_ioctl };
	struct hv_input_opts opts = { .origin = ORIGIN,
				      .kind = HV_INPUT_EVDEV,
				      .evdev = "/dev/input/event0",
				      .host = &node };

	return hv_input_init(&ed_dev, ED_NAME, &opts, err);
}

static void press_key(void)
{
	static int32_t down;
	struct input_event events[2] = { { .type = EV_KEY, .code = KEY_A, .value = down },
					 { .type = EV_SYN, .code = SYN_REPORT } };

	down = !down;
	(void)send(t.far, events, sizeof(events), MSG_NOSIGNAL);
}

/* ---- screens */

#if HVSH_VIRTIO_GPU
static int make_screen(struct hv_err *err)
{
	struct hv_gpu_opts opts = { .origin = ORIGIN };
	int rc = hv_gpu_memory_new(&opts.output, err);

	return rc ? rc : hv_gpu_init(&ed_dev, ED_NAME, &opts, err);
}

static unsigned int ask_screen(void)
{
	struct virtio_gpu_ctrl_hdr hdr = { .type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) };

	memcpy(t.bytes, &hdr, sizeof(hdr));
	return put(0, sizeof(hdr), sizeof(struct virtio_gpu_resp_display_info));
}

static void check_screen(uint32_t len)
{
	uint32_t type;

	assert_int_equal(len, sizeof(struct virtio_gpu_resp_display_info));
	memcpy(&type, t.bytes + 1024, sizeof(type));
	assert_int_equal(le32toh(type), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

#endif

/* ---- devices whose model is a script */

static int make_custom(struct hv_err *err)
{
	static const struct hv_custom_queue queues[] = { { .size = 16 },
							 { .size = 16, .receive = true } };
	const struct hv_custom_opts opts = {
		.origin = ORIGIN,
		.id = 34,
		.n_queues = 2,
		.queues = queues,
		.requests = 8,
		.max_request = 256,
		.memory = 4096,
		.model = "m",
	};

	return hv_custom_init(&ed_dev, ED_NAME, &opts, err);
}

static unsigned int ask_custom(void)
{
	return put(0, 16, 16);
}

static void answer_custom(void)
{
	struct hv_answer answer = { .word = HV_ANSWER_ALLOW, .data = (void *)"yes", .len = 3 };
	struct hv_question q;

	if (hv_desk_take(hv_custom_desk(&ed_dev), &q))
		(void)hv_desk_answer(hv_custom_desk(&ed_dev), q.ticket, &answer);
}

static void check_custom(uint32_t len)
{
	assert_int_equal(len, 3);
	assert_memory_equal(t.bytes + 1024, "yes", 3);
}

/* ---- */

const struct each_device each_device[] = {
	{ "disk", NULL, NULL, NULL, make_disk, ask_disk, NULL, check_disk },
	{ "overlay", NULL, forget_overlay, NULL, make_overlay, ask_disk, NULL, check_disk },
	{ "snapshot", NULL, NULL, NULL, make_snapshot, ask_disk, NULL, check_disk },
	{ "net on descriptors", NULL, NULL, close_far, make_pair, ask_net, NULL, check_pair },
	{ "net on a TAP", have_network, NULL, no_tap, make_tap, ask_net, NULL, is_empty },
	{ "net on a switch", NULL, make_switch, no_port, make_plugged, ask_net, NULL, is_empty },
	{ "console with a terminal", NULL, NULL, no_link, make_terminal, ask_console, NULL,
	  check_terminal },
	{ "console with a log", NULL, NULL, NULL, make_logged, ask_console, NULL, check_logged },
	{ "rng", NULL, NULL, NULL, make_rng, ask_rng, NULL, check_rng },
	{ "scmi", NULL, make_host, end_host, make_scmi, ask_scmi, NULL, check_scmi },
	{ "keyboard", NULL, NULL, NULL, make_keyboard, ask_input, type_key, check_input },
	{ "evdev", NULL, NULL, close_far, make_evdev, ask_input, press_key, check_input },
#if HVSH_VIRTIO_GPU
	{ "gpu", NULL, NULL, NULL, make_screen, ask_screen, NULL, check_screen },
#endif
	{ "custom", NULL, NULL, NULL, make_custom, ask_custom, answer_custom, check_custom },
};
const unsigned int each_devices = sizeof(each_device) / sizeof(each_device[0]);

void ed_make(const struct each_device *d)
{
	struct hv_err err = { 0 };

	memset(&ed_dev, 0, sizeof(ed_dev));
	if (d->make(&err))
		fail_msg("%s: %s", d->name, err.msg);
}

bool ed_answered(const struct each_device *d)
{
	uint64_t deadline = 0;
	struct vrig_used used;
	unsigned int queue;

	vrig_start(&ed_rig, 0, 64, 0);
	t.bytes = vrig_alloc(&ed_rig, 4096, 4096);
	queue = d->ask();
	while (!vrig_poll(&ed_rig, queue, &used)) {
		if (vrig_read(&ed_rig, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return false;
		if (d->meanwhile)
			d->meanwhile();
		vrig_ack(&ed_rig);
		vrig_pause(&deadline, d->name);
	}
	d->check(used.len);
	return true;
}

void ed_begin(void)
{
	uint8_t all[IMAGE_BYTES];
	int fd;

	t.have_network = nb_own_network();
	snprintf(t.dir, sizeof(t.dir), "/tmp/hvsh-devices-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.image, sizeof(t.image), "%s/image", t.dir);
	snprintf(t.overlay, sizeof(t.overlay), "%s/overlay", t.dir);
	snprintf(t.log, sizeof(t.log), "%s/log", t.dir);
	snprintf(t.link, sizeof(t.link), "%s/tty", t.dir);
	blk_box_fill(all, 0, sizeof(all));
	fd = open(t.image, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, all, sizeof(all)), sizeof(all));
	close(fd);
}

void ed_end(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", t.dir);
	assert_int_equal(system(command), 0);
}
