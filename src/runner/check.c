#include "runner/check.h"

#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

enum {
	ID_LENGTH = 24,
	COMMIT_LENGTH = 40,
	ENV_HEX_MIN = 16,
	ENV_HEX_MAX = 64,
	DIGITS_MAX = 19, /* of an int64_t */
	ARG_MAX_BYTES = 64 * 1024,
	CWD_MAX_BYTES = 1024,
	CPU_MILLI_MIN = 10, /* below it the quota is under the kernel's smallest, 1 ms */
	CPU_MILLI_MAX = 1024 * 1000,
	PIDS_MIN = 4,
	PIDS_MAX = 1000 * 1000,
};

static const uint64_t memory_min_bytes = UINT64_C(16) << 20;
static const uint64_t disk_min_bytes = UINT64_C(16) << 20;
static const uint64_t size_max_bytes = UINT64_C(16) << 40; /* of an ext4 image */

/* How many characters from the start of `text` are in `set`. */
static size_t span_hex(const char *text)
{
	return strspn(text, "0123456789abcdef");
}

static size_t span_digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* "-N" repeated up to `max` times, then the end. */
static bool is_numbers(const char *text, int max)
{
	for (; *text && max > 0; max--) {
		size_t digits;

		if (*text++ != '-')
			return false;
		digits = span_digits(text);
		if (digits == 0 || digits > DIGITS_MAX)
			return false;
		text += digits;
	}
	return *text == '\0';
}

static bool is_env_hex(const char *text, size_t *length)
{
	*length = span_hex(text);
	return *length >= ENV_HEX_MIN && *length <= ENV_HEX_MAX;
}

static bool is_env(const char *name)
{
	size_t length;

	return str_starts(name, "env-") && is_env_hex(name + 4, &length) && !name[4 + length];
}

static bool is_app_layer(const char *name)
{
	return str_starts(name, "app-") && span_hex(name + 4) == ID_LENGTH &&
	       name[4 + ID_LENGTH] == '-' && hex_is(name + 5 + ID_LENGTH, COMMIT_LENGTH);
}

static bool is_log(const char *name)
{
	size_t start = str_starts(name, "run-") ? 4 : str_starts(name, "build-") ? 6 : 0;
	size_t digits = start ? span_digits(name + start) : 0;

	return digits > 0 && digits <= DIGITS_MAX && strcmp(name + start + digits, ".log") == 0;
}

static bool is_app_key(const char *key)
{
	return span_hex(key) == ID_LENGTH && key[ID_LENGTH] == '-' &&
	       is_numbers(key + ID_LENGTH, 2);
}

static bool is_build_key(const char *key)
{
	size_t length;

	return str_starts(key, "env-") && is_env_hex(key + 4, &length) &&
	       is_numbers(key + 4 + length, 1);
}

int check_space(const char *space, struct err *err)
{
	if (hex_is(space, ID_LENGTH))
		return 0;
	return err_set(err, ERR_INVALID, "the id of the space is malformed");
}

int check_key(const char *key, struct err *err)
{
	if (strlen(key) < ENGINE_KEY_ROOM && (is_app_key(key) || is_build_key(key)))
		return 0;
	return err_set(err, ERR_INVALID, "the key of a run is malformed");
}

/* NAME=value with a name that a shell would take. */
static bool is_variable(const char *text)
{
	const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t start = strspn(text, letters);
	size_t more = start;

	while (text[more] && (strchr(letters, text[more]) || span_digits(text + more)))
		more++;
	return start > 0 && text[more] == '=';
}

static bool is_inner_path(const char *path)
{
	return path && path[0] == '/' && strlen(path) <= CWD_MAX_BYTES && !strstr(path, "/..");
}

static int check_command(const struct engine_spec *spec, struct err *err)
{
	if (!spec->argv || !spec->argv[0] || spec->argv[0][0] != '/')
		return err_set(err, ERR_INVALID, "argv does not start with a path");
	for (size_t i = 0; spec->argv[i]; i++)
		if (strlen(spec->argv[i]) > ARG_MAX_BYTES)
			return err_set(err, ERR_INVALID, "argument %zu is too long", i);
	for (size_t i = 0; spec->env && spec->env[i]; i++)
		if (!is_variable(spec->env[i]) || strlen(spec->env[i]) > ARG_MAX_BYTES)
			return err_set(err, ERR_INVALID, "environment variable %zu is malformed",
				       i);
	if (!is_inner_path(spec->cwd))
		return err_set(err, ERR_INVALID, "the working directory is malformed");
	return 0;
}

static int check_limits(const struct engine_limits *limits, struct err *err)
{
	if (limits->cpu_milli < CPU_MILLI_MIN || limits->cpu_milli > CPU_MILLI_MAX)
		return err_set(err, ERR_INVALID, "the processor limit is out of range");
	if (limits->memory_bytes < memory_min_bytes || limits->memory_bytes > size_max_bytes)
		return err_set(err, ERR_INVALID, "the memory limit is out of range");
	if (limits->pids < PIDS_MIN || limits->pids > PIDS_MAX)
		return err_set(err, ERR_INVALID, "the process limit is out of range");
	if (limits->disk_bytes < disk_min_bytes || limits->disk_bytes > size_max_bytes)
		return err_set(err, ERR_INVALID, "the disk limit is out of range");
	return 0;
}

static int check_layers(const struct engine_spec *spec, struct err *err)
{
	if (spec->layer_count > ENGINE_LAYERS_MAX)
		return err_set(err, ERR_INVALID, "too many layers");
	for (size_t i = 0; i < spec->layer_count; i++)
		if (!is_env(spec->layers[i]) && !is_app_layer(spec->layers[i]))
			return err_set(err, ERR_INVALID, "the name of layer %zu is malformed", i);
	return 0;
}

static size_t variables(const struct engine_spec *spec)
{
	size_t count = 0;

	while (spec->env && spec->env[count])
		count++;
	return count;
}

static int check_app(const struct engine_spec *spec, struct err *err)
{
	if (!is_app_key(spec->key))
		return err_set(err, ERR_INVALID, "the key of an app is malformed");
	if (spec->port == 0)
		return err_set(err, ERR_INVALID, "an app needs a port");
	if (spec->result || spec->cache)
		return err_set(err, ERR_INVALID, "an app makes no layer");
	if (spec->data_bytes > 0 &&
	    (spec->data_bytes < disk_min_bytes || spec->data_bytes > size_max_bytes))
		return err_set(err, ERR_INVALID, "the size of the data disk is out of range");
	for (size_t i = 0; i < spec->device_count; i++)
		if (!engine_device_is(spec->devices[i]))
			return err_set(err, ERR_INVALID, "the name of device %zu is malformed", i);
	if (spec->secrets_from > variables(spec))
		return err_set(err, ERR_INVALID, "the secrets begin behind the environment");
	return 0;
}

static int check_build(const struct engine_spec *spec, struct err *err)
{
	if (!is_build_key(spec->key))
		return err_set(err, ERR_INVALID, "the key of a build is malformed");
	if (!spec->result || !is_env(spec->result))
		return err_set(err, ERR_INVALID, "the name of the result is malformed");
	if (!spec->cache || (strcmp(spec->cache, "shared") != 0 && !hex_is(spec->cache, ID_LENGTH)))
		return err_set(err, ERR_INVALID, "the name of the cache is malformed");
	if (spec->secrets_from > 0 || spec->data_bytes > 0)
		return err_set(err, ERR_INVALID, "a build has no secrets and no data disk");
	if (spec->device_count > 0)
		return err_set(err, ERR_INVALID, "a build has no devices");
	return 0;
}

int check_spec(const struct engine_spec *spec, struct err *err)
{
	if (check_space(spec->space, err) < 0)
		return -1;
	if (!spec->log || !is_log(spec->log))
		return err_set(err, ERR_INVALID, "the name of the log is malformed");
	if (check_layers(spec, err) < 0 || check_command(spec, err) < 0 ||
	    check_limits(&spec->limits, err) < 0)
		return -1;
	return spec->kind == ENGINE_APP ? check_app(spec, err) : check_build(spec, err);
}
