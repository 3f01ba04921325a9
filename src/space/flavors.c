#include "space/flavors.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"

enum { YAML_MAX = 64 * 1024, DISK_GB = 50 };

/* What the Hub's documentation of Spaces says about each; vram is of all cards together. */
static const struct flavor {
	const char *name;
	const char *title;
	unsigned cpus;
	unsigned memory_gb;
	const char *model; /* of Nvidia cards, or NULL */
	unsigned quantity;
	unsigned vram_gb;
} known[] = {
	{"cpu-basic", "CPU basic", 2, 16, NULL, 0, 0},
	{"cpu-upgrade", "CPU upgrade", 8, 32, NULL, 0, 0},
	{"cpu-performance", "CPU performance", 32, 256, NULL, 0, 0},
	{"cpu-xl", "CPU XL", 16, 124, NULL, 0, 0},
	{"zero-a10g", "ZeroGPU", 4, 15, "A10G", 1, 24},
	{"t4-small", "Nvidia T4 small", 4, 15, "T4", 1, 16},
	{"t4-medium", "Nvidia T4 medium", 8, 30, "T4", 1, 16},
	{"l4x1", "1x Nvidia L4", 8, 30, "L4", 1, 24},
	{"l4x4", "4x Nvidia L4", 48, 186, "L4", 4, 96},
	{"l40sx1", "1x Nvidia L40S", 8, 62, "L40S", 1, 48},
	{"l40sx4", "4x Nvidia L40S", 48, 382, "L40S", 4, 192},
	{"l40sx8", "8x Nvidia L40S", 192, 1534, "L40S", 8, 384},
	{"a10g-small", "Nvidia A10G small", 4, 15, "A10G", 1, 24},
	{"a10g-large", "Nvidia A10G large", 12, 46, "A10G", 1, 24},
	{"a10g-largex2", "2x Nvidia A10G large", 24, 92, "A10G", 2, 48},
	{"a10g-largex4", "4x Nvidia A10G large", 48, 184, "A10G", 4, 96},
	{"a100-large", "Nvidia A100 large", 12, 142, "A100", 1, 80},
	{"a100x4", "4x Nvidia A100", 48, 568, "A100", 4, 320},
	{"a100x8", "8x Nvidia A100", 96, 1136, "A100", 8, 640},
	{"h200", "Nvidia H200", 23, 256, "H200", 1, 141},
	{"h200x2", "2x Nvidia H200", 46, 512, "H200", 2, 282},
	{"h200x4", "4x Nvidia H200", 92, 1024, "H200", 4, 564},
	{"h200x8", "8x Nvidia H200", 184, 2048, "H200", 8, 1128},
	{"rtx-pro-6000", "Nvidia RTX PRO 6000", 22, 256, "RTX PRO 6000", 1, 96},
	{"rtx-pro-6000x2", "2x Nvidia RTX PRO 6000", 44, 512, "RTX PRO 6000", 2, 192},
	{"rtx-pro-6000x4", "4x Nvidia RTX PRO 6000", 88, 1024, "RTX PRO 6000", 4, 384},
	{"rtx-pro-6000x8", "8x Nvidia RTX PRO 6000", 176, 2048, "RTX PRO 6000", 8, 768},
};

static const char head[] =
	"# What Spaces can ask for, read when espaced starts; made from what this machine has.\n"
	"#\n"
	"# name         what clients ask for\n"
	"# title        what people read\n"
	"# cpu          processors, at most; 0.5 is half of one\n"
	"# memory       GiB, at most\n"
	"# disk         GiB of files that a run may write until its end; 50 unless said\n"
	"# pids         processes and threads, at most; 512 unless said\n"
	"# price        US dollars for an hour; 0 unless said\n"
	"# accelerator  its type, model, manufacturer, quantity, and vram in GiB of all together\n"
	"# simulated    true: the accelerator is shown, and not there\n"
	"# count        how many Spaces may run on it at once, others wait; any number unless "
	"said\n"
	"# cards        devices of CDI, as [vendor.com/gpu=0, vendor.com/gpu=1]: each run has as "
	"many\n"
	"#              of them for itself as the accelerator's quantity says, others wait\n"
	"#\n"
	"# cpu-basic must stay: every Space begins with it.\n"
	"\n";

static const char mapped[] = "# The cards of this machine stand for those of each name: correct "
			     "model and vram to what they\n"
			     "# are, and take away what you don't want to offer.\n"
			     "\n";

static unsigned least(unsigned a, uint64_t b)
{
	if (b == 0)
		b = 1;
	return a < b ? a : (unsigned)b;
}

/* What there is of a machine. */
struct supply {
	unsigned cpus;
	uint64_t memory_gb;
	const char *const *cards;
	size_t card_count;
};

static void add_cards(struct str *yaml, const struct supply *supply)
{
	str_add(yaml, "  cards: [");
	for (size_t i = 0; i < supply->card_count; i++)
		str_addf(yaml, "%s%s", i ? ", " : "", supply->cards[i]);
	str_add(yaml, "]\n");
}

static void add(struct str *yaml, const struct flavor *flavor, const struct supply *supply)
{
	bool real =
		flavor->model && supply->card_count > 0 && flavor->quantity <= supply->card_count;
	size_t vendor = real ? strcspn(supply->cards[0], "=") : 0;

	str_addf(yaml, "- name: %s\n  title: %s", flavor->name, flavor->title);
	if (real)
		str_addf(yaml, " (on %.*s)", (int)vendor, supply->cards[0]);
	else if (flavor->model)
		str_add(yaml, " (simulated)");
	str_addf(yaml, "\n  cpu: %u\n  memory: %u\n  disk: %d\n", least(flavor->cpus, supply->cpus),
		 least(flavor->memory_gb, supply->memory_gb), DISK_GB);
	if (!flavor->model)
		return;
	str_addf(yaml,
		 "  accelerator: {type: gpu, model: %s, manufacturer: Nvidia, quantity: %u, "
		 "vram: %u}\n",
		 flavor->model, flavor->quantity, flavor->vram_gb);
	if (real)
		add_cards(yaml, supply);
	else
		str_add(yaml, "  simulated: true\n");
}

char *flavors_yaml(unsigned cpus, uint64_t memory_bytes, const char *const *cards)
{
	struct supply supply = {.cpus = cpus, .memory_gb = memory_bytes >> 30, .cards = cards};
	struct str yaml = str_new(YAML_MAX);

	while (cards && cards[supply.card_count])
		supply.card_count++;
	str_add(&yaml, head);
	if (supply.card_count > 0)
		str_add(&yaml, mapped);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		add(&yaml, &known[i], &supply);
	return str_take(&yaml);
}
