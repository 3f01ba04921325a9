#include "build/env.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/name.h"
#include "base/str.h"

/* What one logical line of a requirements file is. */
enum line_kind { LINE_PACKAGE, LINE_INCLUDE, LINE_HARMLESS, LINE_OWN, LINE_PATH };

struct reader {
	struct git *git;
	const char *commit;
	struct env *env;
	bool unpinned; /* some package's version is left open */
	bool own;      /* some line rules sharing out */
};

static int read_file(struct reader *reader, const char *path, unsigned depth, struct err *err);

/* Option names that take a file of more requirements or constraints. */
static const char *const include_options[] = {"-r", "--requirement", "-c", "--constraint", NULL};

/* Options that change nothing about where packages come from. */
static const char *const harmless_options[] = {
	"--hash", "--pre", "--prefer-binary", "--only-binary", "--require-hashes", NULL};

static const char *const editable_options[] = {"-e", "--editable", NULL};

/* The option at the start of a line with its value (which may be empty), or NULL. */
static const char *option_value(const char *line, const char *const *names)
{
	for (size_t i = 0; names[i]; i++) {
		size_t length = strlen(names[i]);
		const char *at = line + length;

		if (strncmp(line, names[i], length) != 0)
			continue;
		if (*at == '=' && names[i][1] == '-')
			return at + 1;
		if (*at == '\0' || isspace((unsigned char)*at))
			return at + strspn(at, " \t");
		if (names[i][1] != '-') /* "-rfile" */
			return at;
	}
	return NULL;
}

/* Does a requirement name a file, folder, archive, URL or repository, and no registry's package? */
static bool is_reference(const char *line)
{
	static const char *const archives[] = {".whl", ".zip", ".tar.gz", ".tar.bz2", ".tgz"};
	size_t word = strcspn(line, " \t;[<>=!~");
	const char *marker = strchr(line, ';');
	const char *slash = strpbrk(line, "/@");

	if (*line == '.' || *line == '/' || (slash && (!marker || slash < marker)))
		return true;
	for (size_t i = 0; i < sizeof(archives) / sizeof(*archives); i++) {
		size_t length = strlen(archives[i]);

		if (word > length && strncmp(line + word - length, archives[i], length) == 0)
			return true;
	}
	return false;
}

/* A reference into the repository itself? */
static bool is_local(const char *line)
{
	const char *at = strchr(line, '@');

	if (at && at > line && at[-1] == ' ')
		line = at + 1 + strspn(at + 1, " \t");
	return !strstr(line, "://") || strncmp(line, "file:", 5) == 0;
}

static enum line_kind kind_of(const char *line, const char **value)
{
	if ((*value = option_value(line, include_options)))
		return LINE_INCLUDE;
	if ((*value = option_value(line, editable_options)))
		return is_local(*value) ? LINE_PATH : LINE_OWN;
	if (option_value(line, harmless_options))
		return LINE_HARMLESS;
	if (*line == '-')
		return LINE_OWN; /* another index, sources preferred to wheels, … */
	if (is_reference(line))
		return is_local(line) ? LINE_PATH : LINE_OWN;
	return LINE_PACKAGE;
}

/* "name==1.2", "name===x"; not "name==1.*" nor "name>=1". */
static bool is_pinned(const char *line)
{
	size_t length = strcspn(line, ";#");
	const char *equals = memmem(line, length, "==", 2);

	return equals && (equals == line || !strchr("<>!~", equals[-1])) &&
	       !memchr(equals, '*', length - (size_t)(equals - line));
}

/* Resolve `value` against the folder of `from`. Errors: ERR_INVALID for what leads outside. */
static int include_path(const char *from, const char *value, char out[static NAME_PATH_MAX + 1],
			struct err *err)
{
	const char *slash = strrchr(from, '/');
	size_t length = slash ? (size_t)(slash - from) : 0;
	size_t end = strcspn(value, " \t");

	memcpy(out, from, length);
	out[length] = '\0';
	for (const char *stop = value + end; value < stop;) {
		size_t part = strcspn(value, "/ \t");

		if (part == 2 && strncmp(value, "..", 2) == 0) {
			char *last = strrchr(out, '/');

			if (length == 0)
				return err_set(err, ERR_INVALID,
					       "%s includes a file outside of the repository",
					       from);
			length = last ? (size_t)(last - out) : 0;
		} else if (part > 0 && !(part == 1 && *value == '.')) {
			if (length + part + 1 > NAME_PATH_MAX)
				return err_set(err, ERR_INVALID, "%s: a path is too long", from);
			if (length > 0)
				out[length++] = '/';
			memcpy(out + length, value, part);
			length += part;
		}
		out[length] = '\0';
		value += part + (value[part] == '/');
	}
	return 0;
}

static int read_include(struct reader *reader, const char *from, const char *value, unsigned depth,
			struct err *err)
{
	char path[NAME_PATH_MAX + 1];

	if (*value == '/' || strstr(value, "://"))
		return err_set(err, ERR_INVALID, "%s includes a file outside of the repository",
			       from);
	if (include_path(from, value, path, err) < 0)
		return -1;
	if (!name_path_is_valid(path))
		return err_set(err, ERR_INVALID, "%s includes %.80s, which is no path", from,
			       value);
	return read_file(reader, path, depth + 1, err);
}

static int read_line(struct reader *reader, const char *path, const char *line, unsigned depth,
		     struct err *err)
{
	const char *value;

	switch (kind_of(line, &value)) {
	case LINE_INCLUDE:
		return read_include(reader, path, value, depth, err);
	case LINE_PATH:
		reader->env->needs_tree = true;
		reader->own = true;
		return 0;
	case LINE_OWN:
		reader->own = true;
		return 0;
	case LINE_PACKAGE:
		if (!is_pinned(line))
			reader->unpinned = true;
		return 0;
	case LINE_HARMLESS:
		return 0;
	}
	return 0;
}

/* Take the next logical line: comment gone, continued lines joined, space around it cut. */
static void next_line(const char **at, struct str *out)
{
	bool more = true;

	str_clear(out);
	while (more && **at) {
		const char *start = *at;
		size_t length = strcspn(start, "\n");
		size_t text = length;

		*at = start + length + (start[length] == '\n');
		while (text > 0 && isspace((unsigned char)start[text - 1]))
			text--;
		more = text > 0 && start[text - 1] == '\\';
		if (more)
			text--;
		for (size_t i = 0; i < text; i++)
			if (start[i] == '#' && (i == 0 || isspace((unsigned char)start[i - 1]))) {
				text = i;
				more = false;
			}
		str_add_n(out, start, text);
	}
	while (out->length > 0 && isspace((unsigned char)out->data[out->length - 1]))
		out->data[--out->length] = '\0';
}

static int read_lines(struct reader *reader, const struct env_file *file, unsigned depth,
		      struct err *err)
{
	owned(str_done) struct str line = str_new(ENV_FILE_BYTES_MAX);
	/* Included files are appended to the array that `file` lies in, which never moves. */
	const char *at = file->text;

	while (*at) {
		const char *start;

		next_line(&at, &line);
		if (str_check(&line, "line", err) < 0)
			return err_in(err, "%s", file->path);
		start = line.data + strspn(line.data, " \t\r\v\f");
		if (*start && read_line(reader, file->path, start, depth, err) < 0)
			return -1;
	}
	return 0;
}

/* Load a file of the commit; *out stays NULL where it is missing. */
static int load(struct reader *reader, const char *path, struct env_file *out, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	struct git_entry entry;
	const char *bytes;
	size_t length;

	if (git_entry(reader->git, reader->commit, path, &entry, err) < 0) {
		if (err->kind != ERR_NO_ENTRY)
			return -1;
		*err = ERR_INIT;
		return 0;
	}
	if (entry.is_dir)
		return 0;
	if (entry.size > ENV_FILE_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "%s is larger than %d KiB", path,
			       ENV_FILE_BYTES_MAX / 1024);
	if (git_blob_open(reader->git, entry.oid, &blob, err) < 0)
		return err_in(err, "%s", path);
	bytes = git_blob_bytes(blob, &length);
	if (memchr(bytes, '\0', length))
		return err_set(err, ERR_INVALID, "%s is no text file", path);
	*out = (struct env_file){mem_text(path), mem_text_n(bytes, length), length};
	return 0;
}

static bool is_read(const struct env *env, const char *path)
{
	for (size_t i = 0; i < env->file_count; i++)
		if (strcmp(env->files[i].path, path) == 0)
			return true;
	return false;
}

/* Read a file that must be there, and what it includes; each file once, so that cycles end. */
static int read_file(struct reader *reader, const char *path, unsigned depth, struct err *err)
{
	struct env *env = reader->env;
	struct env_file *file;

	if (is_read(env, path))
		return 0;
	if (depth > ENV_DEPTH_MAX || env->file_count == ENV_FILES_MAX)
		return err_set(err, ERR_INVALID, "requirements.txt includes too many files");
	file = &env->files[env->file_count];
	if (load(reader, path, file, err) < 0)
		return -1;
	if (!file->text)
		return err_set(err, ERR_INVALID, "requirements include %s, which does not exist",
			       path);
	env->file_count++;
	return read_lines(reader, file, depth, err);
}

/* The same for a file that may be missing. */
static int read_optional(struct reader *reader, const char *path, bool *found, struct err *err)
{
	struct git_entry entry;

	if (git_entry(reader->git, reader->commit, path, &entry, err) < 0) {
		if (err->kind != ERR_NO_ENTRY)
			return -1;
		*err = ERR_INIT;
		return 0;
	}
	*found = !entry.is_dir;
	return entry.is_dir ? 0 : read_file(reader, path, 0, err);
}

/* Debian packages need root in the build and another kind of layer. */
static int check_packages(struct reader *reader, struct err *err)
{
	struct env_file file = {0};
	owned(str_done) struct str line = str_new(ENV_FILE_BYTES_MAX);
	bool asks = false;

	if (load(reader, "packages.txt", &file, err) < 0)
		return -1;
	for (const char *at = file.text ? file.text : ""; *at && !asks;) {
		next_line(&at, &line);
		asks = line.length > 0;
	}
	free(file.path);
	free(file.text);
	if (asks)
		return err_set(err, ERR_INVALID, "packages.txt is not supported yet");
	return 0;
}

/* A version that may stand in a requirement line: PEP 440's characters and nothing else. */
static int check_version(const char *version, struct err *err)
{
	for (const char *at = version; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr(".+-_!", *at))
			return err_set(err, ERR_INVALID,
				       "README.md: sdk_version \"%.40s\" is no version", version);
	return 0;
}

static char *sdk_line(const struct env_wish *wish)
{
	bool oauth = wish->hf_oauth && strcmp(wish->sdk, "gradio") == 0;

	return mem_format("%s%s%s%s", wish->sdk, oauth ? "[oauth]" : "",
			  *wish->sdk_version ? "==" : "", wish->sdk_version);
}

static void add_number(struct hash *hash, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	hash_add_field(hash, text);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* Everything that both names depend on. */
static struct hash *hash_common(const struct reader *reader, const struct env_base *base,
				const struct env_wish *wish)
{
	const struct env *env = reader->env;
	struct hash *hash = hash_new();

	hash_add_field(hash, "espace environment 1");
	hash_add_field(hash, base->base);
	hash_add_field(hash, base->python_version);
	hash_add_field(hash, base->uv_version);
	hash_add_field(hash, or_empty(base->default_index));
	hash_add_field(hash, or_empty(base->index));
	hash_add_field(hash, env->sdk_line);
	for (size_t i = 0; i < env->file_count; i++) {
		hash_add_field(hash, env->files[i].path);
		hash_add_field(hash, env->files[i].text);
	}
	add_number(hash, reader->unpinned ? wish->now_s / ENV_WEEK_S : -1);
	if (wish->factory > 0) {
		hash_add_field(hash, wish->hex);
		add_number(hash, wish->factory);
	}
	return hash;
}

static void name_layer(const struct reader *reader, const struct env_base *base,
		       const struct env_wish *wish, bool own, char out[static ENV_NAME_ROOM])
{
	owned(hash_free) struct hash *hash = hash_common(reader, base, wish);
	char hex[HASH_HEX];

	hash_add_field(hash, own ? wish->owner : "");
	hash_add_field(hash, reader->env->needs_tree ? wish->commit : "");
	hash_end(hash, hex);
	snprintf(out, ENV_NAME_ROOM, "env-%.40s", hex);
}

int env_read(struct git *git, const struct env_base *base, const struct env_wish *wish,
	     struct env *out, struct err *err)
{
	owned(env_done) struct env env = ENV_INIT;
	struct reader reader = {.git = git, .commit = wish->commit, .env = &env};

	reader.unpinned = *wish->sdk_version == '\0';
	if (check_version(wish->sdk_version, err) < 0 || check_packages(&reader, err) < 0 ||
	    read_optional(&reader, "pre-requirements.txt", &env.has_pre_requirements, err) < 0 ||
	    read_optional(&reader, "requirements.txt", &env.has_requirements, err) < 0)
		return -1;
	env.sdk_line = sdk_line(wish);
	if (!reader.own)
		name_layer(&reader, base, wish, false, env.shared);
	name_layer(&reader, base, wish, true, env.own);
	*out = env;
	env = ENV_INIT;
	return 0;
}

void env_done(struct env *env)
{
	for (size_t i = 0; i < env->file_count; i++) {
		free(env->files[i].path);
		free(env->files[i].text);
	}
	free(env->sdk_line);
	*env = ENV_INIT;
}
