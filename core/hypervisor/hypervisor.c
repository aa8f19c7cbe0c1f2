// SPDX-License-Identifier: GPL-2.0-or-later
#include "hypervisor/hypervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/size.h"
#include "base/now.h"
#include "hypervisor/ops.h"

static_assert(sizeof(((struct hv_zone_info *)0)->name) ==
		      sizeof(((struct hv_wire_zone_info *)0)->name) + 1,
	      "a name that fills its field can be terminated");

#define ANY_OP HV_OP_COUNT

static const char *meaning(enum hv_hyp_op op, int code)
{
	static const struct {
		unsigned int op;
		int code;
		const char *text;
	} meanings[] = {
		{ HV_OP_START, EBUSY,
		  "one of its CPUs belongs to another zone, or is still on because it did not "
		  "stop when its last zone was shut down" },
		{ HV_OP_START, ENOMEM, "hvisor's own memory is used up" },
		{ HV_OP_STOP, EINVAL, "no zone has this id, or it is the root zone" },
		{ ANY_OP, ENOSYS, "it does not know this call" },
		{ ANY_OP, EPERM, "only the root zone (and root in it) may do this" },
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if ((meanings[i].op == op || meanings[i].op == ANY_OP) && meanings[i].code == code)
			return meanings[i].text;
	return NULL;
}

int hv_hyp_fail(const struct hv_hyp *hyp, enum hv_hyp_op op, int rc, const struct hv_err *detail,
		struct hv_err *err, const char *what, ...)
{
	const char *text = meaning(op, -rc);
	char head[256];
	va_list ap;

	va_start(ap, what);
	vsnprintf(head, sizeof(head), what, ap);
	va_end(ap);
	if (text && detail->code)
		return hv_err_set(err, -rc, "%s: refused by %s: %s; %s (%s)", head, hyp->speaker,
				  hv_err_name(-rc), text, detail->msg);
	if (text)
		return hv_err_set(err, -rc, "%s: refused by %s: %s; %s", head, hyp->speaker,
				  hv_err_name(-rc), text);
	if (detail->code)
		return hv_err_set(err, -rc, "%s: %s", head, detail->msg);
	return hv_err_sys(err, -rc, "%s: %s answers %s", head, hyp->speaker, hv_err_name(-rc));
}

void hv_hyp_close(struct hv_hyp *hyp)
{
	if (hyp)
		hyp->ops->close(hyp);
}

const char *hv_hyp_name(const struct hv_hyp *hyp)
{
	return hyp->name;
}

enum hv_arch hv_hyp_arch(const struct hv_hyp *hyp)
{
	return hyp->arch;
}

int hv_hyp_version(struct hv_hyp *hyp, uint64_t *version, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int rc;

	if (!hyp->version_known) {
		rc = hyp->ops->version(hyp, &hyp->version, &detail);
		if (rc < 0)
			return hv_hyp_fail(hyp, HV_OP_VERSION, rc, &detail, err,
					   "asking for the config version");
		hyp->version_known = true;
	}
	*version = hyp->version;
	return 0;
}

/*
 * The smaller layout goes first. /dev/hvisor's zone start carries no size: the kernel
 * module copies as much as its own struct has, and hvisor checks that size. Bytes
 * of a larger layout would be cut by the module and then taken for the smaller one;
 * bytes of a smaller layout are found out (see device.c).
 */
static int find_layouts(struct hv_hyp *hyp, struct hv_err *err)
{
	enum hv_layout found[2];
	uint64_t version;
	int rc;

	if (hyp->n_layouts)
		return 0;
	rc = hv_hyp_version(hyp, &version, err);
	if (rc < 0)
		return rc;
	rc = hv_layouts_of_version(version, hyp->arch, found, err);
	if (rc < 0)
		return rc;
	memcpy(hyp->layouts, found, sizeof(found));
	if (rc == 2 &&
	    hv_zone_config_size(found[0], hyp->arch) > hv_zone_config_size(found[1], hyp->arch)) {
		hyp->layouts[0] = found[1];
		hyp->layouts[1] = found[0];
	}
	hyp->n_layouts = rc;
	return 0;
}

int hv_hyp_layout(struct hv_hyp *hyp, enum hv_layout *layout, struct hv_err *err)
{
	int rc = find_layouts(hyp, err);

	if (rc < 0)
		return rc;
	if (hyp->n_layouts > 1)
		return hv_err_set(err, EAGAIN,
				  "version %" PRIu64 " of the config names two layouts, %s and %s; "
				  "the first zone started will tell, or --abi says it",
				  hyp->version, hv_layout_name(hyp->layouts[0]),
				  hv_layout_name(hyp->layouts[1]));
	*layout = hyp->layouts[0];
	return 0;
}

static void settle_layout(struct hv_hyp *hyp, enum hv_layout layout)
{
	hyp->layouts[0] = layout;
	hyp->n_layouts = 1;
}

int hv_hyp_set_layout(struct hv_hyp *hyp, enum hv_layout layout, struct hv_err *err)
{
	if (!hv_zone_config_size(layout, hyp->arch))
		return hv_err_set(err, EINVAL, "layout %s does not exist on %s",
				  hv_layout_name(layout), hv_arch_name(hyp->arch));
	settle_layout(hyp, layout);
	return 0;
}

int hv_hyp_zone_expressible(struct hv_hyp *hyp, const struct hv_abi_zone *zone, struct hv_err *err)
{
	uint8_t config[HV_ZONE_CONFIG_MAX];
	struct hv_err why = { 0 };
	int rc = find_layouts(hyp, err);

	if (rc < 0)
		return rc;
	for (int i = 0; i < hyp->n_layouts; i++) {
		rc = hv_zone_config_encode(hyp->layouts[i], hyp->arch, zone, config, sizeof(config),
					   &why);
		if (rc >= 0)
			continue;
		if (hyp->n_layouts == 1)
			return hv_err_set(err, -rc, "%s", why.msg);
		return hv_err_set(
			err, -rc,
			"%s (version %" PRIu64 " may be layout %s or %s: --abi %s, if you "
			"know that it is that one)",
			why.msg, hyp->version, hv_layout_name(hyp->layouts[0]),
			hv_layout_name(hyp->layouts[1]), hv_layout_name(hyp->layouts[!i]));
	}
	return 0;
}

static int list_wire(struct hv_hyp *hyp, struct hv_wire_zone_info zones[HV_MAX_ZONES],
		     struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int n;

	memset(zones, 0, HV_MAX_ZONES * sizeof(zones[0]));
	n = hyp->ops->list(hyp, zones, HV_MAX_ZONES, &detail);
	if (n < 0)
		return hv_hyp_fail(hyp, HV_OP_LIST, n, &detail, err, "zone list");
	return n < HV_MAX_ZONES ? n : HV_MAX_ZONES;
}

/* 1 listed, 0 not, or the error of the list. */
static int is_listed(struct hv_hyp *hyp, uint32_t id, struct hv_err *err)
{
	struct hv_wire_zone_info zones[HV_MAX_ZONES];
	int n = list_wire(hyp, zones, err);

	for (int i = 0; i < n; i++)
		if (zones[i].zone_id == id)
			return 1;
	return n < 0 ? n : 0;
}

/* hvisor has one EINVAL for a size that is not its struct's and for an id that exists. */
static int start_invalid(struct hv_hyp *hyp, const struct hv_abi_zone *zone, const char *tried,
			 const struct hv_err *detail, const struct hv_err *unencodable,
			 struct hv_err *err)
{
	const char *reason = detail->code ? detail->msg : "";
	const char *skipped = unencodable->code ? unencodable->msg : "";
	int listed = is_listed(hyp, zone->id, NULL);

	if (listed == 1)
		return hv_err_set(err, EINVAL,
				  "zone start (id %u): refused by %s: EINVAL; a zone with id %u "
				  "exists already",
				  zone->id, hyp->speaker, zone->id);
	return hv_err_set(err, EINVAL,
			  "zone start (id %u): refused by %s: EINVAL; %sthis hvisor's config "
			  "probably differs from layout %s%s%s%s%s%s",
			  zone->id, hyp->speaker, listed < 0 ? "the id may exist already, or " : "",
			  tried, *reason ? " (" : "", reason, *reason ? ")" : "",
			  *skipped ? "; another layout could not be tried: " : "", skipped);
}

int hv_hyp_zone_start(struct hv_hyp *hyp, const struct hv_abi_zone *zone, struct hv_err *err)
{
	uint8_t config[HV_ZONE_CONFIG_MAX];
	struct hv_err detail = { 0 };
	struct hv_err unencodable = { 0 };
	char tried[64] = "";
	int rc = find_layouts(hyp, err);

	if (rc < 0)
		return rc;
	for (int i = 0; i < hyp->n_layouts; i++) {
		enum hv_layout layout = hyp->layouts[i];
		size_t len = strlen(tried);
		int size = hv_zone_config_encode(layout, hyp->arch, zone, config, sizeof(config),
						 &unencodable);

		if (size < 0) {
			rc = size;
			continue;
		}
		memset(&detail, 0, sizeof(detail));
		rc = hyp->ops->start(hyp, config, (size_t)size, &detail);
		/* EBUSY is answered after the size was checked, so it tells the layout as well. */
		if (rc == 0 || rc == -EBUSY)
			settle_layout(hyp, layout);
		if (rc == 0)
			return 0;
		if (rc != -EINVAL)
			return hv_hyp_fail(hyp, HV_OP_START, rc, &detail, err, "zone start (id %u)",
					   zone->id);
		snprintf(tried + len, sizeof(tried) - len, "%s%s", len ? " and from layout " : "",
			 hv_layout_name(layout));
	}
	if (!*tried)
		return hv_err_set(err, -rc, "zone start (id %u): %s", zone->id, unencodable.msg);
	return start_invalid(hyp, zone, tried, &detail, &unencodable, err);
}

/* An ordinary shutdown takes 30 ms; for a CPU that does not stop hvisor waits 5 s. */
#define STUCK_NS (2 * UINT64_C(1000000000))

int hv_hyp_zone_stop(struct hv_hyp *hyp, uint32_t id, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	uint64_t began = hv_now(), took;
	int rc = hyp->ops->stop(hyp, id, &detail);

	took = hv_now() - began;

	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_STOP, rc, &detail, err, "zone shutdown (id %u)", id);
	rc = is_listed(hyp, id, &detail);
	if (rc < 0)
		return hv_err_set(err, -rc,
				  "zone shutdown (id %u): %s took it, but whether the zone is gone "
				  "cannot be seen: %s",
				  id, hyp->speaker, detail.msg);
	if (rc)
		return hv_err_set(err, EBUSY,
				  "zone shutdown (id %u): %s took it, but the zone did not go away",
				  id, hyp->speaker);
	if (took >= STUCK_NS)
		return hv_err_set(err, ETIMEDOUT,
				  "zone shutdown (id %u): the zone is gone, but that took %" PRIu64
				  " ms: a CPU of it did not stop, and starting a zone on it fails with "
				  "EBUSY until the board is reset",
				  id, took / 1000000);
	return 0;
}

int hv_hyp_zone_list(struct hv_hyp *hyp, struct hv_zone_info *zones, size_t max, struct hv_err *err)
{
	struct hv_wire_zone_info wire[HV_MAX_ZONES];
	int n = list_wire(hyp, wire, err);

	if (n < 0)
		return n;
	if ((size_t)n > max)
		n = (int)max;
	for (int i = 0; i < n; i++) {
		zones[i] = (struct hv_zone_info){
			.id = wire[i].zone_id,
			.cpus = wire[i].cpus,
			.is_err = wire[i].is_err != 0,
		};
		memcpy(zones[i].name, wire[i].name, sizeof(wire[i].name));
		for (char *c = zones[i].name; *c; c++)
			if (*c < 0x20 || (unsigned char)*c >= 0x7f)
				*c = '?';
	}
	return n;
}

static uint64_t host_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

int hv_hyp_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr, struct hv_err *err)
{
	uint64_t page = host_page();
	uint64_t start = hv_align_down(phys, page);
	struct hv_err detail = { 0 };
	uint64_t end;
	void *base;
	int rc;

	if (!size || __builtin_add_overflow(phys, size, &end) || end > INT64_MAX ||
	    end - start > SIZE_MAX - page)
		return hv_err_set(err, EINVAL,
				  "mapping 0x%" PRIx64 " bytes at 0x%" PRIx64 ": no such range",
				  size, phys);
	rc = hyp->ops->map(hyp, start, hv_align_up(end, page) - start, &base, &detail);
	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_MAP, rc, &detail, err,
				   "mapping 0x%" PRIx64 " bytes at 0x%" PRIx64, size, phys);
	*addr = (uint8_t *)base + (phys - start);
	return 0;
}

void hv_hyp_unmap(struct hv_hyp *hyp, void *addr, uint64_t size)
{
	uint64_t skip = (uintptr_t)addr & (host_page() - 1);

	(void)hyp;
	if (addr)
		munmap((uint8_t *)addr - skip, size + skip);
}

int hv_hyp_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int rc = hyp->ops->bridge(hyp, page, &detail);

	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_BRIDGE, rc, &detail, err, "virtio bridge");
	return 0;
}

int hv_hyp_wakeup_fd(struct hv_hyp *hyp, int *fd, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int rc = hyp->ops->wakeup_fd(hyp, fd, &detail);

	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_BRIDGE, rc, &detail, err, "virtio wake-up");
	return 0;
}

int hv_hyp_inject(struct hv_hyp *hyp, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int rc = hyp->ops->inject(hyp, &detail);

	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_INJECT, rc, &detail, err, "virtio interrupts");
	return 0;
}

int hv_hyp_clear_irq(struct hv_hyp *hyp, uint32_t zone, uint32_t irq, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int rc;

	if (!hyp->ops->clear_irq)
		return 0;
	rc = hyp->ops->clear_irq(hyp, zone, irq, &detail);
	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_INJECT, rc, &detail, err,
				   "clearing interrupt %u of zone %u", irq, zone);
	return 0;
}
