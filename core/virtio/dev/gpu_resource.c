// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/gpu_priv.h"

/* The guest's pages are aligned: copies between two that are cost half. calloc gives pages that are
 * not there before they are filled. */
#define ALIGN 64

static struct hv_gpu_resource **bucket(const struct hv_gpu *gpu, uint32_t id)
{
	uint32_t hash = id * 2654435761u;

	return (struct hv_gpu_resource **)&gpu->buckets[hash >> 16 & (HV_GPU_BUCKETS - 1)];
}

struct hv_gpu_resource *hv_gpu_find(const struct hv_gpu *gpu, uint32_t id)
{
	struct hv_gpu_resource *res = *bucket(gpu, id);

	while (res && res->id != id)
		res = res->next;
	return res;
}

/* Whether the guest may fill so much more. */
static bool fits(const struct hv_gpu *gpu, uint64_t bytes)
{
	return bytes <= gpu->memory_max - gpu->memory;
}

uint32_t hv_gpu_create(struct hv_gpu *gpu, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	struct hv_gpu_resource *res, **at = bucket(gpu, id);
	uint64_t bytes = (uint64_t)w * h * sizeof(*res->pixels);

	if (!id || hv_gpu_find(gpu, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!hv_gpu_format_known(format) || !w || !h || w > HV_GPU_SIDE_MAX || h > HV_GPU_SIDE_MAX)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (gpu->n_resources == HV_GPU_RESOURCES || !fits(gpu, bytes)) {
		hv_vdev_warn(gpu->dev,
			     "a picture of %u x %u pixels is more than the guest may have: it has "
			     "%u of %u, in %llu of %llu KiB",
			     w, h, gpu->n_resources, HV_GPU_RESOURCES,
			     (unsigned long long)(gpu->memory >> 10),
			     (unsigned long long)(gpu->memory_max >> 10));
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	res = calloc(1, sizeof(*res));
	if (res)
		res->block = calloc(1, (size_t)bytes + ALIGN);
	if (!res || !res->block) {
		free(res);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	res->pixels = (uint32_t *)(((uintptr_t)res->block + ALIGN - 1) & -(uintptr_t)ALIGN);
	res->id = id;
	res->format = format;
	res->w = w;
	res->h = h;
	res->charged = bytes;
	res->next = *at;
	pthread_mutex_lock(&gpu->lock);
	*at = res;
	gpu->n_resources++;
	gpu->memory += bytes;
	pthread_mutex_unlock(&gpu->lock);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void hv_gpu_unref(struct hv_gpu *gpu, struct hv_gpu_resource *res)
{
	struct hv_gpu_resource **at = bucket(gpu, res->id);

	while (*at != res)
		at = &(*at)->next;
	pthread_mutex_lock(&gpu->lock);
	*at = res->next;
	gpu->n_resources--;
	gpu->memory -= res->charged;
	pthread_mutex_unlock(&gpu->lock);
	free(res->pieces);
	free(res->block);
	free(res);
}

void hv_gpu_unref_all(struct hv_gpu *gpu)
{
	for (unsigned int i = 0; i < HV_GPU_BUCKETS; i++)
		while (gpu->buckets[i])
			hv_gpu_unref(gpu, gpu->buckets[i]);
}

static void charge(struct hv_gpu *gpu, struct hv_gpu_resource *res, int64_t bytes)
{
	pthread_mutex_lock(&gpu->lock);
	gpu->memory += (uint64_t)bytes;
	pthread_mutex_unlock(&gpu->lock);
	res->charged += (uint64_t)bytes;
}

/* false: one of them is not the guest's memory. */
static bool take_pieces(const struct hv_gmem *mem, struct hv_gpu_resource *res,
			const struct hv_chain *chain, size_t off, uint32_t n)
{
	struct virtio_gpu_mem_entry entries[64];
	uint64_t end = 0;
	uint32_t batch;

	for (uint32_t done = 0; done < n; done += batch) {
		batch = n - done < 64 ? n - done : 64;
		hv_iov_read(chain->iov, chain->n_out, off + done * sizeof(entries[0]), entries,
			    batch * sizeof(entries[0]));
		for (uint32_t i = 0; i < batch; i++) {
			uint64_t addr = le64toh(entries[i].addr);
			uint32_t len = le32toh(entries[i].length);
			uint8_t *host;

			if (!len)
				continue;
			host = hv_gmem_at(mem, addr, len);
			if (!host)
				return false;
			end += len;
			res->pieces[res->n_pieces++] = (struct hv_gpu_piece){ host, addr, end };
		}
	}
	return res->n_pieces;
}

uint32_t hv_gpu_attach(struct hv_gpu *gpu, struct hv_gpu_resource *res, const struct hv_gmem *mem,
		       const struct hv_chain *chain, size_t off, uint32_t n)
{
	size_t bytes = n * sizeof(*res->pieces);

	if (res->n_pieces)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!n || chain->out_len < off ||
	    n > (chain->out_len - off) / sizeof(struct virtio_gpu_mem_entry))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!fits(gpu, bytes))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	res->pieces = malloc(bytes);
	if (!res->pieces)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	if (!take_pieces(mem, res, chain, off, n)) {
		free(res->pieces);
		res->pieces = NULL;
		res->n_pieces = 0;
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	res->pieces_charged = bytes;
	charge(gpu, res, (int64_t)bytes);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t hv_gpu_detach(struct hv_gpu *gpu, struct hv_gpu_resource *res)
{
	if (!res->n_pieces)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	free(res->pieces);
	res->pieces = NULL;
	res->n_pieces = 0;
	charge(gpu, res, -(int64_t)res->pieces_charged);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* The piece that has the byte at off, which is inside. */
static const struct hv_gpu_piece *piece_at(const struct hv_gpu_resource *res, uint64_t off)
{
	uint32_t low = 0, high = res->n_pieces - 1;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (off < res->pieces[middle].end)
			high = middle;
		else
			low = middle + 1;
	}
	return &res->pieces[low];
}

static void copy_out(const struct hv_gpu_resource *res, uint64_t off, void *to, size_t len)
{
	const struct hv_gpu_piece *piece = piece_at(res, off);
	uint8_t *at = to;

	for (; len; piece++) {
		uint64_t begin = piece == res->pieces ? 0 : piece[-1].end;
		size_t n = piece->end - off < len ? (size_t)(piece->end - off) : len;

		memcpy(at, piece->host + (off - begin), n);
		at += n;
		off += n;
		len -= n;
	}
}

uint32_t hv_gpu_transfer(struct hv_gpu *gpu, struct hv_gpu_resource *res,
			 const struct hv_gpu_rect *r, uint64_t offset)
{
	uint64_t stride = (uint64_t)res->w * sizeof(*res->pixels), end;
	size_t line = r->w * sizeof(*res->pixels), lines = r->h;
	bool native = hv_gpu_format_native(res->format);
	uint32_t *to;

	if (!hv_gpu_inside(r, res->w, res->h))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!res->n_pieces)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (__builtin_add_overflow(offset, stride * (r->h - 1) + line, &end) ||
	    end > res->pieces[res->n_pieces - 1].end)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	to = res->pixels + (size_t)r->y * res->w + r->x;
	/* Whole lines lie one behind the other here and there; what is converted stays in the
	 * cache. */
	if (r->w == res->w && native) {
		line *= lines;
		lines = 1;
	}
	pthread_mutex_lock(&gpu->lock);
	for (size_t i = 0; i < lines; i++, to += res->w, offset += stride) {
		copy_out(res, offset, to, line);
		if (!native)
			hv_gpu_convert(to, r->w, res->format);
	}
	pthread_mutex_unlock(&gpu->lock);
	hv_stat_add(&gpu->dev->stats.write_bytes, (uint64_t)r->w * r->h * sizeof(*to));
	return VIRTIO_GPU_RESP_OK_NODATA;
}
