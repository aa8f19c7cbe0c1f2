// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/opener.h"
#include "zone/board.h"

#define IOMEM_MAX (4u << 20)
#define PROPERTY_MAX 65536u
#define NODES_MAX 4096

struct bytes {
	char *data; /* terminated beyond len; NULL when the file is missing */
	size_t len;
};

/* Paths are written as on the machine; below another root they lose the slash. */
static const char *below(const char *path)
{
	return *path == '/' ? path + 1 : path;
}

/* A file below dir, or AT_FDCWD for one that needs rights, at most max bytes. Missing is no error.
 */
static int read_file(int dir, const char *name, size_t max, struct bytes *out, struct hv_err *err)
{
	int fd = dir == AT_FDCWD ? hv_opener_read(name)
				 : openat(dir, below(name), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t cap = 0;
	ssize_t n = 1;
	int ret = 0;

	*out = (struct bytes){ 0 };
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : hv_err_sys(err, errno, "cannot read %s", name);
	while (n > 0 && !ret) {
		if (out->len + 1 >= cap) {
			char *more = realloc(out->data, cap = cap ? cap * 2 : 4096);

			if (!more) {
				ret = hv_err_nomem(err);
				break;
			}
			out->data = more;
		}
		n = read(fd, out->data + out->len, cap - out->len - 1);
		if (n > 0)
			out->len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			ret = hv_err_sys(err, errno, "cannot read %s", name);
		if (out->len > max)
			ret = hv_err_set(err, EINVAL,
					 "%s is over %zu bytes, which no kernel writes", name, max);
	}
	close(fd);
	if (ret) {
		free(out->data);
		*out = (struct bytes){ 0 };
	} else {
		out->data[out->len] = '\0';
	}
	return ret;
}

static int add_range(struct hv_host_range **list, size_t *n, uint64_t start, uint64_t size,
		     const char *name, bool no_map, struct hv_err *err)
{
	struct hv_host_range *r;

	/* Room for a power of two at a time. */
	if (!(*n & (*n - 1))) {
		r = reallocarray(*list, *n ? *n * 2 : 1, sizeof(*r));
		if (!r)
			return hv_err_nomem(err);
		*list = r;
	}
	r = *list + (*n)++;
	*r = (struct hv_host_range){ .start = start, .size = size, .no_map = no_map };
	snprintf(r->name, sizeof(r->name), "%s", name);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct hv_host_range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* ---- /proc/iomem */

struct iomem_line {
	unsigned int depth; /* two spaces each */
	uint64_t start, last;
	const char *name;
};

/* Digits only: strtoull alone would also take blanks, signs and 0x. */
static bool parse_hex(const char **at, uint64_t *value)
{
	size_t digits = strspn(*at, "0123456789abcdefABCDEF");

	errno = 0;
	*value = strtoull(*at, NULL, 16);
	if (!digits || errno)
		return false;
	*at += digits;
	return true;
}

static bool parse_iomem_line(const char *line, struct iomem_line *out)
{
	const char *p = line + strspn(line, " ");

	out->depth = (unsigned int)(p - line) / 2;
	if (!parse_hex(&p, &out->start) || *p++ != '-' || !parse_hex(&p, &out->last) ||
	    strncmp(p, " : ", 3) || out->last < out->start)
		return false;
	out->name = p + 3;
	/* The size of everything would not fit 64 bits. */
	return out->start != 0 || out->last != UINT64_MAX;
}

static int take_iomem_line(struct hv_host *host, const struct iomem_line *l, unsigned int ram_depth,
			   struct hv_err *err)
{
	uint64_t size = l->last - l->start + 1;

	if (ram_depth == UINT32_MAX && !strncmp(l->name, "System RAM", 10))
		return add_range(&host->ram, &host->n_ram, l->start, size, l->name, false, err);
	if (!strcasecmp(l->name, "reserved"))
		return add_range(&host->reserved, &host->n_reserved, l->start, size, "reserved",
				 ram_depth == UINT32_MAX, err);
	return 0;
}

static int parse_iomem(struct hv_host *host, char *text, struct hv_err *err)
{
	unsigned int ram_depth = UINT32_MAX; /* UINT32_MAX: not inside System RAM */
	unsigned int number = 0;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		struct iomem_line l;
		int ret;

		number++;
		if (!*line)
			continue;
		if (!parse_iomem_line(line, &l))
			return hv_err_set(err, EINVAL,
					  "/proc/iomem:%u: \"%.60s\" is not a range and its name",
					  number, line);
		if (l.depth <= ram_depth)
			ram_depth = UINT32_MAX;
		if (!strncmp(l.name, "System RAM", 10))
			host->addresses_known |= l.last != 0;
		/* Without the right to see them every address reads 0. */
		ret = l.last ? take_iomem_line(host, &l, ram_depth, err) : 0;
		if (ret)
			return ret;
		if (ram_depth == UINT32_MAX && !strncmp(l.name, "System RAM", 10))
			ram_depth = l.depth;
	}
	return 0;
}

static int read_iomem(int root, bool real, struct hv_host *host, struct hv_err *err)
{
	struct bytes file;
	/* Addresses read 0 without the right to see them. */
	int ret = read_file(real ? AT_FDCWD : root, "/proc/iomem", IOMEM_MAX, &file, err);

	if (!ret && file.data) {
		if (memchr(file.data, '\0', file.len))
			ret = hv_err_set(err, EINVAL, "/proc/iomem is not text");
		else
			ret = parse_iomem(host, file.data, err);
	}
	free(file.data);
	return ret;
}

/* ---- the device tree as folders */

/* Big-endian cells as one number; false when it does not fit 64 bits. */
static bool cells_value(const char *bytes, unsigned int cells, uint64_t *value)
{
	*value = 0;
	for (unsigned int i = 0; i < 4 * cells; i++) {
		if (*value >> 56)
			return false;
		*value = *value << 8 | (unsigned char)bytes[i];
	}
	return true;
}

/* "#address-cells" and its like: 0..4, or the fallback when it is missing. */
static int read_cells(int dir, const char *name, unsigned int fallback, unsigned int *cells,
		      struct hv_err *err)
{
	struct bytes prop;
	uint64_t value = fallback;
	int ret = read_file(dir, name, PROPERTY_MAX, &prop, err);

	if (!ret && prop.data && (prop.len != 4 || !cells_value(prop.data, 1, &value) || value > 4))
		ret = hv_err_set(err, EINVAL, "%s is no number of cells", name);
	*cells = (unsigned int)value;
	free(prop.data);
	return ret;
}

static bool has_property(int dir, const char *name)
{
	return !faccessat(dir, below(name), F_OK, 0);
}

/* A missing, unreadable or odd status counts as enabled: better one reservation too many. */
static bool disabled(int dir)
{
	struct bytes prop;
	bool off;

	if (read_file(dir, "status", PROPERTY_MAX, &prop, NULL))
		return false;
	off = prop.data && strcmp(prop.data, "okay") && strcmp(prop.data, "ok");
	free(prop.data);
	return off;
}

typedef int node_fn(int dir, const char *name, void *arg, struct hv_err *err);

/* Calls f with each enabled child folder. A missing parent has none. */
static int each_node(int root, const char *path, node_fn *f, void *arg, struct hv_err *err)
{
	int fd = openat(root, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned int n = 0;
	struct dirent *e;
	int ret = 0;
	DIR *dir;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES
			       ? 0
			       : hv_err_sys(err, errno, "cannot open %s", path);
	dir = fdopendir(fd);
	if (!dir) {
		ret = hv_err_sys(err, errno, "cannot read %s", path);
		close(fd);
		return ret;
	}
	while (!ret && (e = readdir(dir))) {
		int node;

		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		node = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (node < 0)
			continue;
		if (++n > NODES_MAX)
			ret = hv_err_set(err, EINVAL, "%s has over %d nodes", path, NODES_MAX);
		else if (!disabled(node))
			ret = f(node, e->d_name, arg, err);
		close(node);
	}
	closedir(dir);
	return ret;
}

#define RESERVED_PATH "/proc/device-tree/reserved-memory"

struct reserved_walk {
	struct hv_host *host;
	unsigned int address_cells, size_cells;
};

/* A node without reg is allocated by the kernel where it likes: no address to tell. */
static int reserved_node(int dir, const char *name, void *arg, struct hv_err *err)
{
	const struct reserved_walk *w = arg;
	size_t entry = 4 * (w->address_cells + w->size_cells);
	bool no_map = has_property(dir, "no-map");
	struct bytes reg;
	int ret = read_file(dir, "reg", PROPERTY_MAX, &reg, err);

	if (ret)
		return hv_err_prefix(err, RESERVED_PATH "/%s: ", name);
	if (reg.len % entry)
		hv_log_warn(RESERVED_PATH "/%s: reg has %zu bytes, not a multiple of %zu; "
					  "the rest is left out",
			    name, reg.len, entry);
	for (size_t at = 0; !ret && reg.len - at >= entry; at += entry) {
		uint64_t start, size, end;

		if (!cells_value(reg.data + at, w->address_cells, &start) ||
		    !cells_value(reg.data + at + 4 * w->address_cells, w->size_cells, &size) ||
		    __builtin_add_overflow(start, size, &end))
			hv_log_warn(RESERVED_PATH "/%s: reg goes beyond 64 bits, left out", name);
		else if (size)
			ret = add_range(&w->host->reserved, &w->host->n_reserved, start, size, name,
					no_map, err);
	}
	free(reg.data);
	return ret;
}

static int read_reserved(int root, struct hv_host *host, struct hv_err *err)
{
	struct reserved_walk w = { .host = host };
	unsigned int address, size;
	int ret;

	/* The binding demands that a reserved-memory node repeats the root's cells. */
	ret = read_cells(root, "/proc/device-tree/#address-cells", 2, &address, err) ?:
	      read_cells(root, "/proc/device-tree/#size-cells", 1, &size, err) ?:
	      read_cells(root, RESERVED_PATH "/#address-cells", address, &w.address_cells, err) ?:
	      read_cells(root, RESERVED_PATH "/#size-cells", size, &w.size_cells, err);
	if (ret)
		return ret;
	if (!w.address_cells || !w.size_cells)
		return hv_err_set(err, EINVAL, RESERVED_PATH ": ranges without address or size");
	return each_node(root, RESERVED_PATH, reserved_node, &w, err);
}

/* ---- CPUs */

#define CPUS_PATH "/proc/device-tree/cpus"

struct cpu_walk {
	unsigned int cells;
	bool riscv;
	bool unknown; /* an id that cannot be told */
	uint64_t low; /* bit per lowest affinity field, and per the second one */
	uint64_t second;
	bool clusters; /* some id has more than the lowest field */
	bool low_used; /* some id's lowest field is not 0 */
};

static void set_bit(uint64_t *bits, uint64_t n, struct cpu_walk *w)
{
	if (n >= 64)
		w->unknown = true;
	else
		*bits |= UINT64_C(1) << n;
}

static int cpu_node(int dir, const char *name, void *arg, struct hv_err *err)
{
	struct cpu_walk *w = arg;
	struct bytes reg;
	uint64_t id;
	int ret;

	if (strncmp(name, "cpu@", 4))
		return 0;
	ret = read_file(dir, "reg", PROPERTY_MAX, &reg, err);
	if (ret)
		return hv_err_prefix(err, CPUS_PATH "/%s: ", name);
	if (!reg.data || reg.len < 4 * w->cells || !cells_value(reg.data, w->cells, &id)) {
		ret = hv_err_set(err, EINVAL, CPUS_PATH "/%s: reg is no CPU id", name);
	} else if (w->riscv || has_property(dir, "riscv,isa") ||
		   has_property(dir, "riscv,isa-base")) {
		w->riscv = true;
		set_bit(&w->low, id, w);
	} else {
		uint64_t low = id & 0xff, second = id >> 8 & 0xff;

		w->unknown |= id >> 16 != 0;
		w->clusters |= second != 0;
		w->low_used |= low != 0;
		set_bit(&w->low, low, w);
		set_bit(&w->second, second, w);
	}
	free(reg.data);
	return ret;
}

/*
 * 1 when the tree has CPUs, 0 when not.
 * hvisor counts by the lowest affinity field, or by the second one on parts whose cores
 * all have 0 there (DynamIQ). With real clusters its numbering is the board's own affair.
 */
static int read_tree_cpus(int root, uint64_t *cpus, struct hv_err *err)
{
	struct cpu_walk w = { 0 };
	int ret = read_cells(root, CPUS_PATH "/#address-cells", 1, &w.cells, err);

	if (!ret && !w.cells)
		ret = hv_err_set(err, EINVAL, CPUS_PATH ": CPUs without ids");
	if (!ret)
		ret = each_node(root, CPUS_PATH, cpu_node, &w, err);
	if (ret)
		return ret;
	if (w.unknown || (w.clusters && w.low_used))
		hv_log_info("the device tree's CPU ids have clusters: which are zone0's, the board "
			    "must say");
	else
		*cpus = w.clusters ? w.second : w.low;
	return w.unknown || w.low ? 1 : 0;
}

/* "0-3,5"; CPUs beyond 63 are none that a zone can have. */
static bool parse_cpu_list(const char *text, uint64_t *cpus)
{
	const char *p = text;

	*cpus = 0;
	while (*p && *p != '\n') {
		unsigned long long first, last;
		char *end;

		if (*p < '0' || *p > '9')
			return false;
		errno = 0;
		first = last = strtoull(p, &end, 10);
		if (*end == '-') {
			p = end + 1;
			if (*p < '0' || *p > '9')
				return false;
			last = strtoull(p, &end, 10);
		}
		if (errno || last < first)
			return false;
		for (; first <= last && first < 64; first++)
			*cpus |= UINT64_C(1) << first;
		p = end;
		if (*p == ',' && p[1] != '\n' && p[1])
			p++;
		else if (*p && *p != '\n')
			return false;
	}
	return true;
}

static int read_sys_cpus(int root, uint64_t *cpus, struct hv_err *err)
{
	static const char *const files[] = {
		"/sys/devices/system/cpu/online",
		"/sys/devices/system/cpu/possible",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !*cpus; i++) {
		struct bytes file;
		int ret = read_file(root, files[i], PROPERTY_MAX, &file, err);

		if (!ret && file.data && !parse_cpu_list(file.data, cpus))
			ret = hv_err_set(err, EINVAL, "%s: \"%.60s\" is no list of CPUs", files[i],
					 file.data);
		free(file.data);
		if (ret)
			return ret;
	}
	return 0;
}

static int read_cpus(int root, struct hv_host *host, struct hv_err *err)
{
	int found = read_tree_cpus(root, &host->cpus, err);

	return found ? (found < 0 ? found : 0) : read_sys_cpus(root, &host->cpus, err);
}

int hv_host_read(const char *root, struct hv_host *host, struct hv_err *err)
{
	int dir, ret;

	*host = (struct hv_host){ 0 };
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return hv_err_sys(err, errno, "cannot open %s", root);
	ret = read_iomem(dir, !strcmp(root, "/"), host, err) ?: read_reserved(dir, host, err) ?:
	      read_cpus(dir, host, err);
	close(dir);
	if (ret) {
		if (strcmp(root, "/"))
			hv_err_prefix(err, "%s: ", root);
		hv_host_free(host);
		return ret;
	}
	if (host->n_ram)
		qsort(host->ram, host->n_ram, sizeof(*host->ram), by_start);
	if (host->n_reserved)
		qsort(host->reserved, host->n_reserved, sizeof(*host->reserved), by_start);
	return 0;
}

int hv_host_from_board(const struct hv_board *board, struct hv_host *host, struct hv_err *err)
{
	*host = (struct hv_host){ 0 };
	if (!board)
		return 0;
	for (unsigned int i = 0; i < board->n_root_ram; i++) {
		const struct hv_board_range *r = &board->root_ram[i];
		int ret = r->size ? add_range(&host->ram, &host->n_ram, r->start, r->size,
					      r->name ?: "ram", false, err)
				  : 0;

		if (ret) {
			hv_host_free(host);
			return ret;
		}
	}
	if (host->n_ram)
		qsort(host->ram, host->n_ram, sizeof(*host->ram), by_start);
	host->cpus = board->root_cpus;
	host->addresses_known = host->n_ram > 0;
	return 0;
}

void hv_host_free(struct hv_host *host)
{
	free(host->ram);
	free(host->reserved);
	*host = (struct hv_host){ 0 };
}
