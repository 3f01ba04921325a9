#include "runner/devices.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/str.h"
#include "engine/cdi.h"

/* A text of a spec, within its limit; NULL where there is none. */
static const char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) && json_string_length(value) <= DEVICES_TEXT_MAX
		       ? json_string_value(value)
		       : NULL;
}

static bool is_path(const char *path)
{
	return path && path[0] == '/' && !strstr(path, "/../") && !str_ends(path, "/..");
}

/* The path is for the operator: whoever's Space it is reads the error. */
static int refuse(const char *what, const char *path, struct err *err)
{
	log_warn("runner.device", "what=%s path=%.200s error=\"that can't be\"", what,
		 path ? path : "");
	return err_set(err, ERR_INVALID, "it asks for a %s that can't be", what);
}

static json_t *list_at(json_t *config, const char *key)
{
	json_t *list = json_object_get(config, key);

	if (!list) {
		list = json_array();
		json_object_set_new(config, key, list);
	}
	return list;
}

/* --- one for each kind of edit --- */

static int add_env(json_t *config, const json_t *entry, struct err *err)
{
	json_t *env = list_at(json_object_get(config, "process"), "env");
	const char *text = json_string_value(entry);
	const char *end = text ? strchr(text, '=') : NULL;
	const json_t *other;
	size_t i;

	if (!end || end == text || json_string_length(entry) > DEVICES_TEXT_MAX)
		return err_set(err, ERR_INVALID, "it has a malformed environment variable");
	json_array_foreach (env, i, other) {
		const char *old = json_string_value(other);

		if (strncmp(old, text, (size_t)(end - text) + 1) == 0)
			return json_array_set(env, i, (json_t *)entry);
	}
	return json_array_append(env, (json_t *)entry);
}

/* runc mounts in this order, and so after /dev. Never nodev: the node would be dead. */
static void bind_node(json_t *config, const char *from, const char *to)
{
	json_array_append_new(list_at(config, "mounts"),
			      json_pack("{ss, ss, ss, s[sss]}", "destination", to, "type", "bind",
					"source", from, "options", "bind", "nosuid", "noexec"));
}

static int add_node(json_t *config, const json_t *entry, struct err *err)
{
	json_t *resources = json_object_get(json_object_get(config, "linux"), "resources");
	const char *path = text_of(entry, "path");
	const char *host = text_of(entry, "hostPath");
	const char *access = text_of(entry, "permissions");
	struct stat st;

	if (!host)
		host = path;
	if (!access)
		access = "rw";
	if (!is_path(path) || !is_path(host) || strspn(access, "rwm") != strlen(access))
		return refuse("node", path, err);
	if (stat(host, &st) < 0 || !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return refuse("node", host, err);
	if ((st.st_mode & (S_IROTH | S_IWOTH)) != (S_IROTH | S_IWOTH))
		log_warn("runner.device", "node=%s mode=%o error=\"an app may not open it\"", host,
			 st.st_mode & 0777);
	bind_node(config, host, path);
	return json_array_append_new(list_at(resources, "devices"),
				     json_pack("{sb, ss, sI, sI, ss}", "allow", 1, "type",
					       S_ISCHR(st.st_mode) ? "c" : "b", "major",
					       (json_int_t)major(st.st_rdev), "minor",
					       (json_int_t)minor(st.st_rdev), "access", access));
}

static bool is_texts(const json_t *list)
{
	const json_t *one;
	size_t i;

	if (list && (!json_is_array(list) || json_array_size(list) > DEVICES_ENTRIES_MAX))
		return false;
	json_array_foreach (list, i, one)
		if (!json_is_string(one) || json_string_length(one) > DEVICES_TEXT_MAX)
			return false;
	return true;
}

static int add_mount(json_t *config, const json_t *entry, struct err *err)
{
	const char *from = text_of(entry, "hostPath");
	const char *to = text_of(entry, "containerPath");
	const json_t *wanted = json_object_get(entry, "options");
	json_t *options;

	if (!is_path(from) || !is_path(to) || !is_texts(wanted))
		return refuse("mount", to, err);
	options = json_pack("[sss]", "bind", "nosuid", "nodev");
	json_array_extend(options, (json_t *)wanted);
	return json_array_append_new(list_at(config, "mounts"),
				     json_pack("{ss, ss, ss, so}", "destination", to, "type",
					       "bind", "source", from, "options", options));
}

static int add_hook(json_t *config, const json_t *entry, struct err *err)
{
	static const char *const names[] = {"prestart",       "createRuntime", "createContainer",
					    "startContainer", "poststart",     "poststop"};
	static const char *const fields[] = {"path", "args", "env", "timeout"};
	const char *name = text_of(entry, "hookName");
	json_t *hook = json_object();
	json_t *hooks = json_object_get(config, "hooks");
	bool known = false;

	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		known |= strcmp(names[i], name) == 0;
	if (!known || !is_path(text_of(entry, "path")) ||
	    !is_texts(json_object_get(entry, "args")) || !is_texts(json_object_get(entry, "env"))) {
		json_decref(hook);
		return refuse("hook", text_of(entry, "path"), err);
	}
	if (!hooks) {
		hooks = json_object();
		json_object_set_new(config, "hooks", hooks);
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (json_object_get(entry, fields[i]))
			json_object_set(hook, fields[i], json_object_get(entry, fields[i]));
	return json_array_append_new(list_at(hooks, name), hook);
}

static int add_group(json_t *config, const json_t *entry, struct err *err)
{
	json_t *user = json_object_get(json_object_get(config, "process"), "user");
	json_int_t group = json_is_integer(entry) ? json_integer_value(entry) : -1;

	if (group < 0 || group > UINT16_MAX)
		return err_set(err, ERR_INVALID, "it asks for a group that can't be");
	return json_array_append(list_at(user, "additionalGids"), (json_t *)entry);
}

static const struct edit {
	const char *name;
	int (*add)(json_t *config, const json_t *entry, struct err *err);
} edits[] = {
	{"env", add_env},    {"deviceNodes", add_node},     {"mounts", add_mount},
	{"hooks", add_hook}, {"additionalGids", add_group},
};

static int add_all(json_t *config, const struct edit *edit, const json_t *list, struct err *err)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > DEVICES_ENTRIES_MAX)
		return err_set(err, ERR_INVALID, "its %s are no list of up to %d entries",
			       edit->name, DEVICES_ENTRIES_MAX);
	json_array_foreach (list, i, entry)
		if (edit->add(config, entry, err) < 0)
			return -1;
	return 0;
}

/* What we don't know may be what keeps others' data apart: it is not left out. */
static int apply(json_t *config, const json_t *given, struct err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)given, key, value) {
		const struct edit *edit = NULL;

		for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
			if (strcmp(edits[i].name, key) == 0)
				edit = &edits[i];
		if (!edit)
			return err_set(err, ERR_INVALID,
				       "it asks for %.40s, which is not supported", key);
		if (add_all(config, edit, value, err) < 0)
			return -1;
	}
	return 0;
}

int devices_add(const char *const *folders, const struct engine_spec *spec, json_t *config,
		bool *hooks, struct err *err)
{
	owned(cdi_free) struct cdi *cdi = NULL;
	const json_t *last = NULL; /* what several devices of a file have in common, once */

	*hooks = false;
	if (spec->device_count == 0)
		return 0;
	cdi = cdi_read(folders);
	for (size_t i = 0; i < spec->device_count; i++) {
		struct cdi_edits found = {0};

		if (cdi_find(cdi, spec->devices[i], &found, err) < 0 ||
		    (found.common != last && apply(config, found.common, err) < 0) ||
		    apply(config, found.own, err) < 0)
			return err_in(err, "%s", spec->devices[i]);
		last = found.common;
	}
	*hooks = json_object_get(config, "hooks") != NULL;
	return 0;
}
