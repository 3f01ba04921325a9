#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "base/mem.h"

/*
 * The tags that public repositories have, by type: A15. Nobody's private tags are told, not even to
 * their owner.
 */

/* "license:mit" is of type license; a tag without a colon may be a library, a task or a word. */
static char *type_of(const char *tag)
{
	size_t length = strcspn(tag, ":");

	return tag[length] ? mem_text_n(tag, length) : mem_text("other");
}

static void add_tag(json_t *types, const char *tag)
{
	owned(free) char *type = type_of(tag);
	const char *colon = strchr(tag, ':');
	json_t *list = json_object_get(types, type);

	if (!list) {
		list = json_array();
		json_object_set_new(types, type, list);
	}
	json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", tag, "label",
					      colon ? colon + 1 : tag, "type", type));
}

static int answer_tags(struct call *call, enum repo_type type, struct err *err)
{
	owned(str_done) struct str tags = str_new(LIMITS_ANSWER);
	owned(json_decref) json_t *types = json_object();
	char *next;

	if (catalogue_tags(call->config->catalogue, 1U << type, &tags, err) < 0)
		return -1;
	for (char *tag = tags.data; *tag; tag = next) {
		char *end = tag + strcspn(tag, "\n");

		next = end + (*end == '\n');
		*end = '\0';
		add_tag(types, tag);
	}
	answer_json(call->answer, take(types));
	return 0;
}

int call_model_tags(struct call *call, struct err *err)
{
	return answer_tags(call, REPO_MODEL, err);
}

int call_dataset_tags(struct call *call, struct err *err)
{
	return answer_tags(call, REPO_DATASET, err);
}
