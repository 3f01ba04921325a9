#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/ignore.h"
#include "api/limits.h"
#include "api/path.h"

/*
 * How is each file to be sent, and is it there already? B1. Every file travels inside of the commit
 * (B5, strategy 1): it works with all clients of all versions and needs no set-up on their side. So
 * neither its sample nor `gitAttributes` decide anything. A file that is too large for that is
 * refused here, where each client prints our sentence; "lfs" would send each of them to another
 * address that is not served, and the newest show no text from there.
 */

struct preupload {
	struct git *git;
	char commit[GIT_HEX];
	struct ignore *ignore; /* NULL: nothing is ignored */
};

static void own_preupload_done(struct preupload *held)
{
	ignore_free(held->ignore);
	git_close(held->git);
}

/* The .gitignore that comes with the upload; without one, the one of the revision. */
static int load_ignore(struct preupload *preupload, const json_t *body, struct err *err)
{
	owned(git_blob_release) struct git_blob *blob = NULL;
	const char *text = NULL;
	struct git_entry entry;
	const void *bytes;
	size_t length;
	int found;

	if (json_get_text(body, "gitIgnore", &text, err) < 0)
		return -1;
	if (text)
		return ignore_parse(text, strlen(text), &preupload->ignore, err);
	found = call_entry(preupload->git, preupload->commit, ".gitignore", &entry, err);
	if (found <= 0 || entry.is_dir || entry.size > LIMITS_IGNORE_TEXT)
		return found < 0 ? -1 : 0;
	if (git_blob_open(preupload->git, entry.oid, &blob, err) < 0)
		return -1;
	bytes = git_blob_bytes(blob, &length);
	return ignore_parse(bytes, length, &preupload->ignore, err);
}

/* Python demands the path as it asked, uploadMode and shouldIgnore of every file. */
static int answer_file(struct preupload *preupload, const json_t *file, json_t *answers,
		       struct err *err)
{
	const char *sample = NULL;
	struct git_entry entry;
	int64_t size = -1;
	bool ignored;
	const char *path;
	json_t *answer;
	int found;

	if (!json_is_object(file))
		return err_set(err, ERR_INVALID, "\"files\" must hold objects");
	if (json_need_text(file, "path", &path, err) < 0 || path_check(path, err) < 0 ||
	    json_get_int(file, "size", &size, err) < 0 ||
	    json_get_text(file, "sample", &sample, err) < 0)
		return -1;
	if (size < 0)
		return err_set(err, ERR_INVALID, "%.200s: \"size\" must be a number of bytes",
			       path);
	ignored = preupload->ignore && ignore_match(preupload->ignore, path);
	if (size > LIMITS_REGULAR_FILE && !ignored)
		return err_set(err, ERR_TOO_LARGE,
			       "%.200s has %lld bytes: a file may have at most %d MiB here, leave "
			       "it out or split it",
			       path, (long long)size, LIMITS_REGULAR_FILE_MIB);
	answer = json_pack("{s:s, s:s, s:b}", "path", path, "uploadMode", "regular", "shouldIgnore",
			   ignored);
	json_array_append_new(answers, answer);
	/* `oid` only for what is there; a client whose file has it sends nothing. */
	found = call_entry(preupload->git, preupload->commit, path, &entry, err);
	if (found > 0 && !entry.is_dir)
		json_object_set_new(answer, "oid", json_string(entry.oid));
	return found < 0 ? -1 : 0;
}

int call_preupload(struct call *call, struct err *err)
{
	owned(preupload_done) struct preupload preupload = {0};
	owned(json_decref) json_t *answers = json_array();
	const char *attributes = NULL;
	json_t *files = NULL;
	json_t *body;
	json_t *file;
	size_t i;

	if (call_refuse_pull(call, err) < 0 || call_json(call, &body, err) < 0 ||
	    json_get_array(body, "files", &files, err) < 0 ||
	    json_get_text(body, "gitAttributes", &attributes, err) < 0)
		return -1;
	if (!files)
		return err_set(err, ERR_INVALID, "\"files\" is needed");
	if (json_array_size(files) > LIMITS_PREUPLOAD_FILES)
		return err_set(err, ERR_TOO_LARGE, "at most %d files in one call",
			       LIMITS_PREUPLOAD_FILES);
	if (call_git(call, &preupload.git, err) < 0 ||
	    call_revision(call, preupload.git, preupload.commit, err) < 0 ||
	    load_ignore(&preupload, body, err) < 0)
		return -1;
	json_array_foreach (files, i, file)
		if (answer_file(&preupload, file, answers, err) < 0)
			return -1;
	answer_json(call->answer,
		    json_pack("{s:O, s:s}", "files", answers, "commitOid", preupload.commit));
	return 0;
}
