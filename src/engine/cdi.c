#include "engine/cdi.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

struct cdi {
	json_t *specs[CDI_FILES_MAX]; /* in the order of folders, then names */
	size_t count;
};

static const char *kind_of(const json_t *spec)
{
	return json_string_value(json_object_get(spec, "kind"));
}

static const char *name_of(const json_t *device)
{
	return json_string_value(json_object_get(device, "name"));
}

static const json_t *devices_of(const json_t *spec)
{
	return json_object_get(spec, "devices");
}

/* The whole name; false where it is none. */
static bool full_name(const json_t *spec, const json_t *device, char out[static ENGINE_DEVICE_ROOM])
{
	const char *kind = kind_of(spec);
	const char *name = name_of(device);

	if (!kind || !name ||
	    snprintf(out, ENGINE_DEVICE_ROOM, "%s=%s", kind, name) >= ENGINE_DEVICE_ROOM)
		return false;
	return engine_device_is(out);
}

static bool is_object_or_missing(const json_t *value)
{
	return !value || json_is_object(value);
}

static int check_spec(const json_t *spec, struct err *err)
{
	const json_t *devices = devices_of(spec);
	char name[ENGINE_DEVICE_ROOM];
	const json_t *device;
	size_t i;

	if (!json_is_object(spec) || !json_is_array(devices) ||
	    json_array_size(devices) > CDI_DEVICES_MAX)
		return err_set(err, ERR_INVALID, "no list of up to %d devices", CDI_DEVICES_MAX);
	if (!is_object_or_missing(json_object_get(spec, "containerEdits")))
		return err_set(err, ERR_INVALID, "containerEdits is no object");
	json_array_foreach (devices, i, device)
		if (!full_name(spec, device, name) ||
		    !is_object_or_missing(json_object_get(device, "containerEdits")))
			return err_set(err, ERR_INVALID, "device %zu has no proper name or edits",
				       i);
	return 0;
}

static int check_file(int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at it");
	if (!S_ISREG(st.st_mode) || st.st_size > CDI_FILE_MAX)
		return err_set(err, ERR_INVALID, "no file of up to %d bytes", CDI_FILE_MAX);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return err_set(err, ERR_INVALID, "others than root may write it");
	return 0;
}

static int read_spec(int folder, const char *name, json_t **out, struct err *err)
{
	owned(close) int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	owned(str_done) struct str text = str_new(CDI_FILE_MAX + 1);
	owned(free) char *path = mem_format("/proc/self/fd/%d", fd);
	owned(json_decref) json_t *spec = NULL;

	if (fd < 0)
		return err_sys(err, "open it");
	if (check_file(fd, err) < 0 || file_read(AT_FDCWD, path, &text, err) < 0 ||
	    json_parse(text.data, text.length, &spec, err) < 0 || check_spec(spec, err) < 0)
		return -1;
	*out = take(spec);
	return 0;
}

static void add_file(struct cdi *cdi, int folder, const char *name)
{
	const char *end = strrchr(name, '.');
	struct err err = ERR_INIT;

	if (end && (strcmp(end, ".yaml") == 0 || strcmp(end, ".yml") == 0))
		err_set(&err, ERR_INVALID, "it is YAML: make it as JSON");
	else if (!end || strcmp(end, ".json") != 0)
		return;
	else if (cdi->count == CDI_FILES_MAX)
		err_set(&err, ERR_INVALID, "there are more than %d", CDI_FILES_MAX);
	else if (read_spec(folder, name, &cdi->specs[cdi->count], &err) == 0)
		cdi->count++;
	if (err.kind != ERR_NONE)
		log_warn("cdi.file", "file=%.100s error=\"%s\"", name, err.text);
}

static void add_folder(struct cdi *cdi, const char *path)
{
	struct dirent **entries = NULL;
	owned(close) int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int count = folder < 0 ? 0 : scandirat(folder, ".", &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		add_file(cdi, folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

struct cdi *cdi_read(const char *const *folders)
{
	struct cdi *cdi = mem_new(struct cdi);

	for (; folders && *folders; folders++)
		add_folder(cdi, *folders);
	return cdi;
}

void cdi_free(struct cdi *cdi)
{
	if (!cdi)
		return;
	for (size_t i = 0; i < cdi->count; i++)
		json_decref(cdi->specs[i]);
	free(cdi);
}

/* The device of a spec, or NULL. */
static const json_t *find_in(const json_t *spec, const char *name)
{
	char full[ENGINE_DEVICE_ROOM];
	const json_t *device;
	size_t i;

	json_array_foreach (devices_of(spec), i, device)
		if (full_name(spec, device, full) && strcmp(full, name) == 0)
			return device;
	return NULL;
}

int cdi_find(const struct cdi *cdi, const char *name, struct cdi_edits *out, struct err *err)
{
	for (size_t i = cdi->count; i-- > 0;) {
		const json_t *device = find_in(cdi->specs[i], name);

		if (!device)
			continue;
		out->common = json_object_get(cdi->specs[i], "containerEdits");
		out->own = json_object_get(device, "containerEdits");
		return 0;
	}
	return err_set(err, ERR_INVALID, "this machine has no such device");
}

static const json_t *nodes_of(const json_t *device)
{
	return json_object_get(json_object_get(device, "containerEdits"), "deviceNodes");
}

/* Nodes tell cards apart: drivers list each by number and by serial, and all of them once more. */
static bool is_known(const json_t *spec, const json_t *device)
{
	const json_t *other;
	size_t i;

	json_array_foreach (devices_of(spec), i, other) {
		if (other == device)
			return false;
		if (json_equal(nodes_of(other), nodes_of(device)))
			return true;
	}
	return false;
}

static bool is_card(const json_t *spec, const json_t *device)
{
	const char *kind = kind_of(spec);
	size_t length = strlen(kind);

	return length > 4 && strcmp(kind + length - 4, "/gpu") == 0 &&
	       strcmp(name_of(device), "all") != 0 && json_array_size(nodes_of(device)) > 0 &&
	       !is_known(spec, device);
}

size_t cdi_cards(const struct cdi *cdi, char out[static ENGINE_DEVICES_MAX][ENGINE_DEVICE_ROOM])
{
	size_t count = 0;

	for (size_t i = 0; i < cdi->count && count == 0; i++) {
		const json_t *spec = cdi->specs[i];
		const json_t *device;
		size_t j;

		json_array_foreach (devices_of(spec), j, device)
			if (count < ENGINE_DEVICES_MAX && is_card(spec, device) &&
			    full_name(spec, device, out[count]))
				count++;
	}
	return count;
}
