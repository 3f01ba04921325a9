#include "api/media.h"

#include <string.h>
#include <strings.h>

static const char text[] = "text/plain; charset=utf-8";

/* Extensions by IANA's registry of media types. html, svg, xml and js are missing on purpose. */
static const struct {
	const char *extension;
	const char *type;
} types[] = {
	{"c", text},
	{"cfg", text},
	{"css", text},
	{"csv", "text/csv; charset=utf-8"},
	{"gif", "image/gif"},
	{"h", text},
	{"htm", text},
	{"html", text},
	{"ini", text},
	{"ipynb", text},
	{"jpeg", "image/jpeg"},
	{"jpg", "image/jpeg"},
	{"js", text},
	{"json", "application/json; charset=utf-8"},
	{"jsonl", text},
	{"lock", text},
	{"md", text},
	{"mjs", text},
	{"mp3", "audio/mpeg"},
	{"mp4", "video/mp4"},
	{"ogg", "audio/ogg"},
	{"png", "image/png"},
	{"py", text},
	{"rst", text},
	{"sh", text},
	{"svg", text},
	{"toml", text},
	{"ts", text},
	{"tsv", "text/tab-separated-values; charset=utf-8"},
	{"txt", text},
	{"wav", "audio/wav"},
	{"webm", "video/webm"},
	{"webp", "image/webp"},
	{"xhtml", text},
	{"xml", text},
	{"yaml", text},
	{"yml", text},
};

/* Names without an extension that are text, too. */
static const char *const plain_names[] = {".gitattributes", ".gitignore", "Dockerfile", "LICENSE",
					  "Makefile"};

const char *media_type(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < sizeof(plain_names) / sizeof(plain_names[0]); i++)
		if (strcmp(name, plain_names[i]) == 0)
			return text;
	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(dot + 1, types[i].extension) == 0)
			return types[i].type;
	return "application/octet-stream";
}
