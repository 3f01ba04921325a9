#include "runner/toml.h"

#include <string.h>

/* Bytes above ASCII are UTF-8 and stay as they are: runc's configuration takes nothing else. */
static void add_char(struct str *out, unsigned char c)
{
	enum { DELETE = 0x7f };

	switch (c) {
	case '"':
	case '\\':
		str_add_char(out, '\\');
		str_add_char(out, (char)c);
		return;
	case '\n':
		str_add(out, "\\n");
		return;
	default:
		if (c < ' ' || c == DELETE)
			str_addf(out, "\\u%04X", c);
		else
			str_add_char(out, (char)c);
	}
}

void toml_add(struct str *out, const char *variable)
{
	size_t name = strcspn(variable, "=");

	str_add_n(out, variable, name);
	str_add(out, " = \"");
	for (const char *at = variable + name + (variable[name] == '='); *at; at++)
		add_char(out, (unsigned char)*at);
	str_add(out, "\"\n");
}
