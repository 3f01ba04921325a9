#include "daemon/hardware_file.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/cdi.h"
#include "space/flavors.h"

#define FILE_NAME "hardware.yaml"

enum { FILE_MODE = 0644 };

static int read_file(const struct datadir *dir, struct hardware **out, struct err *err)
{
	owned(str_done) struct str text = str_new(HARDWARE_TEXT_MAX);

	if (file_read(dir->fd, FILE_NAME, &text, err) < 0)
		return -1;
	if (hardware_parse(text.data, text.length, out, err) < 0)
		return err_in(err, FILE_NAME);
	return 0;
}

int hardware_file_check(const struct datadir *dir, struct err *err)
{
	owned(hardware_free) struct hardware *hardware = NULL;

	if (read_file(dir, &hardware, err) == 0 || err->kind == ERR_NOT_FOUND)
		return 0;
	return -1;
}

static int write_first(const struct datadir *dir, const char *const *cdi_folders, struct err *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	owned(cdi_free) struct cdi *cdi = cdi_read(cdi_folders);
	char names[ENGINE_DEVICES_MAX][ENGINE_DEVICE_ROOM];
	const char *cards[ENGINE_DEVICES_MAX + 1] = {NULL};
	size_t count = cdi_cards(cdi, names);
	owned(free) char *text = NULL;

	for (size_t i = 0; i < count; i++)
		cards[i] = names[i];
	text = flavors_yaml(cpus > 0 ? (unsigned)cpus : 1, memory, cards);
	log_info("hub.hardware", "cpus=%ld memory=%llu cards=%zu", cpus, (unsigned long long)memory,
		 count);
	return file_write(dir->fd, FILE_NAME, text, strlen(text), FILE_MODE, err);
}

int hardware_file_open(const struct datadir *dir, const char *const *cdi_folders,
		       struct hardware **out, struct err *err)
{
	if (!file_exists(dir->fd, FILE_NAME) && write_first(dir, cdi_folders, err) < 0)
		return -1;
	return read_file(dir, out, err);
}
