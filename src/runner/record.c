#include "runner/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

enum { RECORD_MAX_BYTES = 4096 };

struct record record_of(const struct engine_spec *spec, unsigned slot)
{
	struct record record = {.slot = slot};

	record.run.kind = spec->kind;
	record.run.state = ENGINE_STARTING;
	record.run.port = spec->port;
	memcpy(record.run.key, spec->key, sizeof(record.run.key));
	memcpy(record.run.space, spec->space, sizeof(record.run.space));
	snprintf(record.log, sizeof(record.log), "%s", spec->log);
	snprintf(record.result, sizeof(record.result), "%s", spec->result ? spec->result : "");
	snprintf(record.cache, sizeof(record.cache), "%s", spec->cache ? spec->cache : "");
	record.cpu_milli = spec->limits.cpu_milli;
	record.disk_bytes = spec->limits.disk_bytes;
	record.data_bytes = spec->data_bytes;
	return record;
}

/* The reason is the only free text: it may not start a line of its own. */
static void add_reason(struct str *text, const char *reason)
{
	str_add(text, "reason=");
	for (; *reason; reason++)
		str_add_char(text, (char)((unsigned char)*reason < ' ' ? ' ' : *reason));
	str_add_char(text, '\n');
}

int record_write(const struct datadir *dir, const struct record *record, struct err *err)
{
	const struct engine_run *run = &record->run;
	owned(str_done) struct str text = str_new(RECORD_MAX_BYTES);
	owned(free) char *folder = mem_format("run/bundles/%s", run->key);
	owned(free) char *path = mem_format("%s/run", folder);

	str_addf(&text, "kind=%d\nstate=%d\nspace=%s\nport=%u\nslot=%u\n", run->kind, run->state,
		 run->space, run->port, record->slot);
	str_addf(&text, "log=%s\nresult=%s\ncache=%s\ndisk=%" PRIu64 "\n", record->log,
		 record->result, record->cache, record->disk_bytes);
	str_addf(&text, "data=%" PRIu64 "\n", record->data_bytes);
	str_addf(&text, "pid=%d\npid_start=%" PRIu64 "\n", (int)record->pid, record->pid_start);
	str_addf(&text, "conmon=%d\nconmon_start=%" PRIu64 "\n", (int)record->conmon,
		 record->conmon_start);
	str_addf(&text, "started=%" PRId64 "\nended=%" PRId64 "\nstatus=%d\noom=%d\n",
		 run->started_ms, run->ended_ms, run->exit_status, run->oom);
	str_addf(&text, "paged=%d\ncpu=%" PRIu32 "\n", run->paged, record->cpu_milli);
	add_reason(&text, run->reason);
	str_add(&text, "complete=1\n");
	if (str_check(&text, "record", err) < 0)
		return -1;
	if (mkdirat(dir->fd, folder, 0711) < 0 && errno != EEXIST)
		return err_sys(err, "make the bundle of %s", run->key);
	return file_write(dir->fd, path, text.data, text.length, 0600, err);
}

/* Copy the value of "name=" to `out`; it stays empty where there is none. */
static void get_text(const char *text, const char *name, char *out, size_t room)
{
	size_t name_length = strlen(name);

	out[0] = '\0';
	while (*text) {
		const char *end = strchrnul(text, '\n');

		if (strncmp(text, name, name_length) == 0 && text[name_length] == '=') {
			text += name_length + 1;
			snprintf(out, room, "%.*s", (int)(end - text), text);
			return;
		}
		text = *end ? end + 1 : end;
	}
}

static int64_t get_number(const char *text, const char *name)
{
	char value[32];

	get_text(text, name, value, sizeof(value));
	return strtoll(value, NULL, 10);
}

int record_read(const struct datadir *dir, const char *key, struct record *out, struct err *err)
{
	owned(str_done) struct str text = str_new(RECORD_MAX_BYTES);
	owned(free) char *path = mem_format("run/bundles/%s/run", key);
	struct record record = {0};
	struct engine_run *run = &record.run;

	if (file_read(dir->fd, path, &text, err) < 0)
		return err_in(err, "record of %s", key);
	if (get_number(text.data, "complete") != 1)
		return err_set(err, ERR_INVALID, "the record of %s is cut", key);
	snprintf(run->key, sizeof(run->key), "%s", key);
	run->kind = (enum engine_kind)get_number(text.data, "kind");
	run->state = (enum engine_state)get_number(text.data, "state");
	get_text(text.data, "space", run->space, sizeof(run->space));
	run->port = (uint16_t)get_number(text.data, "port");
	record.slot = (unsigned)get_number(text.data, "slot");
	get_text(text.data, "log", record.log, sizeof(record.log));
	get_text(text.data, "result", record.result, sizeof(record.result));
	get_text(text.data, "cache", record.cache, sizeof(record.cache));
	record.cpu_milli = (uint32_t)get_number(text.data, "cpu");
	record.disk_bytes = (uint64_t)get_number(text.data, "disk");
	record.data_bytes = (uint64_t)get_number(text.data, "data");
	record.pid = (pid_t)get_number(text.data, "pid");
	record.pid_start = (uint64_t)get_number(text.data, "pid_start");
	record.conmon = (pid_t)get_number(text.data, "conmon");
	record.conmon_start = (uint64_t)get_number(text.data, "conmon_start");
	run->started_ms = get_number(text.data, "started");
	run->ended_ms = get_number(text.data, "ended");
	run->exit_status = (int)get_number(text.data, "status");
	run->oom = get_number(text.data, "oom") != 0;
	run->paged = get_number(text.data, "paged") != 0;
	get_text(text.data, "reason", run->reason, sizeof(run->reason));
	if (run->state >= ENGINE_RUNNING && run->started_ms)
		run->address = datadir_address(dir, record.slot);
	*out = record;
	return 0;
}

int record_strip(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *path = datadir_path(dir, "run/bundles/%s", key);
	DIR *folder = opendir(path);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return errno == ENOENT ? 0 : err_sys(err, "open the bundle of %s", key);
	while (result == 0 && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, "run") == 0)
			continue;
		result = file_remove_tree(dirfd(folder), entry->d_name, err);
	}
	closedir(folder);
	return result;
}

int record_remove(const struct datadir *dir, const char *key, struct err *err)
{
	owned(free) char *path = mem_format("run/bundles/%s", key);

	return file_remove_tree(dir->fd, path, err);
}
