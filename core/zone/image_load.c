// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/image_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"

#define CHUNK ((size_t)HV_MIB)
#define PROGRESS_STEP (4 * HV_MIB)

/* A load under way. */
struct load {
	struct hv_image *image;
	struct hv_hyp *hyp;
	uint64_t *phys; /* of each segment */
	hv_progress_fn *progress;
	void *progress_arg;
	uint64_t done, total; /* bytes of the file */
};

static int check_unchanged(const struct hv_image *image, struct hv_err *err)
{
	const struct hv_image_info *info = &image->info;
	struct stat st;

	if (fstat(image->fd, &st) < 0)
		return hv_err_sys(err, errno, "cannot stat");
	if (S_ISREG(st.st_mode) &&
	    ((uint64_t)st.st_size != info->file_size ||
	     st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec != info->mtime_ns))
		return hv_err_set(err, ESTALE, "was changed after it was checked: check again");
	return 0;
}

static int translate(struct load *load, uint64_t base, hv_image_phys_fn *phys_of, void *arg,
		     struct hv_err *err)
{
	const struct hv_image_info *info = &load->image->info;

	for (size_t i = 0; i < info->n_segments; i++) {
		const struct hv_image_segment *seg = &info->segments[i];
		uint64_t ipa = seg->addr, end;
		int rc;

		if ((!info->fixed && __builtin_add_overflow(ipa, base, &ipa)) ||
		    __builtin_add_overflow(ipa, seg->mem_size, &end))
			return hv_err_set(err, EFAULT, "%#llx bytes at %#llx reach beyond 64 bits",
					  (unsigned long long)seg->mem_size,
					  (unsigned long long)base);
		rc = phys_of(arg, ipa, seg->mem_size, &load->phys[i], err);
		if (rc)
			return rc;
		load->total += seg->file_size;
	}
	return 0;
}

static int segment_progress(uint64_t done, uint64_t total, void *arg)
{
	const struct load *load = arg;

	(void)total;
	return load->progress(load->done + done, load->total, load->progress_arg);
}

static int load_plain(struct load *load, struct hv_err *err)
{
	const struct hv_image_info *info = &load->image->info;

	for (size_t i = 0; i < info->n_segments; i++) {
		const struct hv_image_segment *seg = &info->segments[i];
		int rc;

		if (seg->file_size == 0)
			continue;
		rc = hv_hyp_load_fd(load->hyp, load->image->fd, seg->offset, seg->file_size,
				    load->phys[i], load->progress ? segment_progress : NULL, load,
				    err);
		if (rc)
			return rc;
		load->done += seg->file_size;
	}
	return 0;
}

/* Writes what the segments take of one unpacked piece, which begins at `at` of the file. */
static int place(struct load *load, const uint8_t *bytes, uint64_t at, size_t len,
		 struct hv_err *err)
{
	const struct hv_image_info *info = &load->image->info;

	for (size_t i = 0; i < info->n_segments; i++) {
		const struct hv_image_segment *seg = &info->segments[i];
		uint64_t from = seg->offset > at ? seg->offset : at;
		uint64_t to = seg->offset + seg->file_size < at + len ? seg->offset + seg->file_size
								      : at + len;
		int rc;

		if (from >= to)
			continue;
		rc = hv_hyp_load_mem(load->hyp, bytes + (from - at), to - from,
				     load->phys[i] + (from - seg->offset), err);
		if (rc)
			return rc;
	}
	return 0;
}

static int load_gzip(struct load *load, struct hv_err *err)
{
	struct image_gunzip *gz = NULL;
	uint8_t *chunk = malloc(CHUNK);
	uint64_t at = 0, told = 0;
	size_t got = CHUNK;
	int rc = 0;

	if (!chunk) {
		rc = hv_err_nomem(err);
		goto out;
	}
	gz = image_gunzip_new(load->image, err);
	if (!gz) {
		rc = -ENOMEM;
		goto out;
	}
	/* To the end of the stream, also behind the last segment: only there is the checksum. */
	while (got == CHUNK) {
		rc = image_gunzip_read(gz, chunk, CHUNK, &got, err);
		if (!rc)
			rc = place(load, chunk, at, got, err);
		if (rc)
			goto out;
		at += got;
		if (load->progress && (at - told >= PROGRESS_STEP || got < CHUNK)) {
			told = at;
			if (load->progress(at, load->image->contents, load->progress_arg)) {
				rc = hv_err_set(err, ECANCELED, "loading was cancelled");
				goto out;
			}
		}
	}
out:
	image_gunzip_free(gz);
	free(chunk);
	return rc;
}

/* Only ELF promises zeroes; a Linux Image clears its own. */
static int clear_bss(struct load *load, struct hv_err *err)
{
	const struct hv_image_info *info = &load->image->info;
	int rc = 0;

	if (info->format != HV_IMAGE_ELF)
		return 0;
	for (size_t i = 0; i < info->n_segments && !rc; i++) {
		const struct hv_image_segment *seg = &info->segments[i];

		if (seg->mem_size > seg->file_size)
			rc = hv_hyp_load_mem(load->hyp, NULL, seg->mem_size - seg->file_size,
					     load->phys[i] + seg->file_size, err);
	}
	return rc;
}

int hv_image_load(struct hv_image *image, uint64_t base, struct hv_hyp *hyp,
		  hv_image_phys_fn *phys_of, void *phys_arg, hv_progress_fn *progress,
		  void *progress_arg, struct hv_err *err)
{
	struct load load = {
		.image = image,
		.hyp = hyp,
		.phys = calloc(image->info.n_segments, sizeof(uint64_t)),
		.progress = progress,
		.progress_arg = progress_arg,
	};
	int rc;

	if (!load.phys) {
		rc = hv_err_nomem(err);
		goto out;
	}
	rc = check_unchanged(image, err);
	if (!rc)
		rc = translate(&load, base, phys_of, phys_arg, err);
	if (!rc)
		rc = image->info.gzip ? load_gzip(&load, err) : load_plain(&load, err);
	if (!rc)
		rc = clear_bss(&load, err);
out:
	if (rc && err)
		hv_err_prefix(err, "%s: ", image->path);
	free(load.phys);
	return rc;
}

static int read_gzip(struct hv_image *image, uint8_t *bytes, size_t size, struct hv_err *err)
{
	struct image_gunzip *gz = image_gunzip_new(image, err);
	size_t got = 0;
	uint8_t more;
	int rc;

	if (!gz)
		return -ENOMEM;
	rc = image_gunzip_read(gz, bytes, size, &got, err);
	/* One step further, to the checksum. */
	if (!rc)
		rc = image_gunzip_read(gz, &more, 1, &got, err);
	image_gunzip_free(gz);
	return rc;
}

int hv_image_read(struct hv_image *image, uint64_t max, void **bytes, size_t *size,
		  struct hv_err *err)
{
	uint64_t n = image->contents;
	uint8_t *copy = NULL;
	int rc;

	if (n > max || n > SIZE_MAX) {
		rc = hv_err_set(err, EFBIG, "has %llu bytes, the limit here is %llu",
				(unsigned long long)n, (unsigned long long)max);
		goto fail;
	}
	copy = malloc((size_t)n);
	if (!copy) {
		rc = hv_err_nomem(err);
		goto fail;
	}
	rc = check_unchanged(image, err);
	if (!rc)
		rc = image->info.gzip ? read_gzip(image, copy, (size_t)n, err)
				      : image_pread(image, 0, copy, (size_t)n, err);
	if (rc)
		goto fail;
	*bytes = copy;
	*size = image->info.format == HV_IMAGE_DTB ? (size_t)image->info.segments[0].file_size
						   : (size_t)n;
	return 0;

fail:
	free(copy);
	if (err)
		hv_err_prefix(err, "%s: ", image->path);
	return rc;
}
