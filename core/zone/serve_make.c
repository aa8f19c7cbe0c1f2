// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/serve_priv.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/blk.h"
#include "virtio/dev/console.h"
#include "virtio/dev/custom.h"
#include "virtio/dev/gpu.h"
#include "virtio/dev/gpu_drm.h"
#include "virtio/dev/input.h"
#include "virtio/dev/net.h"
#include "virtio/dev/rng.h"
#include "virtio/dev/scmi.h"

bool hv_spec_is_slot(const struct hv_spec_device *spec)
{
	return !strcmp(spec->type, "slot");
}

static const char *text(const struct hv_spec_device *spec, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(spec, key);

	return o ? o->string : NULL;
}

static bool flag(const struct hv_spec_device *spec, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(spec, key);

	return o && o->boolean;
}

/* 0 where it is not given. The schema has seen to the range. */
static uint64_t number(const struct hv_spec_device *spec, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(spec, key);

	return o ? (uint64_t)o->integer : 0;
}

static const struct hv_origin *origin(const struct hv_spec_device *spec, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(spec, key);

	return o ? &o->origin : &spec->origin;
}

/* Puts the line of one option before a message that is about it alone. */
static int blame(const char *name, const struct hv_spec_device *spec, const char *key, int ret,
		 struct hv_err *err)
{
	char where[HV_ORIGIN_TEXT];

	if (ret >= 0)
		return ret;
	hv_origin_format(origin(spec, key), where);
	return hv_err_prefix(err, *where ? "%s (%s): " : "%s%s: ", name, where);
}

static int make_blk(struct hv_serve *serve, struct hv_served *dev, const char *name,
		    const struct hv_spec_device *spec, struct hv_err *err)
{
	struct hv_blk_opts opts = {
		.origin = dev->dev.origin,
		.image = text(spec, "image"),
		.overlay = text(spec, "overlay"),
		.snapshot = flag(spec, "snapshot"),
		.readonly = flag(spec, "readonly"),
		.direct = flag(spec, "direct"),
		.serial = text(spec, "serial"),
		.queues = (unsigned int)number(spec, "queues"),
		.queue_size = (unsigned int)number(spec, "queue_size"),
		.block_size = (unsigned int)number(spec, "block_size"),
	};

	if (serve->harmless) {
		if (opts.overlay)
			hv_log(HV_LOG_WARN, "%s: its overlay %s is left out of the simulation",
			       name, opts.overlay);
		opts.overlay = NULL;
		opts.direct = false;
		opts.snapshot = !opts.readonly;
	}
	return hv_blk_init(&dev->dev, name, &opts, err);
}

/* A switch is made by the first device that names it and lives as long as the service. */
static int find_switch(struct hv_serve *serve, const char *name, struct hv_switch **sw,
		       struct hv_err *err)
{
	int ret;

	for (unsigned int i = 0; i < serve->n_switches; i++)
		if (!strcmp(hv_switch_name(serve->switches[i]), name)) {
			*sw = serve->switches[i];
			return 0;
		}
	if (serve->n_switches == HV_SERVE_SWITCHES)
		return hv_err_set(err, ENOSPC, "switch %s: there can be %d switches", name,
				  HV_SERVE_SWITCHES);
	ret = hv_switch_new(name, sw, err);
	if (!ret)
		serve->switches[serve->n_switches++] = *sw;
	return ret;
}

static int make_net(struct hv_serve *serve, struct hv_served *dev, const char *name,
		    const struct hv_spec_device *spec, struct hv_err *err)
{
	const char *sw = text(spec, "switch"), *mac = text(spec, "mac");
	struct hv_net_opts opts = {
		.origin = dev->dev.origin,
		.tap = text(spec, "tap"),
		.bridge = text(spec, "bridge"),
		.mtu = (uint16_t)number(spec, "mtu"),
		.pairs = (unsigned int)number(spec, "queues"),
		.queue_size = (unsigned int)number(spec, "queue_size"),
		.has_mac = mac != NULL,
	};
	int ret = 0;

	if (!opts.tap && !sw && !opts.bridge)
		return blame(name, spec, "tap",
			     hv_err_set(err, EINVAL,
					"a network needs tap = \"tap0\" or switch = \"lan\""),
			     err);
	if (serve->harmless && !sw) {
		sw = opts.bridge ?: "simulated";
		opts.tap = opts.bridge = NULL;
	}
	if (mac)
		ret = blame(name, spec, "mac", hv_mac_parse(mac, opts.mac, err), err);
	if (!ret && sw)
		ret = blame(name, spec, "switch", find_switch(serve, sw, &opts.sw, err), err);
	return ret ?: hv_net_init(&dev->dev, name, &opts, err);
}

static int make_console(struct hv_serve *serve, struct hv_served *dev, const char *name,
			const struct hv_spec_device *spec, struct hv_err *err)
{
	const struct hv_spec_option *ports = hv_spec_option(spec, "ports");
	struct hv_console_port_opts port[HV_CONSOLE_PORTS] = {
		{
			.log = text(spec, "log"),
			.log_max = number(spec, "log_max"),
			.log_keep = (unsigned int)number(spec, "log_keep"),
			.pty = flag(spec, "pty") || text(spec, "pty_link"),
			.pty_link = text(spec, "pty_link"),
			.output = (size_t)number(spec, "scrollback"),
			.cols = (uint16_t)number(spec, "columns"),
			.rows = (uint16_t)number(spec, "rows"),
		},
	};
	struct hv_console_opts opts = { .origin = dev->dev.origin, .ports = port, .n_ports = 1 };

	if (ports && ports->n_strings >= HV_CONSOLE_PORTS)
		return blame(name, spec, "ports",
			     hv_err_set(err, EINVAL,
					"%zu ports besides the console; there can be %d",
					ports->n_strings, HV_CONSOLE_PORTS - 1),
			     err);
	for (size_t i = 0; ports && i < ports->n_strings; i++)
		port[opts.n_ports++] = (struct hv_console_port_opts){
			.name = ports->strings[i],
			.data = true,
		};
	if (serve->harmless) {
		port[0].log = port[0].pty_link = NULL;
		port[0].pty = false;
	}
	return hv_console_init(&dev->dev, name, &opts, err);
}

#if HVSH_VIRTIO_GPU
static int make_output(struct hv_serve *serve, const char *name, const struct hv_spec_device *spec,
		       struct hv_gpu_output **out, struct hv_err *err)
{
	const char *const connectors[HV_GPU_SCANOUTS] = { text(spec, "connector") };
	const char *output = text(spec, "output");
	struct hv_gpu_drm_opts drm = {
		.card = text(spec, "card"),
		.connectors = connectors,
		.mode = text(spec, "mode"),
		.scanouts = (unsigned int)number(spec, "screens"),
	};

	if (!output || !strcmp(output, "memory") || serve->harmless)
		return hv_gpu_memory_new(out, err);
	return blame(name, spec, *connectors ? "connector" : "output",
		     hv_gpu_drm_new(&drm, out, err), err);
}

static int make_gpu(struct hv_serve *serve, struct hv_served *dev, const char *name,
		    const struct hv_spec_device *spec, struct hv_err *err)
{
	struct hv_gpu_opts opts = {
		.origin = dev->dev.origin,
		.scanouts = (unsigned int)number(spec, "screens"),
		.width = (uint32_t)number(spec, "width"),
		.height = (uint32_t)number(spec, "height"),
		.memory = number(spec, "memory"),
	};
	int ret = make_output(serve, name, spec, &opts.output, err);

	return ret ?: hv_gpu_init(&dev->dev, name, &opts, err);
}
#else
static int make_gpu(struct hv_serve *serve, struct hv_served *dev, const char *name,
		    const struct hv_spec_device *spec, struct hv_err *err)
{
	(void)serve;
	(void)dev;
	return blame(name, spec, "",
		     hv_err_set(err, ENOTSUP,
				"this hvsh was built without graphics cards (VIRTIO_GPU=n)"),
		     err);
}
#endif

static int make_rng(struct hv_serve *serve, struct hv_served *dev, const char *name,
		    const struct hv_spec_device *spec, struct hv_err *err)
{
	(void)serve;
	(void)spec;
	return hv_rng_init(&dev->dev, name, &dev->dev.origin, err);
}

static int input_kind(const struct hv_spec_device *spec, enum hv_input_kind *kind,
		      struct hv_err *err)
{
	const char *wanted = text(spec, "kind");

	*kind = HV_INPUT_KEYBOARD;
	if (text(spec, "evdev") && wanted)
		return hv_err_set(err, EINVAL,
				  "the kind of a real device (evdev) is its own: leave this out");
	if (text(spec, "evdev"))
		*kind = HV_INPUT_EVDEV;
	while (wanted && *kind < HV_INPUT_EVDEV && strcmp(hv_input_kind_name(*kind), wanted) != 0)
		++*kind;
	if (wanted && *kind == HV_INPUT_EVDEV)
		return hv_err_set(err, EINVAL,
				  "%s is no kind of input device: keyboard, mouse, tablet, touch",
				  wanted);
	return 0;
}

static int make_input(struct hv_serve *serve, struct hv_served *dev, const char *name,
		      const struct hv_spec_device *spec, struct hv_err *err)
{
	struct hv_input_opts opts = {
		.origin = dev->dev.origin,
		.evdev = text(spec, "evdev"),
		.width = (unsigned int)number(spec, "width"),
		.height = (unsigned int)number(spec, "height"),
	};
	int ret = blame(name, spec, "kind", input_kind(spec, &opts.kind, err), err);

	if (ret)
		return ret;
	if (serve->harmless && opts.evdev) {
		hv_log(HV_LOG_WARN, "%s: %s is left alone in the simulation; a keyboard is there",
		       name, opts.evdev);
		opts.evdev = NULL;
		opts.kind = HV_INPUT_KEYBOARD;
	}
	return hv_input_init(&dev->dev, name, &opts, err);
}

static struct hv_scmi_allow allowed(const struct hv_spec_device *spec, const char *key)
{
	const struct hv_spec_option *o = hv_spec_option(spec, key);

	if (!o)
		return (struct hv_scmi_allow){ .origin = spec->origin };
	/* The schema knows one word: "all". */
	return (struct hv_scmi_allow){
		.all = o->type == HV_OPT_STRING,
		.n_ids = o->n_ints,
		.ids = o->ints,
		.n_names = o->n_strings,
		.names = o->strings,
		.origin = o->origin,
	};
}

/* References are looked up in the tree this machine runs with; a simulated one has none. */
int hv_serve_need_clocks(struct hv_serve *serve, struct hv_err *err)
{
	struct hv_err why;
	int ret;

	if (serve->clocks)
		return 0;
	ret = hv_clock_host_new(&hv_clock_backend_hyp, serve->hyp, &serve->clocks, err);
	if (ret || hv_hyp_is_sim(serve->hyp))
		return ret;
	if (hv_fdt_open_running(&serve->tree, &why))
		hv_log(HV_LOG_INFO, "clocks are found by id and name alone: %s", why.msg);
	else
		hv_clock_host_set_tree(serve->clocks, serve->tree);
	return 0;
}

static int make_scmi(struct hv_serve *serve, struct hv_served *dev, const char *name,
		     const struct hv_spec_device *spec, struct hv_err *err)
{
	struct hv_scmi_opts opts = {
		.zone = dev->zone_name,
		.allow = {
			[HV_LENT_CLOCK] = allowed(spec, "clocks"),
			[HV_LENT_RESET] = allowed(spec, "resets"),
			[HV_LENT_POWER] = allowed(spec, "powers"),
		},
		.origin = dev->dev.origin,
	};
	int ret = hv_serve_need_clocks(serve, err);

	opts.host = serve->clocks;
	return ret ?: hv_scmi_init(&dev->dev, name, &opts, err);
}

static int make_custom(struct hv_serve *serve, struct hv_served *dev, const char *name,
		       const struct hv_spec_device *spec, struct hv_err *err)
{
	const struct hv_spec_option *features = hv_spec_option(spec, "features"),
				    *config = hv_spec_option(spec, "config"),
				    *sizes = hv_spec_option(spec, "queue_sizes"),
				    *receives = hv_spec_option(spec, "queue_receives");
	struct hv_custom_queue queues[HV_CUSTOM_QUEUES] = { 0 };
	uint8_t bytes[HV_CUSTOM_CONFIG];
	struct hv_custom_opts opts = {
		.origin = dev->dev.origin,
		.id = (uint32_t)number(spec, "id"),
		.config = bytes,
		.config_size = config ? config->n_ints : 0,
		.config_writable = flag(spec, "writable"),
		.n_queues = sizes ? (unsigned int)sizes->n_ints : 0,
		.queues = queues,
		.requests = (unsigned int)number(spec, "requests"),
		.max_request = (size_t)number(spec, "max_request"),
		.memory = (size_t)number(spec, "memory"),
		.timeout_ns = number(spec, "timeout"),
		.model = text(spec, "model"),
	};

	(void)serve;
	for (size_t i = 0; features && i < features->n_ints; i++)
		opts.features |= UINT64_C(1) << (features->ints[i] & 63);
	for (size_t i = 0; i < opts.config_size && i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)config->ints[i];
	for (unsigned int i = 0; i < opts.n_queues && i < HV_CUSTOM_QUEUES; i++)
		queues[i] = (struct hv_custom_queue){
			.size = (uint16_t)sizes->ints[i],
			.receive = receives && i < receives->n_ints && receives->ints[i],
		};
	return hv_custom_init(&dev->dev, name, &opts, err);
}

/* Memory is short in many places, few of which know the device's name. */
static int name_nomem(const char *name, const struct hv_spec_device *spec, int ret,
		      struct hv_err *err)
{
	if (ret != -ENOMEM || !strncmp(err->msg, name, strlen(name)))
		return ret;
	return hv_serve_blame(name, &spec->origin, hv_err_prefix(err, "%s: ", name), err);
}

int hv_serve_make(struct hv_serve *serve, struct hv_served *dev, const char *name,
		  const struct hv_spec_device *spec, struct hv_err *err)
{
	static const struct {
		const char *type;
		int (*make)(struct hv_serve *serve, struct hv_served *dev, const char *name,
			    const struct hv_spec_device *spec, struct hv_err *err);
	} types[] = {
		{ "blk", make_blk }, { "net", make_net },   { "console", make_console },
		{ "rng", make_rng }, { "scmi", make_scmi }, { "input", make_input },
		{ "gpu", make_gpu }, { "custom", make_custom },
	};
	char where[HV_ORIGIN_TEXT];

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].type, spec->type))
			return name_nomem(name, spec, types[i].make(serve, dev, name, spec, err),
					  err);
	hv_origin_format(&dev->dev.origin, where);
	return hv_err_set(err, ENOTSUP,
			  *where ? "%s (%s): this hvsh serves no %s"
				 : "%s%s: this hvsh serves no %s",
			  name, where, spec->type);
}
