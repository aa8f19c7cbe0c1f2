// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/ivc.h"
#include "hypervisor/ivc.h"

/* One channel, by the simulated machine and by a file that looks as the module's device does. */

#define CONTROL UINT64_C(0x70000000)
#define SHARED UINT64_C(0x70001000)
#define RW 8192
#define OUT 4096

static struct hv_err err;

/* Which run a zone has: its address is all that counts. */
static char runs[HV_MAX_ZONES];

static void *run_begin(void *arg, const struct hv_abi_zone *zone)
{
	(void)arg;
	return &runs[zone->id];
}

static void run_nothing(void *run)
{
	(void)run;
}

static struct hv_hyp *machine(const char *dir)
{
	static const struct hv_sim_runner runner = {
		.begin = run_begin,
		.interrupt = run_nothing,
		.end = run_nothing,
		.reap = run_nothing,
	};
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_hyp *hyp = NULL;

	memset(&err, 0, sizeof(err));
	opts.state_dir = dir;
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want(hv_sim_set_runner(hyp, &runner, NULL, &err), 0, &err);
	return hyp;
}

static struct hv_abi_zone zone_on(uint32_t id, uint32_t channel, uint32_t peer, uint32_t peers)
{
	struct hv_abi_zone zone = sample_zone(id, UINT64_C(2) << id);

	zone.regions[0].phys += id * 64 * HV_MIB;
	zone.n_ivc = 1;
	zone.ivc[0] = (struct hv_abi_ivc){
		.ivc_id = channel,
		.peer_id = peer,
		.control_table_ipa = CONTROL,
		.shared_mem_ipa = SHARED,
		.rw_sec_size = RW,
		.out_sec_size = OUT,
		.interrupt = 65 + id,
		.max_peers = peers,
	};
	return zone;
}

static int start(struct hv_hyp *hyp, uint32_t id, uint32_t channel, uint32_t peer, uint32_t peers)
{
	struct hv_abi_zone zone = zone_on(id, channel, peer, peers);

	return hv_hyp_zone_start(hyp, &zone, &err);
}

static struct hv_ivc *open_sim(struct hv_hyp *hyp, uint32_t id)
{
	struct hv_ivc *ivc = NULL;

	want(hv_ivc_open_sim(hyp, id, &ivc, &err), 0, &err);
	return ivc;
}

/* What zone id has of its shared memory. */
static uint8_t *zone_memory(struct hv_hyp *hyp, uint32_t id)
{
	uint64_t size = 0;
	void *memory = NULL;

	want(hv_sim_run_ivc_map(hyp, id, &runs[id], SHARED, &memory, &size, &err), 0, &err);
	assert_int_equal(size, RW + 2 * OUT);
	return memory;
}

static bool readable(const struct hv_ivc *ivc)
{
	struct pollfd p = { .fd = hv_ivc_fd(ivc), .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static void test_sections(void **state)
{
	struct hv_hyp *hyp = machine(NULL);
	const struct hv_ivc_info *info;
	struct hv_ivc *ivc;
	char bytes[16] = "";
	uint8_t *zone;
	uint64_t n;

	(void)state;
	want_error(hv_ivc_open_sim(hyp, 3, &ivc, &err), ENOENT, &err, "none of them has one");
	want(start(hyp, 1, 3, 1, 2), 0, &err);
	ivc = open_sim(hyp, 3);
	info = hv_ivc_info(ivc);
	assert_int_equal(info->id, 3);
	assert_int_equal(info->peer, 0);
	assert_int_equal(info->max_peers, 2);
	assert_int_equal(info->rw_size, RW);
	assert_int_equal(info->out_size, OUT);

	zone = zone_memory(hyp, 1);
	want(hv_ivc_write(ivc, HV_IVC_SHARED, RW - 5, "hello", 5, &err), 0, &err);
	assert_memory_equal(zone + RW - 5, "hello", 5);
	want(hv_ivc_write(ivc, 0, 8, "own", 4, &err), 0, &err);
	assert_memory_equal(zone + RW + 8, "own", 4);
	memcpy(zone + RW + OUT + OUT - 6, "theirs", 6);
	want(hv_ivc_read(ivc, 1, OUT - 6, bytes, 6, &err), 0, &err);
	assert_memory_equal(bytes, "theirs", 6);
	want(hv_ivc_read(ivc, 1, OUT, bytes, 0, &err), 0, &err);

	want_error(hv_ivc_write(ivc, 1, 0, "no", 2, &err), EACCES, &err,
		   "only peer 1 writes its section");
	want_error(hv_ivc_read(ivc, 2, 0, bytes, 1, &err), ERANGE, &err,
		   "has peers 0 to 1, and no peer 2");
	want_error(hv_ivc_read(ivc, 1, OUT - 1, bytes, 2, &err), ERANGE, &err,
		   "the section of peer 1 has 4096 bytes");
	want_error(hv_ivc_read(ivc, HV_IVC_SHARED, UINT64_MAX, bytes, 2, &err), ERANGE, &err,
		   "the shared section has 8192 bytes");
	want_error(hv_ivc_write(ivc, HV_IVC_SHARED, 0, bytes, SIZE_MAX, &err), ERANGE, &err,
		   "not all of");

	for (unsigned int size = 1; size <= 8; size *= 2) {
		uint64_t value = UINT64_C(0x8877665544332211), mask = UINT64_MAX >> (64 - 8 * size);

		memset(zone, 0xee, 24);
		want(hv_ivc_store(ivc, HV_IVC_SHARED, size, size, value & mask, &err), 0, &err);
		want(hv_ivc_load(ivc, HV_IVC_SHARED, size, size, &n, &err), 0, &err);
		assert_int_equal(n, value & mask);
		assert_memory_equal(zone + size, &value, size);
		assert_int_equal(zone[2 * size], 0xee);
		assert_int_equal(zone[size - 1], 0xee);
	}
	want_error(hv_ivc_load(ivc, HV_IVC_SHARED, 2, 4, &n, &err), EINVAL, &err,
		   "a multiple of 4, not at 2");
	want_error(hv_ivc_store(ivc, HV_IVC_SHARED, 0, 3, 0, &err), EINVAL, &err,
		   "1, 2, 4 or 8 bytes, not 3");
	want_error(hv_ivc_load(ivc, 0, OUT, 4, &n, &err), ERANGE, &err, "section of peer 0");
	want_error(hv_ivc_store(ivc, 1, 0, 4, 1, &err), EACCES, &err, "here is peer 0");
	munmap(zone, RW + 2 * OUT);
	hv_ivc_close(ivc);
	hv_ivc_close(NULL);
	hv_hyp_close(hyp);
}

static void test_interrupts(void **state)
{
	struct hv_hyp *hyp = machine(NULL);
	struct hv_ivc *ivc, *second;
	uint32_t irq = 0, value = 0;

	(void)state;
	want(start(hyp, 1, 0, 1, 2), 0, &err);
	ivc = open_sim(hyp, 0);
	second = open_sim(hyp, 0);

	for (int i = 0; i < 20; i++)
		want(hv_ivc_notify(ivc, 1, &err), 0, &err);
	want(hv_sim_take_irq(hyp, 1, &irq, &err), 0, &err);
	assert_int_equal(irq, 66);
	want_error(hv_sim_take_irq(hyp, 1, &irq, &err), EAGAIN, &err, "no interrupt waits");
	want_error(hv_ivc_notify(ivc, 2, &err), ERANGE, &err, "no peer 2");

	assert_false(readable(ivc));
	want(hv_sim_run_ivc_read(hyp, 1, &runs[1], CONTROL + HV_IVC_PEER_ID, &value), 0, &err);
	assert_int_equal(value, 1);
	want(hv_sim_run_ivc_read(hyp, 1, &runs[1], CONTROL + HV_IVC_MAX_PEERS, &value), 0, &err);
	assert_int_equal(value, 2);
	want(hv_sim_run_ivc_read(hyp, 1, &runs[1], CONTROL + HV_IVC_RW_SEC_SIZE, &value), 0, &err);
	assert_int_equal(value, RW);
	want(hv_sim_run_ivc_write(hyp, 1, &runs[1], CONTROL + HV_IVC_RING, 7), 0, &err);
	want(hv_sim_run_ivc_write(hyp, 1, &runs[1], CONTROL + HV_IVC_RING, UINT32_MAX), 0, &err);
	assert_false(readable(ivc));
	want_error(hv_sim_take_irq(hyp, 1, &irq, &err), EAGAIN, &err, "no interrupt waits");
	want(hv_sim_run_ivc_write(hyp, 1, &runs[1], CONTROL + HV_IVC_RING, 0), 0, &err);
	want(hv_sim_run_ivc_write(hyp, 1, &runs[1], CONTROL + HV_IVC_RING, 0), 0, &err);
	assert_true(readable(ivc));
	assert_true(hv_ivc_take(ivc));
	assert_false(hv_ivc_take(ivc));
	assert_false(readable(ivc));
	assert_true(hv_ivc_take(second));
	assert_int_equal(hv_sim_run_ivc_write(hyp, 1, &runs[1], SHARED, 0), -EFAULT);
	assert_int_equal(hv_sim_run_ivc_write(hyp, 1, &runs[2], CONTROL + HV_IVC_RING, 0), -ENOENT);

	/* The zone has gone: nobody is interrupted, and the next one is by news only. */
	want(hv_ivc_notify(ivc, 1, &err), 0, &err);
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	want(hv_ivc_notify(ivc, 1, &err), 0, &err);
	want(start(hyp, 1, 0, 1, 2), 0, &err);
	want_error(hv_sim_take_irq(hyp, 1, &irq, &err), EAGAIN, &err, "no interrupt waits");
	hv_ivc_close(second);
	hv_ivc_close(ivc);
	hv_hyp_close(hyp);
}

static void test_numbers(void **state)
{
	struct hv_hyp *hyp = machine(NULL);
	uint32_t ids[4] = { 9, 9, 9, 9 };
	struct hv_abi_zone zone;
	struct hv_ivc *ivc;

	(void)state;
	assert_int_equal(hv_ivc_list_sim(hyp, ids, 4, &err), 0);
	want(start(hyp, 1, 7, 0, 2), 0, &err);
	ivc = open_sim(hyp, 7);
	assert_int_equal(hv_ivc_info(ivc)->peer, 1);
	want_error(start(hyp, 2, 7, 1, 2), EINVAL, &err,
		   "peer 1 of IVC 7 is zone0, which has the channel open");
	hv_ivc_close(ivc);
	want_error(start(hyp, 2, 7, 0, 2), EINVAL, &err, "peer 0 of IVC 7 is zone 1");
	want_error(start(hyp, 2, 7, 2, 2), EINVAL, &err, "peer 2 of IVC 7, which has 2 of them");
	want_error(start(hyp, 2, 7, 1, 3), EINVAL, &err, "IVC 7 has other sizes");
	zone = zone_on(2, 7, 1, 2);
	zone.ivc[0].out_sec_size = 100;
	want_error(hv_hyp_zone_start(hyp, &zone, &err), EINVAL, &err, "not whole pages");
	/* A zone that is refused is on none of its channels. */
	zone = zone_on(2, 1, 1, 2);
	zone.n_ivc = 2;
	zone.ivc[1] = zone_on(2, 7, 0, 2).ivc[0];
	want_error(hv_hyp_zone_start(hyp, &zone, &err), EINVAL, &err, "peer 0 of IVC 7 is zone 1");
	ivc = open_sim(hyp, 1);
	assert_int_equal(hv_ivc_info(ivc)->peer, 0);
	hv_ivc_close(ivc);
	assert_int_equal(hv_ivc_list_sim(hyp, ids, 4, &err), 2);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[1], 7);

	want(start(hyp, 2, 7, 1, 2), 0, &err);
	want_error(hv_ivc_open_sim(hyp, 7, &ivc, &err), ENOENT, &err,
		   "all of its 2 peers are zones");
	assert_int_equal(hv_ivc_list_sim(hyp, ids, 4, &err), 1);
	/* Nobody on it: it may be made anew. */
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	want(hv_hyp_zone_stop(hyp, 2, &err), 0, &err);
	want(start(hyp, 1, 7, 0, 3), 0, &err);
	hv_hyp_close(hyp);
}

static void test_lives(void **state)
{
	char dir[] = "/tmp/hvsh-ivc-XXXXXX", command[64];
	struct hv_hyp *hyp;
	struct hv_ivc *ivc;
	uint64_t n = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	hyp = machine(dir);
	want(start(hyp, 1, 0, 1, 2), 0, &err);
	ivc = open_sim(hyp, 0);
	want(hv_ivc_store(ivc, 0, 0, 4, 42, &err), 0, &err);
	/* Its memory stays with zone0, which has it open, whoever comes and goes. */
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	want(start(hyp, 1, 0, 1, 2), 0, &err);
	assert_int_equal(zone_memory(hyp, 1)[RW], 42);

	hv_hyp_close(hyp);
	want(hv_ivc_load(ivc, 0, 0, 4, &n, &err), 0, &err);
	assert_int_equal(n, 42);
	want_error(hv_ivc_notify(ivc, 1, &err), ENODEV, &err, "the simulated machine is gone");
	hv_ivc_close(ivc);

	/* The zone runs on in its folder, and is on its channel. */
	hyp = machine(dir);
	ivc = open_sim(hyp, 0);
	assert_int_equal(hv_ivc_info(ivc)->peer, 0);
	hv_ivc_close(ivc);
	hv_hyp_close(hyp);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* A file with a control table, and the memory behind it. */
static void make_device(char *path, uint32_t id, uint32_t peer, uint32_t peers, uint32_t rw)
{
	uint32_t table[] = { id, peers, rw, OUT, peer, UINT32_MAX };
	int fd;

	strcpy(path, "/tmp/hvsh-ivc-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, table, sizeof(table)), sizeof(table));
	assert_int_equal(ftruncate(fd, 4096 + RW + 2 * OUT), 0);
	close(fd);
}

static void test_device(void **state)
{
	uint32_t rung = 0;
	char path[32], bytes[8] = "";
	struct hv_ivc *ivc;
	int fd;

	(void)state;
	if (sysconf(_SC_PAGESIZE) != 4096)
		skip();
	make_device(path, 5, 1, 2, RW);
	want(hv_ivc_open_device(path, 5, &ivc, &err), 0, &err);
	assert_int_equal(hv_ivc_info(ivc)->peer, 1);
	want(hv_ivc_write(ivc, 1, 16, "bytes", 6, &err), 0, &err);
	want(hv_ivc_write(ivc, HV_IVC_SHARED, 0, "all", 4, &err), 0, &err);
	want_error(hv_ivc_write(ivc, 0, 0, "no", 2, &err), EACCES, &err, "only peer 0 writes");
	want(hv_ivc_notify(ivc, 0, &err), 0, &err);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, bytes, 6, 4096 + RW + OUT + 16), 6);
	assert_string_equal(bytes, "bytes");
	assert_int_equal(pread(fd, bytes, 4, 4096), 4);
	assert_string_equal(bytes, "all");
	assert_int_equal(pread(fd, &rung, 4, HV_IVC_RING), 4);
	assert_int_equal(rung, 0);
	assert_int_equal(pwrite(fd, "theirs", 7, 4096 + RW), 7);
	close(fd);
	want(hv_ivc_read(ivc, 0, 0, bytes, 7, &err), 0, &err);
	assert_string_equal(bytes, "theirs");
	hv_ivc_close(ivc);

	want_error(hv_ivc_open_device(path, 4, &ivc, &err), EPROTO, &err,
		   "control table is that of channel 5");
	unlink(path);
	want_error(hv_ivc_open_device(path, 5, &ivc, &err), ENOENT, &err, "ivc is not loaded");
	make_device(path, 5, 2, 2, RW);
	want_error(hv_ivc_open_device(path, 5, &ivc, &err), EPROTO, &err,
		   "makes no sense: peer 2 of 2");
	unlink(path);
	make_device(path, 5, 1, 2, 100);
	want_error(hv_ivc_open_device(path, 5, &ivc, &err), EPROTO, &err, "sections of 0x64");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections), cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_numbers),	 cmocka_unit_test(test_lives),
		cmocka_unit_test(test_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
