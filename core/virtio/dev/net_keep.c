// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "virtio/dev/net_priv.h"
#include "virtio/state.h"

/* In the state's file. */
enum {
	KEPT_PROMISC = 1,
	KEPT_ALLMULTI = 2,
	KEPT_ALL_UNI = 4,
	KEPT_ALL_MULTI = 8,
	KEPT_ANNOUNCE = 16,
	KEPT_LINK_DOWN = 32, /* the cable was pulled */
};

struct kept {
	uint32_t flags, active, n_uni, n_multi;
	uint8_t mac[6], filter_mac[6];
	uint8_t uni[HV_NET_MACS][6], multi[HV_NET_MACS][6];
};

static_assert(sizeof(struct kept) == HV_NET_STATE_SIZE && sizeof(struct kept) <= HV_STATE_EXTRA,
	      "no padding, and room for it");

void hv_net_keep(struct hv_vdev *dev, void *to)
{
	const struct hv_net *net = dev->state;
	const struct hv_net_filter *filter = &net->kept.filter;
	struct kept kept = {
		.flags = (filter->promisc ? KEPT_PROMISC : 0) |
			 (filter->allmulti ? KEPT_ALLMULTI : 0) |
			 (filter->all_uni ? KEPT_ALL_UNI : 0) |
			 (filter->all_multi ? KEPT_ALL_MULTI : 0) |
			 (net->announce ? KEPT_ANNOUNCE : 0) |
			 (atomic_load(&net->link_wanted) ? 0 : KEPT_LINK_DOWN),
		.active = net->kept.active,
		.n_uni = filter->n_uni,
		.n_multi = filter->n_multi,
	};

	memcpy(kept.mac, net->mac, 6);
	memcpy(kept.filter_mac, filter->mac, 6);
	memcpy(kept.uni, filter->uni, sizeof(kept.uni));
	memcpy(kept.multi, filter->multi, sizeof(kept.multi));
	memcpy(to, &kept, sizeof(kept));
}

/* It comes from a file: what cannot be is as at the beginning of a life. */
void hv_net_restore(struct hv_vdev *dev, const void *from)
{
	struct hv_net *net = dev->state;
	struct hv_net_filter *filter = &net->filter;
	struct kept kept;

	memcpy(&kept, from, sizeof(kept));
	if (kept.flags >= 2 * KEPT_LINK_DOWN || kept.n_uni > HV_NET_MACS ||
	    kept.n_multi > HV_NET_MACS || !hv_net_is_device_mac(kept.mac) ||
	    !hv_net_is_device_mac(kept.filter_mac) || !kept.active || kept.active > net->pairs)
		return;
	memcpy(net->mac, kept.mac, 6);
	net->announce = kept.flags & KEPT_ANNOUNCE;
	atomic_store(&net->link_wanted, !(kept.flags & KEPT_LINK_DOWN));
	*filter = (struct hv_net_filter){
		.promisc = kept.flags & KEPT_PROMISC,
		.allmulti = kept.flags & KEPT_ALLMULTI,
		.all_uni = kept.flags & KEPT_ALL_UNI,
		.all_multi = kept.flags & KEPT_ALL_MULTI,
		.n_uni = kept.n_uni,
		.n_multi = kept.n_multi,
	};
	memcpy(filter->mac, kept.filter_mac, 6);
	memcpy(filter->uni, kept.uni, sizeof(kept.uni));
	memcpy(filter->multi, kept.multi, sizeof(kept.multi));
	net->kept = (struct hv_net_kept){ .filter = *filter, .active = kept.active };
	atomic_fetch_add(&net->filter_changes, 1);
	hv_net_set_pairs(net, kept.active);
}

void hv_net_restore_link(struct hv_vdev *dev, const void *from)
{
	struct hv_net *net = dev->state;
	struct kept kept;

	memcpy(&kept, from, sizeof(kept));
	atomic_store(&net->link_wanted, !(kept.flags & KEPT_LINK_DOWN));
}
