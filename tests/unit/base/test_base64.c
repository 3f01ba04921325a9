#include "test.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

/* Decode `text` in two pieces, cut at `cut`. */
static int decode(const char *text, size_t cut, char *out, size_t *length)
{
	struct base64_reader reader = BASE64_READER_INIT;
	struct err err = ERR_INIT;
	size_t first, second;

	if (base64_read(&reader, text, cut, out, &first, &err) < 0 ||
	    base64_read(&reader, text + cut, strlen(text) - cut, out + first, &second, &err) < 0 ||
	    base64_end(&reader, &err) < 0) {
		assert_int_equal(err.kind, ERR_INVALID);
		return -1;
	}
	*length = first + second;
	return 0;
}

/* RFC 4648, section 10. */
static void every_split_gives_the_same_bytes(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"Zg==", "f"},
		{"Zm8=", "fo"},
		{"Zm9v", "foo"},
		{"Zm9vYg==", "foob"},
		{"Zm9vYmE=", "fooba"},
		{"Zm9vYmFy", "foobar"},
		{"++//AAAA", "\xfb\xef\xff\0\0\0"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t expected = i == 7 ? 6 : strlen(pairs[i][1]);

		for (size_t cut = 0; cut <= strlen(pairs[i][0]); cut++) {
			char out[32];
			size_t length;

			assert_int_equal(decode(pairs[i][0], cut, out, &length), 0);
			assert_int_equal(length, expected);
			assert_memory_equal(out, pairs[i][1], expected);
		}
	}
}

static void bad_texts_are_refused_at_every_split(void **state)
{
	static const char *const texts[] = {
		"Z",
		"Zg",
		"Zg=",
		"Zm8",
		"Zm9vY",
		"Zm9vYg",
		"=",
		"====",
		"Z===",
		"Zg===",
		"Zg==Z",
		"Zg==Zg==",
		"Zm8=Zm9v",
		"Zm 9v",
		"Zm9v\n",
		"Zm9-",
		"Zm9_",
		"Zg=v",
		"Z=g=",
		"Zm8==",
		"Zh==",
		"Zm9=",
		"\xff\xff\xff\xff",
		"Zm9v=",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t cut = 0; cut <= strlen(texts[i]); cut++) {
			char out[32];
			size_t length;

			if (decode(texts[i], cut, out, &length) == 0)
				fail_msg("accepted \"%s\"", texts[i]);
		}
	}
}

static void single_characters_are_pieces_too(void **state)
{
	static const char text[] = "AAECAwQFBgcICQ==";
	struct base64_reader reader = BASE64_READER_INIT;
	struct err err = ERR_INIT;
	unsigned char bytes[32];
	size_t done = 0;

	for (size_t i = 0; i < strlen(text); i++) {
		unsigned char out[BASE64_ROOM(1)];
		size_t length;

		assert_int_equal(base64_read(&reader, text + i, 1, out, &length, &err), 0);
		assert_true(length <= BASE64_ROOM(1));
		memcpy(bytes + done, out, length);
		done += length;
	}
	assert_int_equal(base64_end(&reader, &err), 0);
	assert_int_equal(done, 10);
	for (unsigned char i = 0; i < 10; i++)
		assert_int_equal(bytes[i], i);
}

static void output_never_passes_its_room(void **state)
{
	for (size_t carried = 0; carried < 4; carried++) {
		for (size_t length = 0; length < 20; length++) {
			struct base64_reader reader = BASE64_READER_INIT;
			owned(free) char *out = mem_alloc(BASE64_ROOM(length));
			char text[32], head[8];
			struct err err = ERR_INIT;
			size_t made;

			memset(text, 'A', sizeof(text));
			assert_int_equal(base64_read(&reader, text, carried, head, &made, &err), 0);
			assert_int_equal(base64_read(&reader, text, length, out, &made, &err), 0);
			assert_true(made <= BASE64_ROOM(length));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gives_the_same_bytes),
		cmocka_unit_test(bad_texts_are_refused_at_every_split),
		cmocka_unit_test(single_characters_are_pieces_too),
		cmocka_unit_test(output_never_passes_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
