// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole virtio service in miniature, as a program made for upstream's kernel module would be:
 * starts a zone whose guest reads and writes a virtio register, answers it, sees it power off,
 * starts it again and shuts it down. It uses upstream's requests alone and none of this project's
 * headers: the numbers below are the interface. arm64, layout 5A.
 *
 *   upstream_zone RAM CPU    2 MiB of physical memory and a physical CPU that no zone has; prints
 * TAP
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define INIT_VIRTIO 0x00000100
#define FINISH_REQ 0x00000102
#define ZONE_START 0x40080103
#define ZONE_SHUTDOWN 0x40080104
#define ZONE_LIST 0x80080105
#define CONFIG_CHECK 0x80080106
#define SET_EVENTFD 0x40040107
#define LOAD_IMAGE 0x40180108

#define ZONE 3
#define RAM_SIZE (2ul << 20)
#define NOTES 0x100000 /* in its RAM, where the guest writes what it saw */
#define WINDOW 0xa003c00ul
#define MAGIC 0x74726976u
#define STATUS 0x70
#define PATIENCE_S 30

struct request {
	uint64_t cpu, address, size, value;
	uint32_t zone;
	uint8_t is_write, need_interrupt, pad[2];
};

struct bridge {
	uint32_t req_front, req_rear, res_front, res_rear;
	struct request requests[32];
	uint32_t results[32][2];
	uint64_t flags[32], values[32];
	uint64_t addresses[8];
	uint8_t available, need_wakeup;
};
_Static_assert(sizeof(struct request) == 40, "a request has 40 bytes");
_Static_assert(__builtin_offsetof(struct bridge, need_wakeup) == 2129, "as hvisor has it");

struct zone_info {
	uint32_t id;
	uint64_t cpus;
	char name[32];
	uint8_t is_err;
};
_Static_assert(sizeof(struct zone_info) == 56, "as hvisor has it");

/* x19: the window, x20: the notes, both in the registers' place below. Waits at each access until
 * it is answered. */
extern const char guest[], guest_end[];
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	".globl guest, guest_end\n"
	"guest:\n"
	"	ldr	x19, 2f\n"
	"	ldr	x20, 3f\n"
	"	ldr	w1, [x19]\n"
	"	str	w1, [x20]\n"
	"	mov	w2, #0x5a\n"
	"	str	w2, [x19, #0x70]\n"
	"	str	w2, [x20, #4]\n"
	"	dsb	sy\n"
	"	movz	w0, #0x0008\n" /* PSCI's SYSTEM_OFF */
	"	movk	w0, #0x8400, lsl #16\n"
	"	hvc	#0\n"
	"1:	wfi\n"
	"	b	1b\n"
	"	.balign 8\n"
	"2:	.quad	0xa003c00\n"
	"3:	.quad	0\n" /* the program fills it in */
	"guest_end:\n"
	".popsection\n");

static int fd, count, failed;
static struct bridge *bridge;
static uint64_t ram;
static unsigned int cpu;

static void report(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed += !good;
}

static void must(int rc, const char *what)
{
	if (rc < 0)
		printf("# %s: %s\n", what, strerror(errno));
	report(rc >= 0, what);
}

static bool is_listed(struct zone_info *info)
{
	struct zone_info zones[32];
	struct {
		uint64_t count;
		struct zone_info *zones;
	} list = { 32, zones };
	int n = ioctl(fd, ZONE_LIST, &list);

	for (int i = 0; i < n; i++) {
		if (zones[i].id == ZONE) {
			*info = zones[i];
			return true;
		}
	}
	return false;
}

static void put32(uint8_t *config, size_t at, uint32_t value)
{
	memcpy(config + at, &value, sizeof(value));
}

static void put64(uint8_t *config, size_t at, uint64_t value)
{
	memcpy(config + at, &value, sizeof(value));
}

static int start(void)
{
	static uint8_t config[3136];
	static const struct {
		uint32_t type;
		uint64_t at, size;
	} regions[] = { { 0, 0, RAM_SIZE }, { 2, WINDOW & ~0xffful, 0x1000 } };
	static const uint64_t gic[] = { 0x8000000, 0x10000, 0x80a0000, 0xf60000, 0, 0 };

	memset(config, 0, sizeof(config));
	put32(config, 0, ZONE);
	put64(config, 8, 1ull << cpu);
	put32(config, 16, 2);
	for (size_t i = 0; i < 2; i++) {
		uint64_t at = i ? regions[i].at : ram;

		put32(config, 24 + 32 * i, regions[i].type);
		put64(config, 32 + 32 * i, at);
		put64(config, 40 + 32 * i, at);
		put64(config, 48 + 32 * i, regions[i].size);
	}
	put64(config, 2288, ram); /* entry */
	put64(config, 2296, ram); /* kernel */
	put64(config, 2304, 4096);
	put64(config, 2312, ram + RAM_SIZE / 2 + 4096); /* its tree, which it does not look at */
	memcpy(config + 2328, "upstream", 8);
	put64(config, 2368, 1); /* GICv3 */
	for (size_t i = 0; i < 6; i++)
		put64(config, 2376 + 8 * i, gic[i]);
	return ioctl(fd, ZONE_START, config);
}

/* Sleeps as a service does: says so, looks once more, then waits for the eventfd. */
static bool next_request(int event, struct request *request)
{
	struct pollfd ready = { .fd = event, .events = POLLIN };
	uint64_t wakes;

	for (int i = 0; i < PATIENCE_S; i++) {
		__atomic_store_n(&bridge->need_wakeup, 1, __ATOMIC_SEQ_CST);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(&bridge->req_rear, __ATOMIC_ACQUIRE) != bridge->req_front) {
			bridge->need_wakeup = 0;
			*request = bridge->requests[bridge->req_front];
			return true;
		}
		if (poll(&ready, 1, 1000) == 1 && read(event, &wakes, sizeof(wakes)) < 0)
			return false;
	}
	return false;
}

static void answer(const struct request *request, uint64_t value)
{
	__atomic_store_n(&bridge->req_front, (bridge->req_front + 1) % 32, __ATOMIC_RELEASE);
	bridge->values[request->cpu] = value;
	__atomic_store_n(&bridge->flags[request->cpu], bridge->flags[request->cpu] + 1,
			 __ATOMIC_RELEASE);
}

static void serve(int event, volatile uint32_t *notes)
{
	struct request request;
	struct zone_info info;
	bool gone = false;

	report(next_request(event, &request), "the guest's read arrives");
	report(request.zone == ZONE && request.cpu == cpu && request.address == WINDOW &&
		       request.size == 4 && !request.is_write && !request.need_interrupt,
	       "as what it is");
	report(is_listed(&info) && info.cpus == 1ull << cpu && !strcmp(info.name, "upstream") &&
		       !info.is_err,
	       "meanwhile the zone is listed, with CPU and name");
	answer(&request, MAGIC);
	report(next_request(event, &request), "its write arrives");
	report(request.address == WINDOW + STATUS && request.value == 0x5a && request.is_write,
	       "as what it is");
	report(notes[0] == MAGIC, "it has seen the answer, says its memory");
	answer(&request, 0);
	for (int i = 0; i < PATIENCE_S * 100 && !gone; i++) {
		gone = !is_listed(&info);
		usleep(10000);
	}
	report(gone && notes[1] == 0x5a, "it went on and powered off; the list lacks it");
}

int main(int argc, char **argv)
{
	struct {
		const void *from;
		uint64_t size, to;
	} image;
	struct request request;
	struct zone_info info;
	uint8_t code[256];
	uint64_t version;
	int event;
	volatile uint32_t *notes;

	if (argc != 3) {
		fprintf(stderr, "usage: upstream_zone RAM CPU\n");
		return 2;
	}
	ram = strtoull(argv[1], NULL, 0);
	cpu = (unsigned int)strtoul(argv[2], NULL, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = open("/dev/hvisor", O_RDWR);
	must(fd, "open");
	must(ioctl(fd, CONFIG_CHECK, &version), "config check");
	must(ioctl(fd, INIT_VIRTIO), "init virtio");
	event = eventfd(0, EFD_NONBLOCK);
	must(ioctl(fd, SET_EVENTFD, event), "set the eventfd");
	bridge = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	report(bridge != MAP_FAILED, "mmap of the bridge");
	notes = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ram);
	report(notes != MAP_FAILED, "mmap of the zone's memory");
	if (failed)
		return 1;
	notes += NOTES / sizeof(*notes);
	notes[0] = notes[1] = 0;
	bridge->req_front = bridge->req_rear;

	memcpy(code, guest, (size_t)(guest_end - guest));
	put64(code, (size_t)(guest_end - guest) - 8, ram + NOTES);
	image.from = code;
	image.size = (uint64_t)(guest_end - guest);
	image.to = ram;
	must(ioctl(fd, LOAD_IMAGE, &image), "load");
	must(start(), "start");
	serve(event, notes);

	must(start(), "start once more");
	report(next_request(event, &request), "the guest reads again");
	report(ioctl(fd, ZONE_SHUTDOWN, ZONE) == 0, "it is shut down while it waits");
	report(!is_listed(&info), "the list lacks it at once");
	report(ioctl(fd, ZONE_SHUTDOWN, ZONE) < 0 && errno == EINVAL,
	       "a second time it is not there");
	answer(&request, 0);
	must(ioctl(fd, FINISH_REQ), "finish request");
	printf("1..%d\n", count);
	return failed ? 1 : 0;
}
