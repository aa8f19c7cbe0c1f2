// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * policy [FILE [SECONDS]]: 4 KiB reads of a cached file by a simulated guest, 32 at a time: without
 * a policy, with one that is not concerned, with one that only looks on at one in a hundred, with
 * one that another thread answers at once, and with one for which a Lua function allows each.
 * Prints five medians of five, in turn: requests per second.
 */
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <linux/virtio_blk.h>
#include <lualib.h>

#include "loop/loop.h"
#include "lua/policy_decide.h"
#include "virtio/dev/blk.h"
#include "virtio/policy.h"
#include "vrig.h"

#define DEPTH 32
#define BLOCK 4096u
#define FILE_BYTES (16u << 20)
#define ROUNDS 5

static struct vrig rig;
static struct hv_vdev dev;
static double seconds = 0.3;
static struct hv_loop *loop;
static struct hv_policy *_Atomic policy;
static struct hv_post post;
static lua_State *lua; /* the answering thread's; its function is at 1 */
static _Atomic bool by_lua;

static void on_asked(void *arg)
{
	(void)arg;
	hv_loop_post(loop, &post);
}

static void never(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	luaL_error(L, "too many instructions");
}

static int decide(lua_State *L)
{
	const struct hv_question *q = lua_touserdata(L, 1);
	struct hv_answer *a = lua_touserdata(L, 2);

	lua_pushvalue(L, lua_upvalueindex(1));
	hv_policy_push_request(L, HV_POLICY_OF_BLK, q);
	lua_sethook(L, never, LUA_MASKCOUNT, 10000);
	lua_call(L, 1, 2);
	lua_sethook(L, NULL, 0, 0);
	hv_policy_read_answer(L, HV_POLICY_OF_BLK, q, 3, a);
	return 0;
}

/* As the service does for a function of its script. */
static struct hv_answer ask_lua(struct hv_question *q)
{
	struct hv_answer a = { 0 };

	lua_pushvalue(lua, 1);
	lua_pushlightuserdata(lua, q);
	lua_pushlightuserdata(lua, &a);
	if (lua_pcall(lua, 2, 0, 0)) {
		fprintf(stderr, "%s\n", lua_tostring(lua, -1));
		exit(1);
	}
	return a;
}

static void load_function(void)
{
	static const char text[] = "return function(r) if r.sector < 0 then return 'deny' end end";

	lua = luaL_newstate();
	luaL_openlibs(lua);
	if (luaL_dostring(lua, text))
		exit(1);
	lua_pushcclosure(lua, decide, 1);
}

static void answer(struct hv_loop *l, struct hv_post *p)
{
	struct hv_question q;

	(void)l;
	(void)p;
	while (hv_desk_take(hv_policy_desk(policy), &q)) {
		struct hv_answer a = { 0 };

		if (by_lua)
			a = ask_lua(&q);
		(void)hv_desk_answer(hv_policy_desk(policy), q.ticket, &a);
	}
}

static void *answerer(void *arg)
{
	struct hv_err err;

	(void)arg;
	hv_loop_run(loop, &err);
	return NULL;
}

static double reads(void)
{
	static struct {
		struct virtio_blk_outhdr header;
		uint8_t status;
	} * slot[DEPTH];
	static uint8_t *data[DEPTH];
	int head_of[1024];
	uint64_t begun = hv_now(), end = begun + (uint64_t)(seconds * 1e9), now = begun, done = 0;
	unsigned int out = 0;

	for (unsigned int i = 0; i < DEPTH && !slot[i]; i++) {
		slot[i] = vrig_alloc(&rig, sizeof(*slot[i]), 64);
		data[i] = vrig_alloc(&rig, BLOCK, BLOCK);
	}
	for (unsigned int i = 0; i < DEPTH || out; i++) {
		unsigned int n = i;

		if (i >= DEPTH) {
			struct vrig_used used = vrig_wait(&rig, 0);

			n = (unsigned int)head_of[used.id];
			out--;
			done++;
			if ((done & 31) == 0)
				now = hv_now();
			if (now >= end)
				continue;
		}
		slot[n]->header = (struct virtio_blk_outhdr){
			.type = htole32(VIRTIO_BLK_T_IN),
			.sector = htole64((done * 7919 + n) % (FILE_BYTES / BLOCK) * 8)
		};
		head_of[vrig_add(
			&rig, 0,
			(struct vrig_buf[]){ { &slot[n]->header, sizeof(slot[n]->header), false },
					     { data[n], BLOCK, true },
					     { &slot[n]->status, 1, true } },
			3)] = (int)n;
		vrig_kick(&rig, 0);
		out++;
	}
	return (double)done / ((double)(hv_now() - begun) / 1e9);
}

static double with(const struct hv_policy_opts *opts)
{
	struct hv_policy *made = NULL;
	struct hv_err err = { 0 };
	double rate;

	if (opts && hv_policy_new(opts, &made, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	/* Kept: the answering thread may look at it once more. */
	if (made)
		policy = made;
	hv_vdev_set_policy(&dev, made);
	rate = reads();
	hv_vdev_set_policy(&dev, NULL);
	return rate;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double middle(const double *r)
{
	double sorted[ROUNDS];

	memcpy(sorted, r, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), by_value);
	return sorted[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	const struct hv_desk_opts desk = { .depth = 256, .bytes = 1 << 20, .asked = on_asked };
	const struct hv_policy_opts cases[] = {
		{ .desk = desk,
		  .ops = 1 << HV_POLICY_BLK_READ,
		  .from = FILE_BYTES,
		  .to = UINT64_MAX },
		{ .desk = desk,
		  .ops = 1 << HV_POLICY_BLK_READ,
		  .observes = true,
		  .chance = UINT32_MAX / 100 },
		{ .desk = desk, .ops = 1 << HV_POLICY_BLK_READ },
		{ .desk = desk, .ops = 1 << HV_POLICY_BLK_READ },
	};
	const char *path = argc > 1 ? argv[1] : "/tmp/hvsh-bench-policy.img";
	struct hv_blk_opts blk = { .image = path };
	double rate[5][ROUNDS];
	struct hv_err err = { 0 };
	pthread_t thread;
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	static uint8_t block[1 << 20];

	if (argc > 2)
		seconds = strtod(argv[2], NULL);
	for (unsigned int i = 0; i < FILE_BYTES / sizeof(block); i++)
		if (write(fd, block, sizeof(block)) != sizeof(block))
			return 1;
	close(fd);
	post.fn = answer;
	load_function();
	if (hv_loop_new(&loop, &err) || hv_blk_init(&dev, "bench/disk", &blk, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	vrig_init(&rig, &dev, 4 << 20);
	vrig_start(&rig, HV_FEATURE(HV_F_EVENT_IDX), 128, VRIG_INDIRECT);
	pthread_create(&thread, NULL, answerer, NULL);
	reads();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		rate[0][i] = with(NULL);
		for (unsigned int c = 0; c < 4; c++) {
			by_lua = c == 3;
			rate[c + 1][i] = with(&cases[c]);
		}
	}
	printf("%.0f %.0f %.0f %.0f %.0f\n", middle(rate[0]), middle(rate[1]), middle(rate[2]),
	       middle(rate[3]), middle(rate[4]));
	unlink(path);
	/* The loop has work posted to it until the device is gone. */
	vrig_free(&rig);
	hv_vdev_destroy(&dev);
	hv_loop_stop(loop);
	pthread_join(thread, NULL);
	lua_close(lua);
	return 0;
}
