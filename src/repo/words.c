#include "repo/words.h"

#include <ctype.h>

#include "base/clock.h"

enum { MESSAGE_MAX_BYTES = 256 << 10, OBJECT_MAX_BYTES = 1 << 20 };

/* What a signature must not hold is left out, as git does. */
static void add_name(struct str *out, const char *name)
{
	for (; *name != '\0'; name++) {
		if ((unsigned char)*name >= 0x20 && *name != '<' && *name != '>')
			str_add_char(out, *name);
	}
}

static void signature_text(const struct change_meta *meta, struct str *out)
{
	add_name(out, meta->author);
	str_add(out, " <");
	if (meta->email && *meta->email != '\0') {
		add_name(out, meta->email);
	} else {
		add_name(out, meta->author);
		str_add(out, "@users.noreply.localhost");
	}
	str_add(out, ">");
}

static void message_text(const struct change_meta *meta, struct str *out)
{
	str_add(out, meta->title);
	if (meta->description && *meta->description != '\0')
		str_addf(out, "\n\n%s", meta->description);
	while (out->length > 0 && isspace((unsigned char)out->data[out->length - 1]))
		out->data[--out->length] = '\0';
	str_add_char(out, '\n');
}

int words_make(const struct change_meta *meta, struct words *out, struct err *err)
{
	owned(words_done) struct words words = {
		.signature = str_new(MESSAGE_MAX_BYTES),
		.message = str_new(MESSAGE_MAX_BYTES),
	};

	signature_text(meta, &words.signature);
	message_text(meta, &words.message);
	if (str_check(&words.signature, "the author", err) < 0 ||
	    str_check(&words.message, "the message", err) < 0)
		return -1;
	*out = words;
	words = WORDS_INIT;
	return 0;
}

void words_done(struct words *words)
{
	str_done(&words->signature);
	str_done(&words->message);
}

static int write_object(git_odb *odb, const struct str *text, git_object_t type, git_oid *out,
			struct err *err)
{
	const char *what = type == GIT_OBJECT_TAG ? "the tag" : "the commit";

	if (str_check(text, what, err) < 0)
		return -1;
	if (git_odb_write(out, odb, text->data, text->length, type) < 0)
		return inner_fail(err, "write an object");
	return 0;
}

int words_commit(const struct words *words, git_odb *odb, const git_oid *tree,
		 const git_oid *parent, git_oid *out, struct err *err)
{
	owned(str_done) struct str text = str_new(OBJECT_MAX_BYTES);
	long long now = clock_wall_ms() / 1000;
	char hex[GIT_HEX];

	str_addf(&text, "tree %s\n", git_oid_tostr(hex, sizeof(hex), tree));
	if (parent)
		str_addf(&text, "parent %s\n", git_oid_tostr(hex, sizeof(hex), parent));
	str_addf(&text, "author %s %lld +0000\n", words->signature.data, now);
	str_addf(&text, "committer %s %lld +0000\n\n", words->signature.data, now);
	str_add_n(&text, words->message.data, words->message.length);
	return write_object(odb, &text, GIT_OBJECT_COMMIT, out, err);
}

int words_tag(const struct words *words, git_odb *odb, const char *name, const git_oid *commit,
	      git_oid *out, struct err *err)
{
	owned(str_done) struct str text = str_new(OBJECT_MAX_BYTES);
	long long now = clock_wall_ms() / 1000;
	char hex[GIT_HEX];

	str_addf(&text, "object %s\ntype commit\n", git_oid_tostr(hex, sizeof(hex), commit));
	str_addf(&text, "tag %s\ntagger %s %lld +0000\n\n", name, words->signature.data, now);
	str_add_n(&text, words->message.data, words->message.length);
	return write_object(odb, &text, GIT_OBJECT_TAG, out, err);
}
