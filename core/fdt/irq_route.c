// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>

/* The numbers below are those of the GIC's shared peripheral interrupts. */
#define SPI 0

static enum hv_irq_controller parent_kind(const struct hv_fdt *tree, int index)
{
	int parent = fdt_irq_parent(tree, index);

	return parent < 0 ? HV_IRQC_NONE : fdt_irq_controller(tree, parent);
}

static bool below_gic(const struct hv_fdt *tree, int index)
{
	enum hv_irq_controller kind = parent_kind(tree, index);

	return kind == HV_IRQC_GICV2 || kind == HV_IRQC_GICV3;
}

int fdt_irq_channel(const struct hv_fdt *tree, int index, unsigned int i, uint32_t cells[3],
		    struct hv_err *err)
{
	const fdt32_t *cell;
	int len;

	cell = fdt_index_prop(tree, index, "amlogic,channel-interrupts", &len);
	if (!cell)
		return hv_err_set(err, ENOENT, "has no interrupts");
	if (len % 4 != 0)
		return hv_err_set(err, EINVAL,
				  "amlogic,channel-interrupts has %d bytes, no multiple of 4", len);
	if (i >= (unsigned int)len / 4)
		return hv_err_set(err, ENOENT, "amlogic,channel-interrupts has no entry %u", i);
	if (!below_gic(tree, index))
		return hv_err_set(err, EOPNOTSUPP,
				  "amlogic,channel-interrupts is known below a GIC only");
	cells[0] = SPI;
	cells[1] = fdt32_ld(cell + i);
	/* The driver sets it when it gives a channel away. */
	cells[2] = 0;
	return fdt_irq_parent(tree, index);
}

/*
 * Controllers in front of a GIC that take its three cells and hand them on. Some invert what the
 * GIC cannot take: falling edges and low levels.
 */
static const struct {
	const char *compatible;
	bool inverts;
} in_front[] = {
	{ "mediatek,mt6577-sysirq", true }, { "fsl,imx8mq-gpc", false },
	{ "fsl,imx7d-gpc", false },	    { "nvidia,tegra20-ictlr", false },
	{ "nvidia,tegra30-ictlr", false },  { "nvidia,tegra114-ictlr", false },
	{ "nvidia,tegra124-ictlr", false }, { "nvidia,tegra210-ictlr", false },
};

static uint32_t inverted(uint32_t type)
{
	switch (type & 0xf) {
	case 2:
		return 1;
	case 8:
		return 4;
	default:
		return type & 0xf;
	}
}

int fdt_irq_route(const struct hv_fdt *tree, int index, const uint32_t *in, int n_in,
		  uint32_t cells[3], struct hv_err *err)
{
	const char *compatible = fdt_index_string(tree, index, "compatible");
	const fdt32_t *row;
	char path[FDT_PATH_TEXT];
	int len;

	if (fdt_index_prop(tree, index, "amlogic,channel-interrupts", &len))
		return hv_err_set(
			err, EOPNOTSUPP,
			"goes to %s, whose driver chooses a channel when it starts: its own "
			"interrupts are the channels",
			fdt_index_path(tree, index, path, sizeof(path)));
	for (size_t i = 0; i < sizeof(in_front) / sizeof(*in_front); i++) {
		if (!fdt_index_compatible(tree, index, in_front[i].compatible) || n_in < 3 ||
		    in[0] != SPI || !below_gic(tree, index))
			continue;
		cells[0] = SPI;
		cells[1] = in[1];
		cells[2] = in_front[i].inverts ? inverted(in[2]) : in[2];
		return fdt_irq_parent(tree, index);
	}
	row = fdt_index_prop(tree, index, "qcom,pdc-ranges", &len);
	if (!row || n_in != 2 || !below_gic(tree, index))
		return hv_err_set(
			err, EOPNOTSUPP,
			"goes to %s (%.64s), whose interrupt numbers cannot be translated",
			fdt_index_path(tree, index, path, sizeof(path)),
			compatible ? compatible : "without a compatible string");
	if (len % 12 != 0)
		return hv_err_set(err, EINVAL,
				  "qcom,pdc-ranges of %s has %d bytes, no multiple of 12",
				  fdt_index_path(tree, index, path, sizeof(path)), len);
	for (; len > 0; len -= 12, row += 3) {
		uint32_t first = fdt32_ld(row), count = fdt32_ld(row + 2);

		if (in[0] < first || in[0] - first >= count)
			continue;
		cells[0] = SPI;
		cells[1] = fdt32_ld(row + 1) + (in[0] - first);
		cells[2] = inverted(in[1]);
		return fdt_irq_parent(tree, index);
	}
	return hv_err_set(err, EINVAL, "no row of qcom,pdc-ranges of %s is for interrupt %u",
			  fdt_index_path(tree, index, path, sizeof(path)), in[0]);
}
