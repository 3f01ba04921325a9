#include "runner/firewall.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/proc.h"
#include "base/str.h"

/* Without the members of sets, of which others have hundreds of thousands. */
enum { RULESET_MAX_BYTES = 16 * 1024 * 1024 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return strcmp(text_of(a, key), text_of(b, key)) == 0;
}

/* A rule's words: its verdict, and what it asks before. */
struct rule {
	bool accepts;
	bool refuses;
	bool asks_in;  /* whether the packet comes from the bridge */
	bool asks_out; /* whether it goes there */
	bool asks_more;
};

/* "es-abc123", or "es-*" for all that start so. */
static bool names_bridge(const json_t *value, const char *bridge)
{
	const char *text = json_string_value(value);
	size_t length = text ? strlen(text) : 0;

	if (length > 0 && text[length - 1] == '*')
		return strncmp(text, bridge, length - 1) == 0;
	return length > 0 && strcmp(text, bridge) == 0;
}

static void read_match(const json_t *match, const char *bridge, struct rule *out)
{
	const json_t *left = json_object_get(match, "left");
	const char *key = text_of(json_object_get(left, "meta"), "key");
	bool ours = strcmp(text_of(match, "op"), "==") == 0 &&
		    names_bridge(json_object_get(match, "right"), bridge);

	if (ours && strcmp(key, "iifname") == 0)
		out->asks_in = true;
	else if (ours && strcmp(key, "oifname") == 0)
		out->asks_out = true;
	/* Of what goes to the bridge we let pass answers only, in any case. */
	else if (strcmp(text_of(json_object_get(left, "ct"), "key"), "state") != 0)
		out->asks_more = true;
}

static struct rule read_rule(const json_t *rule, const char *bridge)
{
	struct rule out = {0};
	size_t i;
	json_t *word;

	json_array_foreach (json_object_get(rule, "expr"), i, word) {
		if (json_object_get(word, "match"))
			read_match(json_object_get(word, "match"), bridge, &out);
		else if (json_object_get(word, "accept"))
			out.accepts = true;
		else if (json_object_get(word, "drop") || json_object_get(word, "reject"))
			out.refuses = true;
		else if (!json_object_get(word, "counter") && !json_object_get(word, "log"))
			out.asks_more = true;
	}
	return out;
}

/* What the rules of a chain's table say about our bridge. */
struct opinion {
	bool accepts_in;
	bool accepts_out;
	bool refuses_all; /* a last rule in the place of a policy */
};

static struct opinion opinion_of(const json_t *objects, const json_t *chain, const char *bridge)
{
	struct opinion out = {0};
	size_t i;
	json_t *object;

	json_array_foreach (objects, i, object) {
		const json_t *json = json_object_get(object, "rule");
		struct rule rule;

		if (!json || !same(json, chain, "family") || !same(json, chain, "table"))
			continue;
		rule = read_rule(json, bridge);
		if (rule.accepts && !rule.asks_more) {
			out.accepts_in |= rule.asks_in && !rule.asks_out;
			out.accepts_out |= rule.asks_out && !rule.asks_in;
		}
		if (rule.refuses && !rule.asks_in && !rule.asks_out && !rule.asks_more &&
		    strcmp(text_of(json, "chain"), text_of(chain, "name")) == 0)
			out.refuses_all = true;
	}
	return out;
}

static const char *hook_of(const json_t *chain)
{
	static const char *const hooks[] = {"forward", "input"};
	static const char *const families[] = {"ip", "inet"};

	for (size_t i = 0; i < 4; i++)
		if (strcmp(text_of(chain, "type"), "filter") == 0 &&
		    strcmp(text_of(chain, "hook"), hooks[i / 2]) == 0 &&
		    strcmp(text_of(chain, "family"), families[i % 2]) == 0)
			return hooks[i / 2];
	return NULL;
}

static struct firewall_finding finding_of(const json_t *chain, const char *hook, const char *bridge,
					  bool accepts_in)
{
	struct firewall_finding out = {.hook = hook};

	snprintf(out.chain, sizeof(out.chain), "%s %s %s", text_of(chain, "family"),
		 text_of(chain, "table"), text_of(chain, "name"));
	snprintf(out.repair, sizeof(out.repair), "nft insert rule %s %s %s accept", out.chain,
		 accepts_in ? "oifname" : "iifname", bridge);
	return out;
}

void firewall_judge(const char *bridge, const json_t *ruleset,
		    void (*each)(void *arg, const struct firewall_finding *finding), void *arg)
{
	const json_t *objects = json_object_get(ruleset, "nftables");
	size_t i;
	json_t *object;

	json_array_foreach (objects, i, object) {
		const json_t *chain = json_object_get(object, "chain");
		const char *hook = chain ? hook_of(chain) : NULL;
		struct firewall_finding finding;
		struct opinion opinion;

		if (!hook)
			continue;
		opinion = opinion_of(objects, chain, bridge);
		if (strcmp(text_of(chain, "policy"), "drop") != 0 && !opinion.refuses_all)
			continue;
		/* One finding for each direction: each has its own command. */
		for (int out = 0; out < (strcmp(hook, "forward") == 0 ? 2 : 1); out++) {
			if (out ? opinion.accepts_out : opinion.accepts_in)
				continue;
			finding = finding_of(chain, hook, bridge, out);
			each(arg, &finding);
		}
	}
}

int firewall_look(const struct datadir *dir,
		  void (*each)(void *arg, const struct firewall_finding *finding), void *arg,
		  struct err *err)
{
	static const char *const argv[] = {"nft", "--json", "--terse", "list", "ruleset", NULL};
	owned(str_done) struct str output = str_new(RULESET_MAX_BYTES);
	owned(json_decref) json_t *ruleset = NULL;
	char bridge[IFNAMSIZ];
	const char *start;
	const char *end;

	snprintf(bridge, sizeof(bridge), "es-%s", dir->instance);
	if (proc_run(argv, NULL, &output, err) < 0)
		return err_in(err, "list of all firewall rules");
	start = strchr(output.data, '{'); /* some versions print warnings around it */
	end = strrchr(output.data, '}');
	if (!start || !end || end < start)
		return err_set(err, ERR_INVALID, "the list of all firewall rules is empty");
	if (json_parse(start, (size_t)(end - start) + 1, &ruleset, err) < 0)
		return err_in(err, "list of all firewall rules");
	firewall_judge(bridge, ruleset, each, arg);
	return 0;
}
