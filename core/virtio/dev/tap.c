// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/opener.h"
#include "virtio/dev/net_frame.h"
#include "virtio/dev/tap_link.h"
#include "virtio/dev/tap_opener.h"
#include "virtio/device.h"

/* linux/if_tun.h has these from 6.2 on */
#define F_USO4 0x20
#define F_USO6 0x40

#define BASIC_OFFLOADS                                                                             \
	(HV_FEATURE(VIRTIO_NET_F_CSUM) | HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |                     \
	 HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4) | HV_FEATURE(VIRTIO_NET_F_GUEST_TSO6) |               \
	 HV_FEATURE(VIRTIO_NET_F_GUEST_ECN) | HV_FEATURE(VIRTIO_NET_F_HOST_TSO4) |                 \
	 HV_FEATURE(VIRTIO_NET_F_HOST_TSO6) | HV_FEATURE(VIRTIO_NET_F_HOST_ECN))
#define UDP_OFFLOADS                                                                               \
	(HV_FEATURE(HV_NET_F_GUEST_USO4) | HV_FEATURE(HV_NET_F_GUEST_USO6) |                       \
	 HV_FEATURE(HV_NET_F_HOST_USO))

static int check_name(const char *what, const char *name, struct hv_err *err)
{
	if (!*name || strlen(name) >= IFNAMSIZ)
		return hv_err_set(err, EINVAL,
				  "\"%s\" is no name for a %s: it has 1 to %d characters", name,
				  what, IFNAMSIZ - 1);
	if (!strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/:% \t\n\v\f\r"))
		return hv_err_set(err, EINVAL,
				  "\"%s\" is no name for a %s: it may not contain / : %% or blanks",
				  name, what);
	return 0;
}

static int set_iff(int fd, const char *name, bool multi)
{
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, name, strlen(name));
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi ? IFF_MULTI_QUEUE : 0));
	return ioctl(fd, TUNSETIFF, &ifr) ? -errno : 0;
}

static int explain_iff(int rc, const struct hv_tap_opts *opts, bool made, struct hv_err *err)
{
	const char *name = opts->name;

	switch (-rc) {
	case EPERM:
	case EACCES:
		if (made)
			return hv_err_set(err, EPERM,
					  "no permission to make the TAP %s: run as root, or with "
					  "CAP_NET_ADMIN",
					  name);
		return hv_err_set(err, EPERM,
				  "no permission to use the TAP %s: run as root, with "
				  "CAP_NET_ADMIN, or as the user "
				  "it was made for",
				  name);
	case EBUSY:
		return hv_err_set(err, EBUSY,
				  "the TAP %s is in use: another program or device has it open",
				  name);
	case E2BIG:
		return hv_err_set(err, EBUSY,
				  "the TAP %s has no queue left: other programs have it open",
				  name);
	case EINVAL:
		if (!made && opts->queues > 1)
			return hv_err_set(err, EINVAL,
					  "the TAP %s exists with one queue, %u are asked for: "
					  "make it with `ip tuntap "
					  "add dev %s mode tap multi_queue`, or ask for 1",
					  name, opts->queues, name);
		if (!made)
			return hv_err_set(err, EEXIST, "%s exists and is no TAP", name);
		break;
	}
	return hv_err_sys(err, -rc, "cannot %s the TAP %s", made ? "make" : "use", name);
}

static int open_tun(struct hv_err *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENODEV)
		return hv_err_set(
			err, ENODEV,
			"/dev/net/tun is missing: load the kernel's module `tun` (modprobe tun)");
	if (errno == EACCES || errno == EPERM)
		return hv_err_sys(err, errno,
				  "/dev/net/tun cannot be opened: it takes root, or a device node "
				  "that is yours to write");
	return hv_err_sys(err, errno, "/dev/net/tun cannot be opened");
}

static int prepare(int fd, const char *name, struct hv_err *err)
{
	int size = sizeof(struct virtio_net_hdr_v1), one = 1;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size))
		return hv_err_sys(err, errno, "the TAP %s takes no virtio header of %d bytes", name,
				  size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	if (ioctl(fd, TUNSETVNETLE, &one))
		return hv_err_sys(err, errno, "the TAP %s takes no little-endian header", name);
#else
	/* It is that already; kernels without the request are as right. */
	(void)ioctl(fd, TUNSETVNETLE, &one);
#endif
	return 0;
}

static int open_queues(const struct hv_tap_opts *opts, struct hv_tap *tap, struct hv_err *err)
{
	bool multi = opts->queues > 1;

	while (tap->n < opts->queues) {
		int fd = open_tun(err), rc;

		if (fd < 0)
			return fd;
		tap->fd[tap->n++] = fd;
		rc = set_iff(fd, opts->name, multi);
		/* One that exists may have been made for several queues. */
		if (rc == -EINVAL && !tap->made && !multi)
			rc = set_iff(fd, opts->name, true);
		if (rc)
			return explain_iff(rc, opts, tap->made, err);
		rc = prepare(fd, opts->name, err);
		if (rc)
			return rc;
	}
	return 0;
}

static void find_offloads(struct hv_tap *tap)
{
	tap->offloads = 0;
	if (!ioctl(tap->fd[0], TUNSETOFFLOAD,
		   (unsigned long)(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)))
		tap->offloads |= BASIC_OFFLOADS;
	if (!ioctl(tap->fd[0], TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | F_USO4 | F_USO6)))
		tap->offloads |= UDP_OFFLOADS;
	(void)ioctl(tap->fd[0], TUNSETOFFLOAD, 0ul);
}

static int set_mtu(const struct hv_tap_opts *opts, struct hv_tap *tap, struct hv_err *err)
{
	unsigned int has;
	int rc = hv_link_mtu(tap->name, &has, err);

	if (rc)
		return rc;
	if (opts->mtu && opts->mtu != has) {
		if (!tap->made)
			return hv_err_set(err, EINVAL,
					  "the TAP %s has an MTU of %u, not %u: change it with `ip "
					  "link set %s mtu "
					  "%u`, or take mtu away here",
					  tap->name, has, opts->mtu, tap->name, opts->mtu);
		rc = hv_link_set_mtu(tap->name, opts->mtu, err);
		if (rc)
			return rc;
		has = opts->mtu;
	}
	tap->mtu = has > UINT16_MAX ? UINT16_MAX : (uint16_t)has;
	return 0;
}

int hv_tap_open(const struct hv_tap_opts *opts, struct hv_tap *tap, struct hv_err *err)
{
	int rc = check_name("TAP", opts->name, err);

	*tap = (struct hv_tap){ 0 };
	if (!rc && opts->bridge)
		rc = check_name("bridge", opts->bridge, err);
	if (rc)
		return rc;
	if (!opts->queues || opts->queues > HV_TAP_QUEUES)
		return hv_err_set(err, EINVAL, "%u queues for the TAP %s: 1 to %d are possible",
				  opts->queues, opts->name, HV_TAP_QUEUES);
	if (hv_opener_sealed())
		return hv_tap_opener_ask(opts, tap, err);
	memcpy(tap->name, opts->name, strlen(opts->name) + 1);
	tap->made = !if_nametoindex(opts->name);
	rc = open_queues(opts, tap, err);
	if (!rc)
		rc = set_mtu(opts, tap, err);
	if (!rc && opts->bridge)
		rc = hv_link_join(tap->name, opts->bridge, err);
	if (!rc)
		rc = hv_link_up(tap->name, err);
	if (rc) {
		hv_tap_close(tap);
		return rc;
	}
	find_offloads(tap);
	hv_opener_allow(HV_ALLOW_TAP, opts->name);
	if (opts->bridge)
		hv_opener_allow(HV_ALLOW_BRIDGE, opts->bridge);
	return 0;
}

void hv_tap_adopt(struct hv_tap *tap, const int *fds, unsigned int n, uint16_t mtu)
{
	struct ifreq ifr = { 0 };

	*tap = (struct hv_tap){ .name = "?", .n = n, .mtu = mtu };
	memcpy(tap->fd, fds, n * sizeof(*fds));
	for (unsigned int i = 0; i < n; i++) {
		(void)fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK);
		(void)prepare(fds[i], "", NULL);
	}
	if (!ioctl(fds[0], TUNGETIFF, &ifr))
		snprintf(tap->name, sizeof(tap->name), "%s", ifr.ifr_name);
	find_offloads(tap);
}

void hv_tap_close(struct hv_tap *tap)
{
	for (unsigned int i = 0; i < tap->n; i++)
		close(tap->fd[i]);
	tap->n = 0;
}

static bool wants(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

int hv_tap_offload(const struct hv_tap *tap, uint64_t features, struct hv_err *err)
{
	unsigned long to = 0;

	if (!(tap->offloads & BASIC_OFFLOADS))
		return 0;
	if (wants(features, VIRTIO_NET_F_GUEST_CSUM)) {
		to |= TUN_F_CSUM;
		if (wants(features, VIRTIO_NET_F_GUEST_TSO4))
			to |= TUN_F_TSO4;
		if (wants(features, VIRTIO_NET_F_GUEST_TSO6))
			to |= TUN_F_TSO6;
		if (wants(features, VIRTIO_NET_F_GUEST_ECN) && to & (TUN_F_TSO4 | TUN_F_TSO6))
			to |= TUN_F_TSO_ECN;
		/* The kernel knows the two only together. */
		if (wants(features, HV_NET_F_GUEST_USO4) && wants(features, HV_NET_F_GUEST_USO6))
			to |= F_USO4 | F_USO6;
	}
	if (ioctl(tap->fd[0], TUNSETOFFLOAD, to))
		return hv_err_sys(err, errno, "cannot set the offloads of the TAP %s", tap->name);
	return 0;
}

int hv_tap_queue(const struct hv_tap *tap, unsigned int index, bool on, struct hv_err *err)
{
	struct ifreq ifr = { .ifr_flags = (short)(on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE) };

	if (ioctl(tap->fd[index], TUNSETQUEUE, &ifr))
		return hv_err_sys(err, errno, "cannot switch queue %u of the TAP %s %s", index,
				  tap->name, on ? "on" : "off");
	return 0;
}
