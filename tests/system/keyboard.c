// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A keyboard of the kernel's that nobody sits at.
 *
 * keyboard plug NAME FIFO   plugs one in and says which node it is. A line "CODE VALUE" from FIFO
 * is a key that goes down (1) or up (0); a light that goes on or off is a line "light CODE VALUE"
 * on stdout. Its end unplugs the keyboard. keyboard grab NODE        whether an input device can be
 * had for one program alone
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/uinput.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int grab(const char *node)
{
	int fd = open(node, O_RDWR);

	if (fd < 0 || ioctl(fd, EVIOCGRAB, (void *)1) < 0) {
		printf("%s\n", strerror(errno));
		return 1;
	}
	printf("it can\n");
	return 0;
}

static int plug(int fd, const char *name)
{
	struct uinput_setup setup = {
		.id = { .bustype = BUS_USB, .vendor = 0x1209, .product = 1 }
	};
	int rc = ioctl(fd, UI_SET_EVBIT, EV_KEY) | ioctl(fd, UI_SET_EVBIT, EV_LED) |
		 ioctl(fd, UI_SET_LEDBIT, LED_CAPSL);

	for (int key = KEY_ESC; key <= KEY_F12 && !rc; key++)
		rc = ioctl(fd, UI_SET_KEYBIT, key);
	snprintf(setup.name, sizeof(setup.name), "%s", name);
	return rc ? rc : ioctl(fd, UI_DEV_SETUP, &setup) | ioctl(fd, UI_DEV_CREATE);
}

static int say_node(int fd)
{
	char folder[128] = "/sys/devices/virtual/input/";
	size_t len = strlen(folder);
	struct dirent *entry;
	DIR *dir;

	if (ioctl(fd, UI_GET_SYSNAME(sizeof(folder) - len), folder + len) < 0)
		return -1;
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "event", 5))
			printf("/dev/input/%s\n", entry->d_name);
	if (dir)
		closedir(dir);
	fflush(stdout);
	return dir ? 0 : -1;
}

static void type(int fd, int code, int value)
{
	struct input_event events[] = {
		{ .type = EV_KEY, .code = (unsigned short)code, .value = value },
		{ .type = EV_SYN, .code = SYN_REPORT },
	};

	if (write(fd, events, sizeof(events)) < 0)
		perror("a key");
}

static void take_lines(int fd, FILE *keys)
{
	int code, value;

	while (fscanf(keys, "%d %d", &code, &value) == 2)
		type(fd, code, value);
	clearerr(keys);
}

static void say_lights(int fd)
{
	struct input_event event;

	while (read(fd, &event, sizeof(event)) == sizeof(event))
		if (event.type == EV_LED)
			printf("light %u %d\n", event.code, event.value);
	fflush(stdout);
}

static int serve(const char *name, const char *fifo)
{
	int fd = open("/dev/uinput", O_RDWR | O_NONBLOCK);
	/* Open for writing as well: it has no end. */
	int in = open(fifo, O_RDWR | O_NONBLOCK);
	struct pollfd fds[] = { { fd, POLLIN, 0 }, { in, POLLIN, 0 } };
	FILE *keys = in < 0 ? NULL : fdopen(in, "r");

	if (fd < 0 || !keys || plug(fd, name) || say_node(fd)) {
		perror("keyboard");
		return 1;
	}
	while (poll(fds, 2, -1) >= 0) {
		if (fds[0].revents)
			say_lights(fd);
		if (fds[1].revents)
			take_lines(fd, keys);
	}
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "grab"))
		return grab(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "plug"))
		return serve(argv[2], argv[3]);
	fprintf(stderr, "usage: keyboard plug NAME FIFO, keyboard grab NODE\n");
	return 2;
}
