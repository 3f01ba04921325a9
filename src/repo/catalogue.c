#include "repo/catalogue.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "repo/ranks.h"
#include "repo/repo.h"
#include "repo/terms.h"

/* Changes that are read in one go, so that no reading of the store takes long. */
enum { NEWS_MAX = 2000 };

enum { FIRST_ROOM = 1024 };

/* A link is kept among the tags, with this before it: no tag has a line break. */
#define LINK_MARK '\n'

/*
 * Which characters and pairs of characters a text may hold: a bit for each character, and 128 for
 * all pairs, which share them. Most texts that do not hold what is searched for are passed over by
 * it, without a look at them.
 */
struct sign {
	uint64_t characters;
	uint64_t pairs[2];
};

struct entry {
	int64_t seq; /* of the change that it knows; stays when the repository is gone */
	int64_t owner_id;
	int64_t created_ms;
	int64_t modified_ms;
	char *name;        /* "ns/name" in lower case; NULL: no such repository */
	const char *title; /* in lower case, in the same piece of memory */
	struct sign sign;  /* of both */
	uint32_t *terms;
	uint32_t term_count;
	uint8_t type; /* 1 << enum repo_type */
	bool is_private;
	bool is_gated;
	bool linked;
	char hex[25];
};

struct catalogue {
	struct store *store;
	pthread_rwlock_t lock;
	/* Guarded by the lock. */
	struct entry *entries; /* by row id, which is never given anew: in order of creation */
	size_t end;
	size_t room;
	struct terms *terms;
	struct ranks *names; /* of entries, by their index */
	int64_t seq;         /* everything up to here is known */
};

/* A changed row, read without the lock. */
struct news {
	int64_t id;
	struct entry entry; /* but for the terms */
	char *tags;
	char *links;
};

struct catalogue *catalogue_new(struct store *store)
{
	struct catalogue *catalogue = mem_new(struct catalogue);
	pthread_rwlockattr_t attr;

	/* Who looks is quick and comes often; who has news must not wait for a gap. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&catalogue->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	catalogue->store = store;
	catalogue->terms = terms_new();
	catalogue->names = ranks_new();
	return catalogue;
}

void catalogue_free(struct catalogue *catalogue)
{
	if (!catalogue)
		return;
	for (size_t i = 0; i < catalogue->end; i++) {
		free(catalogue->entries[i].name);
		free(catalogue->entries[i].terms);
	}
	free(catalogue->entries);
	terms_free(catalogue->terms);
	ranks_free(catalogue->names);
	pthread_rwlock_destroy(&catalogue->lock);
	free(catalogue);
}

static pthread_rwlock_t *lock_shared(struct catalogue *catalogue)
{
	pthread_rwlock_rdlock(&catalogue->lock);
	return &catalogue->lock;
}

static pthread_rwlock_t *lock_alone(struct catalogue *catalogue)
{
	pthread_rwlock_wrlock(&catalogue->lock);
	return &catalogue->lock;
}

static void own_rwlock_unlock(pthread_rwlock_t **held)
{
	pthread_rwlock_unlock(*held);
}

/* Letters beyond ASCII stay as they are. */
static void fold(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* `text` is folded. */
static void add_sign(struct sign *sign, const char *text)
{
	for (; *text; text++) {
		unsigned char first = (unsigned char)text[0];
		unsigned char second = (unsigned char)text[1];
		unsigned pair = (first * 31U + second) * 2654435761U >> 25; /* Knuth's multiplier */

		sign->characters |= 1ULL << ((first ^ first >> 1) & 63);
		if (second)
			sign->pairs[pair >> 6] |= 1ULL << (pair & 63);
	}
}

static bool sign_covers(const struct sign *sign, const struct sign *needle)
{
	return !(needle->characters & ~sign->characters) && !(needle->pairs[0] & ~sign->pairs[0]) &&
	       !(needle->pairs[1] & ~sign->pairs[1]);
}

static int read_news(struct store_query *query, struct news *out, struct err *err)
{
	struct entry *entry = &out->entry;
	enum repo_type type;
	size_t length;

	*out = (struct news){.id = store_int(query, 1), .entry.seq = store_int(query, 0)};
	if (!store_text(query, 2))
		return 0;
	if (repo_type_parse(store_text(query, 2), &type, err) < 0)
		return -1;
	entry->type = (uint8_t)(1U << type);
	entry->owner_id = store_int(query, 3);
	entry->is_private = store_int(query, 4) != 0;
	entry->created_ms = store_int(query, 5);
	entry->modified_ms = store_int(query, 6);
	store_copy(query, 7, entry->hex, sizeof(entry->hex));
	length = strlen(store_text(query, 8));
	entry->name = mem_format("%s%c%s", store_text(query, 8), '\0', store_text(query, 9));
	entry->title = entry->name + length + 1;
	fold(entry->name);
	fold(entry->name + length + 1);
	add_sign(&entry->sign, entry->name);
	add_sign(&entry->sign, entry->title);
	entry->is_gated = store_int(query, 12) != 0;
	out->tags = mem_text(store_text(query, 10));
	out->links = mem_text(store_text(query, 11));
	return 0;
}

static void own_news_free(struct news **held)
{
	if (!*held)
		return;
	for (struct news *news = *held; news->id != 0; news++) {
		free(news->entry.name);
		free(news->tags);
		free(news->links);
	}
	free(*held);
}

/* What changed behind `seq`, at most NEWS_MAX of it; an id of 0 ends the array. */
static int read_changes(struct store *store, int64_t seq, struct news **out, struct err *err)
{
	owned(news_free) struct news *news = mem_array(NEWS_MAX + 1, sizeof(*news));
	owned(store_read_end) struct store_read *read = NULL;
	owned(store_query_end) struct store_query *query = NULL;
	size_t count = 0;
	int row;

	if (store_read_begin(store, &read, err) < 0)
		return -1;
	query = store_query(
		store_read_db(read),
		"SELECT c.seq, c.repo_id, r.type, r.owner_id, r.is_private, r.created_ms,"
		" r.modified_ms, r.hex, a.name || '/' || r.name, ifnull(l.title, ''),"
		" ifnull(l.tags, ''), ifnull(l.links, ''), r.gated <> ''"
		" FROM changes c LEFT JOIN repos r ON r.id = c.repo_id"
		" LEFT JOIN accounts a ON a.id = r.owner_id"
		" LEFT JOIN listings l ON l.repo_id = r.id"
		" WHERE c.seq > ? ORDER BY c.seq LIMIT ?");
	store_bind_int(query, seq);
	store_bind_int(query, NEWS_MAX);
	while ((row = store_step(query, err)) > 0)
		if (read_news(query, &news[count++], err) < 0)
			return -1;
	if (row < 0)
		return -1;
	*out = take(news);
	return 0;
}

/* With a line break before each line, which is the mark of a link and no part of a tag. */
static void hold_lines(struct catalogue *catalogue, struct entry *entry, const char *lines,
		       bool links)
{
	owned(free) char *text = mem_format("%c%s", LINK_MARK, lines);
	size_t length;

	for (const char *line = text; *line; line += length + 1) {
		length = strcspn(line + 1, "\n");
		if (length == 0)
			continue;
		entry->terms = mem_grow(entry->terms, entry->term_count + 1, sizeof(uint32_t));
		entry->terms[entry->term_count++] =
			links ? terms_hold(catalogue->terms, line, length + 1)
			      : terms_hold(catalogue->terms, line + 1, length);
	}
}

static struct entry *entry_for(struct catalogue *catalogue, int64_t id)
{
	size_t index = (size_t)id;

	if (index >= catalogue->room) {
		size_t room = catalogue->room ? catalogue->room : FIRST_ROOM;

		while (room <= index)
			room *= 2;
		catalogue->entries = mem_grow(catalogue->entries, room, sizeof(struct entry));
		catalogue->room = room;
	}
	while (catalogue->end <= index)
		catalogue->entries[catalogue->end++] = (struct entry){0};
	return &catalogue->entries[index];
}

/* Most changes leave the name as it was. NULL: there is no such repository. */
static void rank_name(struct catalogue *catalogue, size_t id, const char *before, const char *now)
{
	if (before && now && strcmp(before, now) == 0) {
		ranks_replace(catalogue->names, id, now);
		return;
	}
	if (before)
		ranks_drop(catalogue->names, id);
	if (now)
		ranks_add(catalogue->names, id, now);
}

/* Another thread may have read the same change, or a later one. Takes the texts over. */
static void apply(struct catalogue *catalogue, struct news *news)
{
	struct entry *entry = entry_for(catalogue, news->id);
	struct entry old = *entry;

	if (news->entry.seq > catalogue->seq)
		catalogue->seq = news->entry.seq;
	if (news->entry.seq <= old.seq)
		return;
	*entry = news->entry;
	news->entry.name = NULL;
	rank_name(catalogue, (size_t)news->id, old.name, entry->name);
	if (entry->name) {
		assert(news->links); /* read_news() gave it with the name */
		entry->linked = news->links[0];
		hold_lines(catalogue, entry, news->tags, false);
		hold_lines(catalogue, entry, news->links, true);
	}
	/* After the new ones, which are mostly the same and need not be made again. */
	for (uint32_t i = 0; i < old.term_count; i++)
		terms_drop(catalogue->terms, old.terms[i]);
	free(old.terms);
	free(old.name);
}

static int64_t known(struct catalogue *catalogue)
{
	owned(rwlock_unlock) pthread_rwlock_t *held = lock_shared(catalogue);

	return catalogue->seq;
}

static size_t apply_all(struct catalogue *catalogue, struct news *news)
{
	size_t count = 0;

	if (news->id == 0)
		return 0;
	owned(rwlock_unlock) pthread_rwlock_t *held = lock_alone(catalogue);
	for (; news[count].id != 0; count++)
		apply(catalogue, &news[count]);
	ranks_settle(catalogue->names);
	return count;
}

int catalogue_learn(struct catalogue *catalogue, struct err *err)
{
	size_t count;

	do {
		owned(news_free) struct news *news = NULL;

		if (read_changes(catalogue->store, known(catalogue), &news, err) < 0)
			return err_in(err, "catalogue");
		count = apply_all(catalogue, news);
	} while (count == NEWS_MAX);
	return 0;
}

/* An entry in its order. */
struct place {
	int64_t value;
	const char *text;
	int64_t id;
};

/* A question, prepared for many looks. */
struct look {
	const struct catalogue_query *query;
	struct place after; /* where query->after is */
	uint32_t *terms;    /* that an entry must have */
	size_t term_count;
	char **search;        /* in lower case, … */
	struct sign *signs;   /* … with its sign */
	uint8_t **tag_search; /* for each of them, by number: does this tag hold it? */
	/* The best so far, as a heap: the first is the one to go next. */
	struct place *best;
	size_t count;
	size_t room;
};

static void own_look_done(struct look *look)
{
	for (size_t i = 0; i < look->query->search.count; i++) {
		free(look->search[i]);
		if (look->tag_search)
			free(look->tag_search[i]);
	}
	free(look->search);
	free(look->signs);
	free(look->tag_search);
	free(look->terms);
	free(look->best);
}

/* false: a tag or link that no repository has, so that nothing can be found. */
static bool find_terms(const struct catalogue *catalogue, struct look *look)
{
	const struct catalogue_query *query = look->query;

	look->terms = mem_array(query->tags.count + query->links.count + 1, sizeof(uint32_t));
	for (size_t i = 0; i < query->tags.count; i++)
		if (!terms_find(catalogue->terms, query->tags.items[i],
				&look->terms[look->term_count++]))
			return false;
	for (size_t i = 0; i < query->links.count; i++) {
		owned(free) char *link = mem_format("%c%s", LINK_MARK, query->links.items[i]);

		if (!terms_find(catalogue->terms, link, &look->terms[look->term_count++]))
			return false;
	}
	return true;
}

static uint8_t *search_in_tags(const struct catalogue *catalogue, const char *needle)
{
	uint32_t end = terms_end(catalogue->terms);
	uint8_t *hits = mem_array(end + 1, 1);

	for (uint32_t i = 0; i < end; i++) {
		const char *tag = terms_text(catalogue->terms, i);

		hits[i] = tag && tag[0] != LINK_MARK && strcasestr(tag, needle);
	}
	return hits;
}

static void prepare_search(const struct catalogue *catalogue, struct look *look)
{
	const struct catalogue_texts *search = &look->query->search;

	look->search = mem_array(search->count + 1, sizeof(char *));
	look->signs = mem_array(search->count + 1, sizeof(*look->signs));
	if (look->query->search_tags)
		look->tag_search = mem_array(search->count + 1, sizeof(uint8_t *));
	for (size_t i = 0; i < search->count; i++) {
		look->search[i] = mem_text(search->items[i]);
		fold(look->search[i]);
		add_sign(&look->signs[i], look->search[i]);
		if (look->tag_search)
			look->tag_search[i] = search_in_tags(catalogue, look->search[i]);
	}
}

/* The types one after the other, each in the order of its names. */
static int64_t by_name(int64_t type, int64_t rank)
{
	return type * ((int64_t)1 << 32) + rank;
}

static struct place place_of(const struct catalogue *catalogue, const struct entry *entry,
			     enum catalogue_order order)
{
	int64_t id = entry - catalogue->entries;

	if (order == CATALOGUE_NAME)
		return (struct place){by_name(entry->type, ranks_of(catalogue->names, (size_t)id)),
				      entry->name, id};
	return (struct place){order == CATALOGUE_CREATED ? entry->created_ms : entry->modified_ms,
			      entry->hex, id};
}

static bool is_before(const struct look *look, const struct place *a, const struct place *b)
{
	int order = a->value < b->value ? -1 : a->value > b->value;

	if (order == 0)
		order = strcmp(a->text, b->text);
	return look->query->descending ? order > 0 : order < 0;
}

/* A mark gives the type and a name, which may be nobody's by now. */
static struct place place_after(const struct catalogue *catalogue,
				const struct catalogue_query *query)
{
	const struct catalogue_mark *mark = query->after;
	int64_t value = mark->value;

	if (query->order != CATALOGUE_NAME)
		return (struct place){value, mark->text, 0};
	/* Beyond the types there are, a mark of somebody's own is before or behind all. */
	if (value < 0 || value > UINT8_MAX)
		value = value < 0 ? 0 : UINT8_MAX;
	return (struct place){
		by_name(value, query->descending
				       ? (int64_t)ranks_before(catalogue->names, mark->text)
				       : (int64_t)ranks_up_to(catalogue->names, mark->text) - 1),
		mark->text, 0};
}

static bool is_named(const struct catalogue_sight *sight, const char *name)
{
	for (size_t i = 0; i < sight->name_count; i++) {
		size_t length = strlen(sight->names[i]);

		if (strncasecmp(sight->names[i], name, length) == 0 &&
		    (name[length] == '\0' || name[length] == '/'))
			return true;
	}
	return false;
}

static bool is_owned(const struct catalogue_sight *sight, int64_t owner_id)
{
	for (size_t i = 0; i < sight->owner_count; i++)
		if (sight->owners[i] == owner_id)
			return true;
	return false;
}

static bool may_see(const struct catalogue_sight *sight, const struct entry *entry)
{
	if (!entry->is_private)
		return true;
	return (sight->all_owners || is_owned(sight, entry->owner_id)) &&
	       (!sight->scoped || is_named(sight, entry->name));
}

static bool has_term(const struct entry *entry, uint32_t term)
{
	for (uint32_t i = 0; i < entry->term_count; i++)
		if (entry->terms[i] == term)
			return true;
	return false;
}

static bool has_text(const struct look *look, const struct entry *entry, size_t search)
{
	const char *needle = look->search[search];

	if (sign_covers(&entry->sign, &look->signs[search]) &&
	    (strstr(entry->name, needle) || strstr(entry->title, needle)))
		return true;
	for (uint32_t i = 0; look->tag_search && i < entry->term_count; i++)
		if (look->tag_search[search][entry->terms[i]])
			return true;
	return false;
}

static bool is_asked_for(const struct look *look, const struct entry *entry)
{
	for (size_t i = 0; i < look->term_count; i++)
		if (!has_term(entry, look->terms[i]))
			return false;
	for (size_t i = 0; i < look->query->search.count; i++)
		if (!has_text(look, entry, i))
			return false;
	return true;
}

/* Put `place` where the hole at `at` is, or below it. */
static void sink(struct look *look, size_t at, struct place place)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < look->count &&
		    is_before(look, &look->best[child], &look->best[child + 1]))
			child++;
		if (child >= look->count || !is_before(look, &place, &look->best[child]))
			break;
		look->best[at] = look->best[child];
		at = child;
	}
	look->best[at] = place;
}

static void add(struct look *look, struct place place)
{
	if (look->count == look->room) {
		sink(look, 0, place);
		return;
	}
	look->best[look->count++] = place;
	if (look->count == look->room)
		for (size_t i = look->count / 2; i-- > 0;)
			sink(look, i, look->best[i]);
}

static bool is_of_kind(const struct catalogue_query *query, const struct entry *entry)
{
	return (entry->type & query->types) &&
	       (!query->owner_id || entry->owner_id == query->owner_id) &&
	       (!query->linked || entry->linked) && (!query->gated || entry->is_gated) &&
	       (!query->not_gated || !entry->is_gated);
}

/* What is quick to tell comes first: most entries are passed over by it. */
static void look_at(const struct catalogue *catalogue, struct look *look, const struct entry *entry)
{
	const struct catalogue_query *query = look->query;
	struct place place;

	if (!entry->name || !is_of_kind(query, entry) || !may_see(&query->sight, entry))
		return;
	place = place_of(catalogue, entry, query->order);
	if (query->after && !is_before(look, &look->after, &place))
		return;
	if (look->count == look->room && !is_before(look, &place, &look->best[0]))
		return;
	if (is_asked_for(look, entry))
		add(look, place);
}

/* From the end that the order starts with, so that the best are found early. */
static void look_at_all(const struct catalogue *catalogue, struct look *look)
{
	for (size_t i = 0; i < catalogue->end; i++)
		look_at(catalogue, look,
			&catalogue->entries[look->query->descending ? catalogue->end - 1 - i : i]);
}

static int compare_places(const void *a, const void *b, void *look)
{
	return is_before(look, a, b) ? -1 : is_before(look, b, a);
}

/* One was looked for beyond the limit, to know whether there is more. */
static void fill_page(const struct catalogue *catalogue, struct look *look,
		      struct catalogue_page *out)
{
	size_t limit = look->query->limit;

	qsort_r(look->best, look->count, sizeof(*look->best), compare_places, look);
	*out = (struct catalogue_page){.more = look->count > limit};
	out->count = out->more ? limit : look->count;
	out->found = mem_array(out->count + 1, sizeof(*out->found));
	for (size_t i = 0; i < out->count; i++) {
		struct catalogue_found *found = &out->found[i];
		const struct place *place = &look->best[i];

		found->id = place->id;
		found->mark.value = look->query->order == CATALOGUE_NAME
					    ? catalogue->entries[place->id].type
					    : place->value;
		snprintf(found->mark.text, sizeof(found->mark.text), "%s", place->text);
	}
}

int catalogue_find(struct catalogue *catalogue, const struct catalogue_query *query,
		   struct catalogue_page *out, struct err *err)
{
	owned(look_done) struct look look = {.query = query, .room = query->limit + 1};

	if (catalogue_learn(catalogue, err) < 0)
		return -1;
	look.best = mem_array(look.room, sizeof(*look.best));
	owned(rwlock_unlock) pthread_rwlock_t *held = lock_shared(catalogue);
	prepare_search(catalogue, &look);
	if (query->after)
		look.after = place_after(catalogue, query);
	if (find_terms(catalogue, &look))
		look_at_all(catalogue, &look);
	fill_page(catalogue, &look, out);
	return 0;
}

void catalogue_page_done(struct catalogue_page *page)
{
	free(page->found);
}

int catalogue_tags(struct catalogue *catalogue, unsigned type, struct str *out, struct err *err)
{
	owned(free) uint8_t *seen = NULL;

	if (catalogue_learn(catalogue, err) < 0)
		return -1;
	owned(rwlock_unlock) pthread_rwlock_t *held = lock_shared(catalogue);
	seen = mem_array(terms_end(catalogue->terms) + 1, 1);
	for (size_t i = 0; i < catalogue->end; i++) {
		const struct entry *entry = &catalogue->entries[i];

		if (!entry->name || entry->is_private || !(entry->type & type))
			continue;
		for (uint32_t t = 0; t < entry->term_count; t++)
			seen[entry->terms[t]] = 1;
	}
	for (uint32_t t = 0; t < terms_end(catalogue->terms); t++)
		if (seen[t] && terms_text(catalogue->terms, t)[0] != LINK_MARK)
			str_addf(out, "%s\n", terms_text(catalogue->terms, t));
	return str_check(out, "the list of tags", err);
}
