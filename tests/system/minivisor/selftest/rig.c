// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define UART_FLAGS (UART_BASE + 0x18)
#define UART_FULL 0x20
#define ISPENDR 0x200
#define ICPENDR 0x280
#define NOTHING (~0UL)

static const char *prefix = "";
static unsigned int n_results;
static unsigned int layout = LAYOUT_5A;

/* Of their own pages, away from image and guests. */
struct hv_bridge_page *const bridge = (struct hv_bridge_page *)0x5fff0000UL;
static uint8_t *const config_bytes = (uint8_t *)0x5ffe0000UL;
struct wire_zone_info zone_infos[8];

void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);

void *memset(void *to, int byte, size_t size)
{
	uint8_t *p = to;

	while (size--)
		*p++ = (uint8_t)byte;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	const uint8_t *q = from;
	uint8_t *p = to;

	while (size--)
		*p++ = *q++;
	return to;
}

int64_t hvc(uint64_t code, uint64_t arg0, uint64_t arg1)
{
	return (int64_t)conduit_hvc(code, arg0, arg1, 0);
}

/* ---- output */

void print(const char *text)
{
	for (; *text; text++) {
		while (read32(UART_FLAGS) & UART_FULL)
			;
		write32(UART_BASE, (uint8_t)*text);
	}
}

void print_number(int64_t value)
{
	char digits[21];
	char *p = &digits[20];
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	*p = '\0';
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (value < 0)
		print("-");
	print(p);
}

void tap_prefix(const char *text)
{
	prefix = text;
}

void tap(bool is_ok, const char *what)
{
	n_results++;
	print(is_ok ? "ok - " : "not ok - ");
	print(prefix);
	print(": ");
	print(what);
	print("\r\n");
}

unsigned int tap_count(void)
{
	return n_results;
}

void tap_is(int64_t got, int64_t want, const char *what)
{
	tap(got == want, what);
	if (got == want)
		return;
	print("# got ");
	print_number(got);
	print(", want ");
	print_number(want);
	print("\r\n");
}

/* ---- guests */

const struct config_page *config_page(unsigned int index)
{
	return (const struct config_page *)(CONFIGS + index * CONFIG_PAGE);
}

void use_layout(unsigned int index)
{
	layout = index;
	hvc(CALL_SET_LAYOUT, config_page(index)->code, 0);
}

struct start_config *config_of(unsigned int n, uint64_t cpus)
{
	struct start_config *config = (struct start_config *)config_bytes;

	memcpy(config_bytes, config_page(layout)->bytes, config_page(layout)->size);
	config->id = n + 1;
	config->cpus = cpus;
	config->regions[0].phys = GUEST_PHYS(n);
	config->dtb_phys = GUEST_PHYS(n) + TREE_AT;
	if (n) {
		/* One device is one zone's. */
		config->n_regions = 1;
		memset(config->irqs, 0, sizeof(config->irqs));
		config->n_ivcs = 0;
	}
	return config;
}

int64_t start(unsigned int n, const struct start_config *config)
{
	memcpy((void *)GUEST_PHYS(n), (const void *)GUEST_IMAGE, GUEST_IMAGE_SIZE);
	memset(mailbox(n), 0, sizeof(struct mailbox));
	dsb();
	return hvc(CALL_START, (uint64_t)config, config_page(layout)->size);
}

bool start_plain(unsigned int n, uint64_t cpus)
{
	return start(n, config_of(n, cpus)) == 0 && WAIT(mailbox(n)->alive);
}

int64_t stop(unsigned int n)
{
	return hvc(CALL_STOP, n + 1, 0);
}

struct mailbox *mailbox(unsigned int n)
{
	return (struct mailbox *)(GUEST_PHYS(n) + MAILBOX_AT);
}

void post(unsigned int n, uint64_t command, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct mailbox *box = mailbox(n);

	box->command = command;
	box->args[0] = a;
	box->args[1] = b;
	box->args[2] = c;
	box->args[3] = d;
	barrier();
	box->posted = box->posted + 1;
}

bool is_done(unsigned int n)
{
	bool done = mailbox(n)->posted == mailbox(n)->done;

	barrier();
	return done;
}

uint64_t order(unsigned int n, uint64_t command, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	post(n, command, a, b, c, d);
	return WAIT(is_done(n)) ? mailbox(n)->result : NOTHING;
}

int64_t list(void)
{
	memset(zone_infos, 0xff, sizeof(zone_infos));
	return hvc(CALL_LIST, (uint64_t)zone_infos, 8);
}

int is_err(uint32_t id)
{
	int64_t n = list();

	for (int64_t i = 0; i < n; i++)
		if (zone_infos[i].id == id)
			return zone_infos[i].is_err;
	return -1;
}

/* ---- the service */

bool has_request(void)
{
	return __atomic_load_n(&bridge->req_rear, __ATOMIC_ACQUIRE) != bridge->req_front;
}

bool take_request(struct hv_bridge_req *out)
{
	if (!WAIT(has_request()))
		return false;
	*out = bridge->req[bridge->req_front];
	barrier();
	bridge->req_front = (bridge->req_front + 1) % HV_BRIDGE_SLOTS;
	return true;
}

void answer(const struct hv_bridge_req *request, uint64_t value)
{
	bridge->cfg_values[request->src_cpu] = value;
	__atomic_store_n(&bridge->cfg_flags[request->src_cpu],
			 bridge->cfg_flags[request->src_cpu] + 1, __ATOMIC_RELEASE);
}

uint64_t serve_read(unsigned int n, uint64_t offset, uint64_t size, uint64_t value,
		    struct hv_bridge_req *seen)
{
	post(n, CMD_READ, WINDOW_BASE + offset, size, 0, 0);
	if (!take_request(seen))
		return NOTHING;
	answer(seen, value);
	return WAIT(is_done(n)) ? mailbox(n)->result : NOTHING;
}

void push_result(uint32_t zone, uint32_t irq)
{
	bridge->res[bridge->res_rear] = (struct hv_bridge_res){ zone, irq };
	barrier();
	bridge->res_rear = (bridge->res_rear + 1) % HV_BRIDGE_SLOTS;
}

bool is_pending(uint32_t irq)
{
	return read32(GICD_BASE + ISPENDR + irq / 32 * 4) >> irq % 32 & 1;
}

bool take_wakeup(void)
{
	bool came = is_pending(WAKEUP_IRQ);

	write32(GICD_BASE + ICPENDR + WAKEUP_IRQ / 32 * 4, 1U << WAKEUP_IRQ % 32);
	return came;
}

void fault(unsigned int number, uint64_t value, uint64_t ms)
{
	if (hvc(CALL_FAULT + number, value, ms))
		tap(false, "the fault can be set");
}

void clear_faults(void)
{
	hvc(CALL_CLEAR_FAULTS, 0, 0);
}

int64_t counter(unsigned int number)
{
	return hvc(CALL_COUNTER, number, 0);
}
