// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/tap_link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* One request about a device by name; 0 or -errno. */
static int request(const char *name, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	/* A machine without IPv4 has the same requests. */
	if (fd < 0)
		fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strncpy(ifr->ifr_name, name, IFNAMSIZ - 1);
	rc = ioctl(fd, what, what == SIOCBRADDBR ? (void *)ifr->ifr_name : (void *)ifr) ? -errno
											: 0;
	close(fd);
	return rc;
}

static int refuse(int rc, struct hv_err *err, const char *what, const char *name)
{
	if (rc == -EPERM)
		return hv_err_set(err, EPERM,
				  "no permission to %s %s: run as root, or with CAP_NET_ADMIN",
				  what, name);
	return hv_err_sys(err, -rc, "cannot %s %s", what, name);
}

int hv_link_mtu(const char *name, unsigned int *mtu, struct hv_err *err)
{
	struct ifreq ifr = { 0 };
	int rc = request(name, SIOCGIFMTU, &ifr);

	if (rc)
		return refuse(rc, err, "read the MTU of", name);
	*mtu = (unsigned int)ifr.ifr_mtu;
	return 0;
}

int hv_link_set_mtu(const char *name, unsigned int mtu, struct hv_err *err)
{
	struct ifreq ifr = { .ifr_mtu = (int)mtu };
	int rc = request(name, SIOCSIFMTU, &ifr);

	return rc ? refuse(rc, err, "set the MTU of", name) : 0;
}

int hv_link_up(const char *name, struct hv_err *err)
{
	struct ifreq ifr = { 0 };
	int rc = request(name, SIOCGIFFLAGS, &ifr);

	if (!rc && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		rc = request(name, SIOCSIFFLAGS, &ifr);
	}
	return rc ? refuse(rc, err, "bring up", name) : 0;
}

static unsigned int master_in(const struct nlmsghdr *msg, size_t len)
{
	const struct rtattr *attr;
	unsigned int master = 0;
	size_t left;

	if (!NLMSG_OK(msg, len) || msg->nlmsg_type != RTM_NEWLINK ||
	    msg->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return 0;
	left = msg->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg));
	for (attr = IFLA_RTA((const struct ifinfomsg *)NLMSG_DATA(msg)); RTA_OK(attr, left);
	     attr = RTA_NEXT(attr, left))
		if (attr->rta_type == IFLA_MASTER && RTA_PAYLOAD(attr) == sizeof(master))
			memcpy(&master, RTA_DATA(attr), sizeof(master));
	return master;
}

/* The index of the bridge it belongs to; 0 = none, or not to be found out. */
static unsigned int master_of(unsigned int index)
{
	struct {
		struct nlmsghdr msg;
		struct ifinfomsg info;
	} ask = {
		.msg = { .nlmsg_len = sizeof(ask),
			 .nlmsg_type = RTM_GETLINK,
			 .nlmsg_flags = NLM_F_REQUEST },
		.info = { .ifi_index = (int)index },
	};
	union {
		struct nlmsghdr msg;
		char bytes[16384];
	} reply;
	unsigned int master = 0;
	ssize_t n;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return 0;
	if (send(fd, &ask, sizeof(ask), 0) == (ssize_t)sizeof(ask)) {
		n = recv(fd, &reply, sizeof(reply), 0);
		if (n > 0)
			master = master_in(&reply.msg, (size_t)n);
	}
	close(fd);
	return master;
}

static int make_bridge(const char *bridge, struct hv_err *err)
{
	struct ifreq ifr = { 0 };
	int rc = request(bridge, SIOCBRADDBR, &ifr);

	if (rc == -ENOPKG || rc == -ENOSYS || rc == -EINVAL)
		return hv_err_set(
			err, ENOSYS,
			"cannot make the bridge %s: this kernel has no bridges (modprobe bridge)",
			bridge);
	if (rc)
		return refuse(rc, err, "make the bridge", bridge);
	hv_log_warn("the bridge %s did not exist: made it; it stays when we go (`ip link del %s`)",
		    bridge, bridge);
	return hv_link_up(bridge, err);
}

int hv_link_join(const char *name, const char *bridge, struct hv_err *err)
{
	struct ifreq ifr = { 0 };
	char other[IF_NAMESIZE] = "?";
	unsigned int index = if_nametoindex(name), master;
	int rc;

	if (!if_nametoindex(bridge)) {
		rc = make_bridge(bridge, err);
		if (rc)
			return rc;
	}
	master = master_of(index);
	if (master && master == if_nametoindex(bridge))
		return 0;
	if (master) {
		if_indextoname(master, other);
		return hv_err_set(
			err, EBUSY,
			"%s belongs to %s, not to %s: take it out with `ip link set %s nomaster`",
			name, other, bridge, name);
	}
	ifr.ifr_ifindex = (int)index;
	rc = request(bridge, SIOCBRADDIF, &ifr);
	if (rc == -EOPNOTSUPP || rc == -EINVAL)
		return hv_err_set(err, EINVAL, "%s is no bridge, or takes no such port as %s",
				  bridge, name);
	return rc ? refuse(rc, err, "join the TAP to the bridge", bridge) : 0;
}
