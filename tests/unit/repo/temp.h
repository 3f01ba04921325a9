#pragma once

/* A bare repository in a temporary folder, and short words for what tests do with it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/proc.h"
#include "repo/change.h"
#include "repo/git.h"

struct temp {
	char folder[32];
	char path[80]; /* of the repository */
	struct git *git;
	char first[GIT_HEX];
};

/* Where the folders are made; one on another file system, where that matters. */
static const char *temp_base = "/tmp";

static const struct change_meta temp_meta = {.title = "Change", .author = "me"};

/* Fail the test where something of the set-up fails. */
static inline void temp_ok(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

/* An empty repository, without a commit. */
static inline int temp_empty(void **state)
{
	struct temp *temp = mem_new(struct temp);
	struct err err = ERR_INIT;

	snprintf(temp->folder, sizeof(temp->folder), "%s/espace-repo-XXXXXX", temp_base);
	assert_non_null(mkdtemp(temp->folder));
	snprintf(temp->path, sizeof(temp->path), "%s/r.git", temp->folder);
	temp_ok(git_init(temp->path, &err), &err);
	temp_ok(git_open(temp->path, &temp->git, &err), &err);
	*state = temp;
	return 0;
}

/* With a first commit: README.md, dir/one.txt, dir/two.txt. */
static inline int temp_setup(void **state)
{
	static const struct change_seed files[] = {
		{"README.md", "hello"}, {"dir/one.txt", "1"}, {"dir/two.txt", "22"}};
	struct err err = ERR_INIT;

	temp_empty(state);
	struct temp *temp = *state;
	temp_ok(change_seed(temp->git, files, 3, &temp_meta, temp->first, &err), &err);
	return 0;
}

static inline int temp_teardown(void **state)
{
	struct temp *temp = *state;
	struct err err = ERR_INIT;

	git_close(temp->git);
	temp_ok(file_remove_tree(AT_FDCWD, temp->folder, &err), &err);
	free(temp);
	return 0;
}

static inline struct change *temp_begin(struct temp *temp)
{
	struct change *change = NULL;
	struct err err = ERR_INIT;

	temp_ok(change_begin(temp->git, "main", &change, &err), &err);
	return change;
}

static inline void temp_put(struct change *change, const char *path, const char *text)
{
	struct err err = ERR_INIT;

	temp_ok(change_file_open(change, &err), &err);
	temp_ok(change_file_data(change, text, strlen(text), &err), &err);
	temp_ok(change_file_close(change, path, &err), &err);
}

/* Commit, and tell whether the branch moved. */
static inline bool temp_commit(struct change *change, char commit[static GIT_HEX])
{
	struct err err = ERR_INIT;
	bool moved = false;

	temp_ok(change_commit(change, &temp_meta, commit, &moved, &err), &err);
	return moved;
}

static inline bool temp_list(void *arg, const struct git_entry *entry)
{
	str_addf(arg, "%s%s ", entry->path, entry->is_dir ? "/" : "");
	return true;
}

/* All paths of main, in order. */
static inline void temp_paths(struct temp *temp, const char *expected)
{
	owned(str_done) struct str paths = str_new(1 << 20);
	char head[GIT_HEX];
	struct err err = ERR_INIT;

	temp_ok(git_resolve(temp->git, "main", head, &err), &err);
	temp_ok(git_walk(temp->git, head, "", true, temp_list, &paths, &err), &err);
	assert_string_equal(paths.data, expected);
}

/* The text of a file of main. */
static inline void temp_text(struct temp *temp, const char *path, const char *expected)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	char head[GIT_HEX];
	struct git_entry entry;
	struct err err = ERR_INIT;
	size_t length;

	temp_ok(git_resolve(temp->git, "main", head, &err), &err);
	temp_ok(git_entry(temp->git, head, path, &entry, &err), &err);
	temp_ok(git_blob_open(temp->git, entry.oid, &blob, &err), &err);
	const void *bytes = git_blob_bytes(blob, &length);
	assert_int_equal(length, strlen(expected));
	assert_int_equal(entry.size, length);
	assert_memory_equal(bytes, expected, length);
}

/* git itself finds nothing wrong, and no object that nobody needs. */
static inline void temp_fsck(struct temp *temp)
{
	const char *const argv[] = {"git",      "-C",     temp->path,      "fsck",
				    "--strict", "--full", "--unreachable", "--no-progress",
				    NULL};
	owned(str_done) struct str output = str_new(1 << 16);
	struct err err = ERR_INIT;

	temp_ok(proc_run(argv, NULL, &output, &err), &err);
	assert_string_equal(output.data, "");
}

/* Run git, its output without the newline at the end. */
static inline void temp_git(struct temp *temp, const char *const *words, struct str *output)
{
	const char *argv[16] = {"git", "-C", temp->path};
	struct err err = ERR_INIT;

	for (size_t i = 0; words[i]; i++)
		argv[3 + i] = words[i];
	temp_ok(proc_run(argv, NULL, output, &err), &err);
	if (output->length > 0 && output->data[output->length - 1] == '\n')
		output->data[--output->length] = '\0';
}

#define TEMP_TEST(test)  cmocka_unit_test_setup_teardown(test, temp_setup, temp_teardown)
#define TEMP_EMPTY(test) cmocka_unit_test_setup_teardown(test, temp_empty, temp_teardown)
