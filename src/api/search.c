#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "api/limits.h"
#include "api/lookup.h"
#include "base/mem.h"

/*
 * The search for Spaces of clients from 1.11 on: A7. Here meaning is words: each of them must be in
 * the name, the title or a tag. Newest first, one page.
 */

/* The words of `q`, in a copy that they are borrowed from. */
struct question {
	char *text;
	const char *words[LIMITS_LIST_TERMS];
	const char *tags[LIMITS_LIST_TERMS + 1];
	struct catalogue_query query;
	bool all; /* those that don't run, too */
};

static void own_question_done(struct question *question)
{
	free(question->text);
}

static int split(struct question *question, struct err *err)
{
	char *save = NULL;
	size_t count = 0;

	for (char *word = strtok_r(question->text, " \t", &save); word;
	     word = strtok_r(NULL, " \t", &save)) {
		if (count == LIMITS_LIST_TERMS)
			return err_set(err, ERR_TOO_LARGE, "at most %d words in \"q\"",
				       LIMITS_LIST_TERMS);
		question->words[count++] = word;
	}
	question->query.search = (struct catalogue_texts){question->words, count};
	return 0;
}

static int read_question(struct call *call, struct question *question, struct err *err)
{
	const char *text = http_query(call->request, "q");
	const char *sdk = http_query(call->request, "sdk");
	struct catalogue_query *query = &question->query;

	if (!text || !*text)
		return err_set(err, ERR_INVALID, "\"q\" is needed: words to search for");
	if (strlen(text) > LIMITS_LIST_TERM)
		return err_set(err, ERR_TOO_LARGE, "\"q\" may have %d bytes", LIMITS_LIST_TERM);
	*query = (struct catalogue_query){.types = 1 << REPO_SPACE,
					  .search_tags = true,
					  .order = CATALOGUE_MODIFIED,
					  .descending = true,
					  .limit = LIMITS_SEARCH};
	question->text = mem_text(text);
	if (split(question, err) < 0 ||
	    lookup_texts(call, "filter", question->tags, &query->tags.count, err) < 0 ||
	    http_query_bool(call->request, "includeNonRunning", &question->all, err) < 0)
		return -1;
	query->tags.items = question->tags;
	if (sdk && *sdk)
		question->tags[query->tags.count++] = sdk; /* each Space is tagged by it */
	return 0;
}

/* Also what waits for its next visitor. */
static bool is_running(const struct space *space)
{
	return space->stage == STAGE_RUNNING || space->stage == STAGE_RUNNING_BUILDING ||
	       space->stage == STAGE_RUNNING_APP_STARTING || space->stage == STAGE_SLEEPING;
}

static void add_of_card(struct str *out, const char *key, const json_t *card)
{
	const char *text = json_string_value(json_object_get(card, key));

	if (!text)
		return;
	str_addf(out, ",\"%s\":", key);
	answer_add_string(out, text);
}

static int write_found(struct fields_entry *entry, uint64_t chosen, size_t rank, struct str *out,
		       struct err *err)
{
	owned(json_decref) json_t *card = NULL;

	if (json_parse(entry->listing.card, strlen(entry->listing.card), &card, err) < 0)
		return err_in(err, "card of %s", entry->repo.full_name);
	if (rank > 0)
		str_add_char(out, ',');
	if (fields_write(entry, chosen, out, err) < 0)
		return -1;
	str_cut(out, out->length - 1); /* the brace: there is more to say */
	add_of_card(out, "title", card);
	add_of_card(out, "emoji", card);
	str_addf(out, ",\"semanticRelevancyScore\":%.4f}", 1.0 / (double)(1 + rank));
	return 0;
}

int call_search_spaces(struct call *call, struct err *err)
{
	owned(question_done) struct question question = {0};
	owned(lookup_done) struct lookup lookup = {0};
	owned(str_done) struct str text = str_new(LIMITS_ANSWER);
	const uint64_t chosen = fields_in(REPO_SPACE, FIELDS_SEARCH);
	size_t told = 0;

	if (read_question(call, &question, err) < 0 ||
	    lookup_page(call, &question.query, chosen, &lookup, err) < 0)
		return -1;
	str_add_char(&text, '[');
	for (size_t i = 0; i < lookup.count; i++) {
		if (!question.all && !is_running(lookup.entries[i].space))
			continue;
		if (write_found(&lookup.entries[i], chosen, told++, &text, err) < 0)
			return -1;
	}
	str_add_char(&text, ']');
	answer_json_text(call->answer, &text);
	return 0;
}
