#include "api/seed.h"

#include <fcntl.h>
#include <string.h>

#include "api/limits.h"
#include "api/path.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "repo/change.h"

/* Files stay what they are in git: a filter here would make every clone look changed. */
static const char attributes[] = "# Attributes of paths, one rule a line: PATTERN ATTRIBUTE...\n";

/* Letters, digits and a few marks: what licenses and versions are made of, and safe inside YAML. */
static bool is_plain(const char *text, size_t max)
{
	size_t length = strlen(text);

	return length > 0 && length <= max &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-_") ==
		       length;
}

static int check_file(const json_t *file, struct err *err)
{
	const char *encoding = "base64";
	const char *content;
	const char *path;

	if (!json_is_object(file))
		return err_set(err, ERR_INVALID, "files must hold objects");
	if (json_need_text(file, "path", &path, err) < 0 ||
	    json_need_text(file, "content", &content, err) < 0 ||
	    json_get_text(file, "encoding", &encoding, err) < 0 || path_check(path, err) < 0)
		return -1;
	if (strcmp(encoding, "base64") != 0 && strcmp(encoding, "utf-8") != 0)
		return err_set(err, ERR_INVALID, "%s: unknown encoding %.40s", path, encoding);
	return 0;
}

int seed_check(const struct seed *seed, struct err *err)
{
	const json_t *file;
	size_t i;

	if (seed->license && !is_plain(seed->license, LIMITS_LICENSE))
		return err_set(err, ERR_INVALID,
			       "license must be an identifier such as apache-2.0");
	if (seed->sdk_version && !is_plain(seed->sdk_version, LIMITS_LICENSE))
		return err_set(err, ERR_INVALID, "sdkVersion must be a version such as 5.0.0");
	if (json_array_size(seed->files) > LIMITS_INITIAL_FILES)
		return err_set(err, ERR_TOO_LARGE, "at most %d initial files",
			       LIMITS_INITIAL_FILES);
	json_array_foreach (seed->files, i, file)
		if (check_file(file, err) < 0)
			return -1;
	return 0;
}

bool seed_has_files(const struct seed *seed)
{
	return json_array_size(seed->files) > 0 || seed->template;
}

/* Quoted, because a name such as "1e3" or "no" is another type in YAML. */
static char *space_card(const struct seed *seed)
{
	struct str card = str_new(4096);
	bool python = strcmp(seed->sdk, "gradio") == 0 || strcmp(seed->sdk, "streamlit") == 0;

	str_addf(&card, "---\ntitle: \"%s\"\nemoji: 🌱\ncolorFrom: green\ncolorTo: blue\nsdk: %s\n",
		 seed->name, seed->sdk);
	if (seed->sdk_version)
		str_addf(&card, "sdk_version: \"%s\"\n", seed->sdk_version);
	if (python)
		str_add(&card, "app_file: app.py\n");
	if (strcmp(seed->sdk, "docker") == 0)
		str_add(&card, "app_port: 7860\n");
	str_add(&card, "pinned: false\n");
	if (seed->license)
		str_addf(&card, "license: \"%s\"\n", seed->license);
	str_addf(&card, "---\n\n# %s\n", seed->name);
	return str_take(&card);
}

static char *make_card(const struct seed *seed)
{
	if (seed->type == REPO_SPACE)
		return space_card(seed);
	if (seed->license)
		return mem_format("---\nlicense: \"%s\"\n---\n", seed->license);
	return NULL;
}

static int add_content(struct change *change, const char *content, const char *encoding,
		       struct err *err)
{
	struct base64_reader reader = BASE64_READER_INIT;
	size_t length = strlen(content);
	owned(free) char *bytes = NULL;
	size_t count;

	if (strcmp(encoding, "base64") != 0)
		return change_file_data(change, content, length, err);
	bytes = mem_alloc(BASE64_ROOM(length));
	if (base64_read(&reader, content, length, bytes, &count, err) < 0 ||
	    base64_end(&reader, err) < 0)
		return -1;
	return change_file_data(change, bytes, count, err);
}

static int add_files(const struct seed *seed, struct change *change, struct err *err)
{
	const json_t *file;
	size_t i;

	json_array_foreach (seed->files, i, file) {
		const char *path = json_string_value(json_object_get(file, "path"));
		const char *content = json_string_value(json_object_get(file, "content"));
		const char *encoding = json_string_value(json_object_get(file, "encoding"));

		if (change_file_open(change, err) < 0 ||
		    add_content(change, content, encoding ? encoding : "base64", err) < 0 ||
		    change_file_close(change, path, err) < 0)
			return err_in(err, "%s", path);
	}
	return 0;
}

/* Copying one repository's files into a change of another. */
struct copy {
	struct git *from;
	struct change *into;
	struct err *err;
	bool failed;
};

static int copy_file(struct copy *copy, const struct git_entry *entry, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	const void *bytes;
	size_t length;

	if (git_blob_open(copy->from, entry->oid, &blob, err) < 0)
		return -1;
	bytes = git_blob_bytes(blob, &length);
	if (change_file_open(copy->into, err) < 0 ||
	    change_file_data(copy->into, bytes, length, err) < 0)
		return -1;
	return change_file_close(copy->into, entry->path, err);
}

static bool copy_entry(void *arg, const struct git_entry *entry)
{
	struct copy *copy = arg;

	if (!entry->is_dir && copy_file(copy, entry, copy->err) < 0)
		copy->failed = true;
	return !copy->failed;
}

static int add_template(const struct seed *seed, struct change *change, struct err *err)
{
	struct copy copy = {.from = seed->template, .into = change, .err = err};
	char head[GIT_HEX];

	if (git_resolve(seed->template, "", head, err) < 0 ||
	    git_walk(seed->template, head, "", true, copy_entry, &copy, err) < 0)
		return -1;
	return copy.failed ? -1 : 0;
}

/* The template first, so that files that the client names win. */
static int write_files(const struct seed *seed, struct git *git, char commit[static GIT_HEX],
		       struct err *err)
{
	const struct change_meta meta = {.title = "Add initial files", .author = seed->author};
	owned(change_end) struct change *change = NULL;
	bool moved;

	if (change_begin(git, "main", &change, err) < 0)
		return -1;
	if (seed->template && add_template(seed, change, err) < 0)
		return err_in(err, "template");
	if (add_files(seed, change, err) < 0)
		return -1;
	return change_commit(change, &meta, commit, &moved, err);
}

static int fill(const struct seed *seed, const char *path, char commit[static GIT_HEX],
		struct err *err)
{
	const struct change_meta meta = {.title = "initial commit", .author = seed->author};
	owned(git_close) struct git *git = NULL;
	owned(free) char *card = make_card(seed);
	const struct change_seed files[] = {
		{".gitattributes", attributes},
		{"README.md", card},
	};

	if (git_init(path, err) < 0 || git_open(path, &git, err) < 0 ||
	    change_seed(git, files, card ? 2 : 1, &meta, commit, err) < 0)
		return -1;
	return seed_has_files(seed) ? write_files(seed, git, commit, err) : 0;
}

int seed_write(const struct seed *seed, const char *path, char commit[static GIT_HEX],
	       struct err *err)
{
	struct err leftover;

	if (fill(seed, path, commit, err) == 0)
		return 0;
	/* The first error is the one to answer; what stays is for the garbage collection. */
	if (file_remove_tree(AT_FDCWD, path, &leftover) < 0)
		log_warn("repo.leftover", "error=%s", leftover.text);
	return -1;
}
