#include "space/volume.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/name.h"

/* A volume, with its strings borrowed. */
struct volume {
	const char *type;
	const char *source;
	const char *path; /* where it is mounted */
	const char *revision;
	const char *inner; /* a folder of the source */
	bool read_only;
	bool says_read_only;
};

static int check_type(const char *type, struct err *err)
{
	static const char *const types[] = {"bucket", "model", "dataset", "space"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(type, types[i]) == 0)
			return 0;
	return err_set(err, ERR_INVALID, "type must be one of [bucket, model, dataset, space]");
}

/* "ns/name" */
static int check_source(const char *source, struct err *err)
{
	const char *slash = strchr(source, '/');
	owned(free) char *owner = mem_text_n(source, slash ? (size_t)(slash - source) : 0);

	if (!slash || !name_is_valid(owner) || !name_is_valid(slash + 1))
		return err_set(err, ERR_INVALID, "source \"%.100s\" must be namespace/name",
			       source);
	return 0;
}

static int check_texts(const struct volume *volume, struct err *err)
{
	const char *const texts[] = {volume->path, volume->revision, volume->inner};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i] && strlen(texts[i]) > VOLUME_TEXT_MAX)
			return err_set(err, ERR_TOO_LARGE, "a text of more than %d bytes",
				       VOLUME_TEXT_MAX);
	assert(volume->path); /* no volume was read without */
	if (*volume->path != '/' || !name_path_is_valid(volume->path + 1))
		return err_set(err, ERR_INVALID, "mountPath must be an absolute path");
	if (volume->inner && *volume->inner && !name_path_is_valid(volume->inner))
		return err_set(err, ERR_INVALID, "path must be a path inside of %s",
			       volume->source);
	return 0;
}

static int read_volume(const json_t *json, struct volume *out, struct err *err)
{
	struct volume volume = {.type = "model"};

	if (!json_is_object(json))
		return err_set(err, ERR_INVALID, "an object is expected");
	volume.says_read_only = json_is_boolean(json_object_get(json, "readOnly"));
	if (json_get_text(json, "type", &volume.type, err) < 0 ||
	    json_need_text(json, "source", &volume.source, err) < 0 ||
	    json_need_text(json, "mountPath", &volume.path, err) < 0 ||
	    json_get_text(json, "revision", &volume.revision, err) < 0 ||
	    json_get_text(json, "path", &volume.inner, err) < 0 ||
	    json_get_bool(json, "readOnly", &volume.read_only, err) < 0 ||
	    check_type(volume.type, err) < 0 || check_source(volume.source, err) < 0 ||
	    check_texts(&volume, err) < 0)
		return -1;
	*out = volume;
	return 0;
}

/* Only what the wire names; the rest is not ours to keep. For free(). */
static char *volume_text(const struct volume *volume)
{
	owned(json_decref) json_t *json = json_pack(
		"{s:s, s:s, s:s, s:s*, s:s*}", "type", volume->type, "source", volume->source,
		"mountPath", volume->path, "revision", volume->revision, "path", volume->inner);

	if (volume->says_read_only)
		json_object_set_new(json, "readOnly", json_boolean(volume->read_only));
	return json_text(json);
}

int volume_check(const json_t *list, struct err *err)
{
	owned(json_decref) json_t *paths = json_object();
	struct volume volume;
	const json_t *item;
	size_t i;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return err_set(err, ERR_INVALID, "volumes must be a list");
	if (json_array_size(list) > VOLUME_COUNT_MAX)
		return err_set(err, ERR_TOO_LARGE, "volumes has more than %d entries",
			       VOLUME_COUNT_MAX);
	json_array_foreach (list, i, item) {
		if (read_volume(item, &volume, err) < 0)
			return err_in(err, "volumes");
		if (json_object_get(paths, volume.path))
			return err_set(err, ERR_INVALID, "volumes: two are mounted at %.200s",
				       volume.path);
		json_object_set_new(paths, volume.path, json_true());
	}
	return 0;
}

int volume_list(struct store_db *db, int64_t repo_id, json_t **out, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "SELECT json FROM volumes WHERE repo_id = ? ORDER BY position");
	owned(json_decref) json_t *list = json_array();
	int row;

	store_bind_int(query, repo_id);
	while ((row = store_step(query, err)) > 0) {
		const char *text = store_text(query, 0);
		json_t *volume;

		if (json_parse(text, strlen(text), &volume, err) < 0)
			return err_in(err, "volume");
		json_array_append_new(list, volume);
	}
	if (row < 0)
		return -1;
	*out = take(list);
	return 0;
}

static int drop_all(struct store_db *db, int64_t repo_id, struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "DELETE FROM volumes WHERE repo_id = ?");

	store_bind_int(query, repo_id);
	return store_step(query, err) < 0 ? -1 : 0;
}

static int add(struct store_db *db, int64_t repo_id, size_t position, const json_t *json,
	       struct err *err)
{
	owned(store_query_end) struct store_query *query =
		store_query(db, "INSERT INTO volumes (repo_id, position, json) VALUES (?, ?, ?)");
	owned(free) char *text = NULL;
	struct volume volume;

	if (read_volume(json, &volume, err) < 0)
		return -1;
	text = volume_text(&volume);
	store_bind_int(query, repo_id);
	store_bind_int(query, (int64_t)position);
	store_bind_text(query, text);
	return store_step(query, err) < 0 ? -1 : 0;
}

int volume_set(struct store_db *db, int64_t repo_id, const json_t *list, struct err *err)
{
	owned(json_decref) json_t *before = NULL;
	owned(json_decref) json_t *after = NULL;
	const json_t *item;
	size_t i;

	if (volume_check(list, err) < 0 || volume_list(db, repo_id, &before, err) < 0 ||
	    drop_all(db, repo_id, err) < 0)
		return -1;
	json_array_foreach (list, i, item)
		if (add(db, repo_id, i, item, err) < 0)
			return -1;
	if (volume_list(db, repo_id, &after, err) < 0)
		return -1;
	return !json_equal(before, after);
}
