#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/ndjson.h"
#include "api/path.h"
#include "api/pushed.h"
#include "api/url.h"
#include "base/mem.h"
#include "repo/change.h"

/*
 * A commit that streams in: B2. ndjson.h takes the body apart, repo/change.h makes the commit of
 * it; no file is ever held in memory.
 */
struct upload {
	struct git *git;
	struct change *change;
	struct ndjson *ndjson;
	char *title;
	char *description;
};

/* JavaScript copies files without saying a word; git would show a commit without a title. */
static const char title_default[] = "Update files";

static int take_header(void *arg, const struct ndjson_header *header, struct err *err)
{
	struct upload *upload = arg;

	if (strlen(header->summary) > LIMITS_TITLE)
		return err_set(err, ERR_TOO_LARGE, "a summary may have %d bytes", LIMITS_TITLE);
	if (strlen(header->description) > LIMITS_DESCRIPTION)
		return err_set(err, ERR_TOO_LARGE, "a description may have %d bytes",
			       LIMITS_DESCRIPTION);
	upload->title = mem_text(header->summary[0] ? header->summary : title_default);
	upload->description = mem_text(header->description);
	if (header->parent && header->parent[0])
		return change_expect(upload->change, header->parent, err);
	return 0;
}

static int check_count(const struct upload *upload, struct err *err)
{
	if (change_count(upload->change) >= LIMITS_COMMIT_OPERATIONS)
		return err_set(err, ERR_TOO_LARGE, "at most %d operations in one commit",
			       LIMITS_COMMIT_OPERATIONS);
	return 0;
}

static int open_file(void *arg, struct err *err)
{
	struct upload *upload = arg;

	if (check_count(upload, err) < 0)
		return -1;
	return change_file_open(upload->change, err);
}

static int add_data(void *arg, const void *bytes, size_t length, struct err *err)
{
	struct upload *upload = arg;

	return change_file_data(upload->change, bytes, length, err);
}

static int close_file(void *arg, const char *path, struct err *err)
{
	struct upload *upload = arg;

	if (path_check(path, err) < 0)
		return -1;
	return change_file_close(upload->change, path, err);
}

static int delete_folder(void *arg, const char *path, struct err *err)
{
	struct upload *upload = arg;

	if (check_count(upload, err) < 0)
		return -1;
	return change_delete_folder(upload->change, path, err);
}

/* JavaScript has no other word for a folder, which may end in a slash there as well. */
static int delete_file(void *arg, const char *path, struct err *err)
{
	struct upload *upload = arg;

	if (str_ends(path, "/"))
		return delete_folder(arg, path, err);
	if (check_count(upload, err) < 0)
		return -1;
	return change_delete_file(upload->change, path, err);
}

/* Preupload never asks for it, so only who did not ask comes here. */
static int refuse_lfs(void *arg, const char *path, const char *oid, int64_t size, struct err *err)
{
	return err_set(err, ERR_UNPROCESSED,
		       "%.200s: LFS objects are not supported yet, send the file's content", path);
}

static const struct ndjson_ops upload_ops = {
	.header = take_header,
	.file_open = open_file,
	.file_data = add_data,
	.file_close = close_file,
	.deleted_file = delete_file,
	.deleted_folder = delete_folder,
	.lfs_file = refuse_lfs,
};

/* hot_reload=1 is accepted and nothing comes of it, as clients expect of a server without it (A14).
 */
static int upload_begin(struct call *call, struct err *err)
{
	struct upload *upload = mem_new(struct upload);

	call->state = upload;
	if (call_refuse_pull(call, err) < 0 || call_git(call, &upload->git, err) < 0 ||
	    change_begin(upload->git, http_param(call->request, "rev"), &upload->change, err) < 0)
		return -1;
	change_limit_file(upload->change, LIMITS_REGULAR_FILE);
	upload->ndjson = ndjson_new(&upload_ops, upload);
	return 0;
}

static int upload_data(struct call *call, const char *bytes, size_t length, struct err *err)
{
	struct upload *upload = call->state;

	return ndjson_feed(upload->ndjson, bytes, length, err);
}

static void upload_end(struct call *call)
{
	struct upload *upload = call->state;

	ndjson_free(upload->ndjson);
	change_end(upload->change);
	git_close(upload->git);
	free(upload->title);
	free(upload->description);
	free(upload);
}

const struct call_stream call_commit_stream = {upload_begin, upload_data, upload_end};

int call_commit(struct call *call, struct err *err)
{
	struct upload *upload = call->state;
	owned(free) char *url = url_repo(call);
	struct change_meta meta;
	char commit[GIT_HEX];
	bool moved;

	if (ndjson_end(upload->ndjson, err) < 0)
		return -1;
	meta = (struct change_meta){
		.title = upload->title,
		.description = upload->description,
		.author = call->actor.name,
	};
	if (change_commit(upload->change, &meta, commit, &moved, err) < 0 ||
	    pushed(call, upload->git, moved ? "repo.commit" : NULL, commit, err) < 0)
		return -1;
	answer_json(call->answer,
		    json_pack("{s:b, s:s, s:o, s:s}", "success", 1, "commitOid", commit,
			      "commitUrl", json_sprintf("%s/commit/%s", url, commit), "hookOutput",
			      ""));
	return 0;
}
