#include "route/route.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/proc.h"
#include "route/lookup.h"

struct route {
	struct route_table *table;
};

static int map_table(int fd, struct route_table **out, struct err *err)
{
	void *mapped =
		mmap(NULL, sizeof(struct route_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (mapped == MAP_FAILED)
		return err_sys(err, "map the route table");
	*out = mapped;
	return 0;
}

/* The table that is there. *out stays NULL where there is none, or one of another layout. */
static int open_table(const char *path, struct route_table **out, struct err *err)
{
	owned(close) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct route_table *table = NULL;
	struct stat status;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &status) < 0)
		return err_sys(err, "open the route table");
	if (status.st_size != (off_t)sizeof(struct route_table))
		return 0;
	if (map_table(fd, &table, err) < 0)
		return -1;
	if (table->magic != ROUTE_MAGIC || table->entry_count != ROUTE_ENTRIES) {
		munmap(table, sizeof(*table));
		return 0;
	}
	*out = table;
	return 0;
}

/* Made under another name first: a worker that opens it must never meet half a table. */
static int make_table(const char *path, unsigned www, struct route_table **out, struct err *err)
{
	owned(free) char *fresh = mem_format("%s.new", path);
	owned(close) int fd =
		open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct route_table *table = NULL;

	if (fd < 0)
		return err_sys(err, "make the route table");
	if (ftruncate(fd, sizeof(struct route_table)) < 0 || fchown(fd, (uid_t)-1, www) < 0 ||
	    fchmod(fd, 0660) < 0)
		return err_sys(err, "prepare the route table");
	if (map_table(fd, &table, err) < 0)
		return -1;
	table->magic = ROUTE_MAGIC;
	table->entry_count = ROUTE_ENTRIES;
	if (rename(fresh, path) < 0) {
		munmap(table, sizeof(*table));
		return err_sys(err, "name the route table");
	}
	*out = table;
	return 0;
}

/* A writer died inside of write_begin() … write_end(): the entry may be half old and half new. */
static void repair(struct route_table *table)
{
	for (size_t i = 0; i < ROUTE_ENTRIES; i++) {
		struct route_entry *entry = &table->entries[i];
		uint32_t sequence = atomic_load(&entry->sequence);

		if (sequence % 2 == 0)
			continue;
		/* One that was still empty may have half a slug: nobody's, to be used again. */
		atomic_store(&entry->state,
			     atomic_load(&entry->state) == ROUTE_EMPTY ? ROUTE_GONE : ROUTE_ASK);
		atomic_store(&entry->sequence, sequence + 1);
	}
}

int route_open(const char *path, unsigned www, struct route **out, struct err *err)
{
	struct route_table *table = NULL;
	struct route *route;

	if (open_table(path, &table, err) < 0)
		return -1;
	if (!table && make_table(path, www, &table, err) < 0)
		return -1;
	repair(table);
	route = mem_new(struct route);
	route->table = table;
	*out = route;
	return 0;
}

void route_close(struct route *route)
{
	if (!route)
		return;
	munmap(route->table, sizeof(*route->table));
	free(route);
}

static void write_begin(struct route_entry *entry)
{
	atomic_fetch_add(&entry->sequence, 1);
}

static void write_end(struct route_entry *entry)
{
	atomic_fetch_add(&entry->sequence, 1);
}

static bool worker_is_alive(uint64_t owner)
{
	uint32_t pid = route_worker_pid(owner);
	uint64_t start_time = owner ? proc_start_time((pid_t)pid) : 0;

	return start_time != 0 && route_worker_id(pid, start_time) == owner;
}

static void keep_latest(uint64_t at_ms, uint64_t *latest_ms)
{
	if (at_ms > *latest_ms)
		*latest_ms = at_ms;
}

static void add_row(const struct route_counters *row, struct route_usage *sum)
{
	sum->opening += atomic_load(&row->opening); /* before opened_ms: see route_opened() */
	for (unsigned side = 0; side < ROUTE_SIDES; side++)
		sum->open += atomic_load(&row->open[side]);
	/* After `open`: one that ends in between counts as a request, and not the reverse. */
	sum->sockets += atomic_load(&row->sockets);
	sum->requests += atomic_load(&row->requests);
	sum->bytes += atomic_load(&row->bytes);
	keep_latest(atomic_load(&row->activity_ms), &sum->activity_ms);
	keep_latest(atomic_load(&row->opened_ms), &sum->opened_ms);
}

static bool row_is_alive(struct route_table *table, unsigned row)
{
	return worker_is_alive(atomic_load(&table->workers[row].owner));
}

static void sum_rows(struct route_table *table, const struct route_entry *entry,
		     struct route_usage *sum)
{
	*sum = (struct route_usage){0};
	for (unsigned i = 0; i < ROUTE_WORKERS; i++) {
		if (row_is_alive(table, i))
			add_row(route_counters_of(table, i, entry), sum);
	}
}

/*
 * A place for a new slug: the first one given up, else the first never used. Where visits of the
 * slug before are still open, the place is left alone, or they would count for the new one.
 */
static struct route_entry *find_place(struct route_table *table, const struct route_key *key)
{
	for (uint32_t i = 0; i < ROUTE_PROBES; i++) {
		struct route_entry *entry = &table->entries[(key->hash + i) % ROUTE_ENTRIES];
		uint32_t state = atomic_load(&entry->state);
		struct route_usage usage;

		if (state == ROUTE_EMPTY)
			return entry;
		if (state != ROUTE_GONE)
			continue;
		sum_rows(table, entry, &usage);
		if (usage.open == 0)
			return entry;
	}
	return NULL;
}

static bool is_at(const struct route_place *place, uint32_t address, uint16_t port)
{
	return atomic_load(&place->address) == address && atomic_load(&place->port) == port;
}

/* Who is counted so far is at the old address; from now on visits count on another side. */
static void move_to(struct route_entry *entry, uint32_t address, uint16_t port)
{
	unsigned side = route_side(entry);

	if (is_at(&entry->places[side], address, port))
		return;
	side = (side + 1) % ROUTE_SIDES;
	atomic_store(&entry->places[side].address, address);
	atomic_store(&entry->places[side].port, port);
	atomic_store(&entry->side, side);
}

int route_set(struct route *route, const char *slug, enum route_state state,
	      enum route_access access, uint32_t address, uint16_t port, struct err *err)
{
	struct route_entry *entry;
	struct route_key key;

	if (!route_key_init(&key, slug, strlen(slug)))
		return err_set(err, ERR_INVALID, "\"%s\" is no host name of a space", slug);
	entry = route_find(route->table, &key);
	if (!entry)
		entry = find_place(route->table, &key);
	if (!entry)
		return err_set(err, ERR_FULL, "the route table has no room for %s", slug);

	write_begin(entry);
	for (size_t i = 0; i < ROUTE_SLUG_WORDS; i++)
		atomic_store(&entry->slug[i], key.words[i]);
	if (state == ROUTE_RUNNING)
		move_to(entry, address, port);
	atomic_store(&entry->access, access);
	atomic_store(&entry->state, state);
	write_end(entry);
	return 0;
}

static struct route_entry *find(struct route *route, const char *slug)
{
	struct route_key key;

	if (!route_key_init(&key, slug, strlen(slug)))
		return NULL;
	return route_find(route->table, &key);
}

void route_remove(struct route *route, const char *slug)
{
	struct route_entry *entry = find(route, slug);

	if (!entry)
		return;
	write_begin(entry);
	atomic_store(&entry->state, ROUTE_GONE);
	write_end(entry);
}

bool route_usage(struct route *route, const char *slug, struct route_usage *out)
{
	struct route_entry *entry = find(route, slug);

	if (!entry || atomic_load(&entry->state) == ROUTE_GONE)
		return false;
	sum_rows(route->table, entry, out);
	return true;
}

static uint64_t sum_side(struct route_table *table, const struct route_entry *entry, unsigned side)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < ROUTE_WORKERS; i++) {
		if (row_is_alive(table, i))
			sum += atomic_load(&route_counters_of(table, i, entry)->open[side]);
	}
	return sum;
}

uint64_t route_open_at(struct route *route, const char *slug, uint32_t address, uint16_t port)
{
	struct route_entry *entry = find(route, slug);
	uint64_t sum = 0;

	for (unsigned side = 0; entry && side < ROUTE_SIDES; side++) {
		if (is_at(&entry->places[side], address, port))
			sum += sum_side(route->table, entry, side);
	}
	return sum;
}
