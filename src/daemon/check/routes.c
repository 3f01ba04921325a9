#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "daemon/check/checkup.h"
#include "route/layout.h"

/* run/routes: what nginx's workers believe about Spaces. Only looked at: the hub writes it. */

static void unmap(const struct route_table *table)
{
	if (table)
		munmap((void *)table, sizeof(*table));
}
DEFINE_OWNED(const struct route_table *, unmap);

struct entry {
	struct checkup *checkup;
	const struct route_entry *entry;
	char slug[ROUTE_SLUG_ROOM];
};

/* The slug of an entry that is in use. */
static bool read_slug(struct entry *entry)
{
	uint32_t state = atomic_load(&entry->entry->state);

	if (state == ROUTE_EMPTY || state == ROUTE_GONE)
		return false;
	for (size_t i = 0; i < ROUTE_SLUG_WORDS; i++) {
		uint64_t word = atomic_load(&entry->entry->slug[i]);

		memcpy(entry->slug + i * sizeof(word), &word, sizeof(word));
	}
	entry->slug[ROUTE_SLUG_ROOM - 1] = '\0';
	return true;
}

static bool is_half_written(void *arg)
{
	const struct entry *entry = arg;

	return atomic_load(&entry->entry->sequence) & 1;
}

static bool is_nobodys(void *arg)
{
	struct entry *entry = arg;
	owned(store_read_end) struct store_read *read = NULL;
	struct err err = ERR_INIT; /* a question that fails blames nobody */

	if (!read_slug(entry) || store_read_begin(entry->checkup->store, &read, &err) < 0)
		return false;

	owned(store_query_end) struct store_query *query =
		store_query(store_read_db(read), "SELECT 1 FROM spaces WHERE slug = ?");

	store_bind_text(query, entry->slug);
	return store_step(query, &err) == 0;
}

static void look_at(struct entry *entry)
{
	owned(free) char *thing = NULL;

	if (!read_slug(entry))
		return;
	thing = mem_format("route of %s", entry->slug);
	if (is_half_written(entry) && checkup_settles(entry->checkup, is_half_written, entry))
		checkup_warning(entry->checkup, thing, "the next start of the hub mends it",
				"it is half written");
	else if (is_nobodys(entry) && checkup_settles(entry->checkup, is_nobodys, entry))
		checkup_warning(entry->checkup, thing, "the next `espaced stop` forgets it",
				"its Space is gone");
}

int checkup_routes(struct checkup *checkup, struct err *err)
{
	owned(close) int fd = openat(checkup->dir->fd, "run/routes", O_RDONLY | O_CLOEXEC);
	owned(unmap) const struct route_table *table = NULL;
	uint32_t magic = 0;
	struct stat st;

	if (!checkup->store || (fd < 0 && errno == ENOENT))
		return 0; /* nothing of this directory is up */
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open run/routes");
	if (pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic != ROUTE_MAGIC) {
		checkup_warning(checkup, "run/routes", "restart the hub",
				"it is of another version");
		return 0;
	}
	if ((size_t)st.st_size < sizeof(*table)) {
		checkup_problem(checkup, "run/routes", "restart the hub", "it is cut");
		return 0;
	}
	table = mmap(NULL, sizeof(*table), PROT_READ, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED) {
		table = NULL;
		return err_sys(err, "map run/routes");
	}
	for (size_t i = 0; i < ROUTE_ENTRIES; i++)
		look_at(&(struct entry){.checkup = checkup, .entry = &table->entries[i]});
	return 0;
}
