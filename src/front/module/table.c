#include "espace.h"

#include <sys/mman.h>
#include <sys/stat.h>

enum { STAT_ROOM = 1024, STAT_START_TIME = 22, STAT_AFTER_NAME = 3 };

/* Field 22 of /proc/PID/stat (proc(5)); 0 if the process is gone. */
static uint64_t start_time_of(uint32_t pid)
{
	u_char path[sizeof("/proc/4294967295/stat")];
	char text[STAT_ROOM];
	const char *at;
	ssize_t length;
	int fd;

	ngx_snprintf(path, sizeof(path), "/proc/%uD/stat%Z", pid);
	fd = open((const char *)path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';

	at = strrchr(text, ')'); /* the name before it may hold spaces */
	for (int field = STAT_AFTER_NAME - 1; at && field < STAT_START_TIME; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

static bool is_alive(uint64_t owner)
{
	uint32_t pid = route_worker_pid(owner);
	uint64_t start_time = start_time_of(pid);

	return start_time != 0 && route_worker_id(pid, start_time) == owner;
}

static void clear_row(struct route_table *table, unsigned row)
{
	for (size_t i = 0; i < ROUTE_ENTRIES; i++) {
		struct route_counters *counters = &table->counters[row][i];

		atomic_store(&counters->requests, 0);
		for (unsigned side = 0; side < ROUTE_SIDES; side++)
			atomic_store(&counters->open[side], 0);
		atomic_store(&counters->sockets, 0);
		atomic_store(&counters->bytes, 0);
		atomic_store(&counters->activity_ms, 0);
		atomic_store(&counters->opening, 0);
		atomic_store(&counters->opened_ms, 0);
	}
}

/* Take a row that nobody owns, or whose owner has died, and start it from zero. */
static bool claim_row(struct route_table *table, unsigned *row)
{
	uint32_t pid = (uint32_t)ngx_pid;
	uint64_t id = route_worker_id(pid, start_time_of(pid));

	for (unsigned i = 0; i < ROUTE_WORKERS; i++) {
		uint64_t owner = atomic_load(&table->workers[i].owner);

		if (owner != 0 && is_alive(owner))
			continue;
		if (!atomic_compare_exchange_strong(&table->workers[i].owner, &owner, id))
			continue;
		clear_row(table, i);
		*row = i;
		return true;
	}
	return false;
}

static struct route_table *map_table(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct route_table *table = MAP_FAILED;
	struct stat status;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && status.st_size == (off_t)sizeof(*table))
		table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (table == MAP_FAILED)
		return NULL;
	if (table->magic != ROUTE_MAGIC || table->entry_count != ROUTE_ENTRIES) {
		munmap(table, sizeof(*table));
		return NULL;
	}
	return table;
}

/*
 * Mapped at the worker's start, or as soon as there is a table: nginx and the hub start in any
 * order. A worker that finds no free row asks for each request, since an uncounted visit would not
 * keep its Space awake.
 */
struct route_table *espace_table(struct espace_common *common, ngx_log_t *log)
{
	struct route_table *table;

	if (common->table || common->looked_s == ngx_time())
		return common->table;
	common->looked_s = ngx_time();
	table = map_table((const char *)common->routes.data);
	if (!table) {
		ngx_log_error(NGX_LOG_WARN, log, ngx_errno, "espace: no route table yet");
		return NULL;
	}
	if (!claim_row(table, &common->row)) {
		ngx_log_error(NGX_LOG_ERR, log, 0, "espace: no row of counters is free");
		munmap(table, sizeof(*table));
		return NULL;
	}
	common->table = table;
	return table;
}
