#include "fuzz.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "route/lookup.h"

/* The one input of the nginx module: the Host of a request, as bytes that need not end in NUL. */

static const char *const domains[] = {"localhost", "hub.espace", "a"};

/* What was taken for a name under the domain, said in another way than lookup.h says it. */
static void check_label(const char *host, size_t length, size_t label, const char *domain)
{
	assert(!memchr(host, '.', label));
	assert(host[label] == '.');
	assert(length == label + 1 + strlen(domain));
	assert(strncasecmp(host + label + 1, domain, strlen(domain)) == 0);
}

/* A key is found under its own name only, also by a reader that gets it in another case. */
static void check_key(const char *label, size_t length)
{
	owned(free) struct route_table *table = mem_new(struct route_table);
	struct route_entry *entry;
	struct route_key key, upper;
	char other[ROUTE_SLUG_ROOM];

	if (!route_key_init(&key, label, length))
		return;
	assert(length < ROUTE_SLUG_ROOM);
	for (size_t i = 0; i < length; i++)
		other[i] = (char)toupper((unsigned char)label[i]);
	assert(route_key_init(&upper, other, length));
	assert(memcmp(key.words, upper.words, sizeof(key.words)) == 0 && key.hash == upper.hash);

	entry = &table->entries[key.hash % ROUTE_ENTRIES];
	assert(!route_find(table, &key));
	for (size_t i = 0; i < ROUTE_SLUG_WORDS; i++)
		atomic_store(&entry->slug[i], key.words[i]);
	atomic_store(&entry->state, ROUTE_RUNNING);
	assert(route_find(table, &key) == entry);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const char *host = (const char *)bytes;

	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		size_t label = route_label_length(host, length, domains[i], strlen(domains[i]));

		if (label > 0) {
			check_label(host, length, label, domains[i]);
			check_key(host, label);
		}
	}
	return 0;
}
