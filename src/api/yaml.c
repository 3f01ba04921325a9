#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "space/advice.h"

/* As every refusal has it, and all of them in the shape that clients read here. */
static void answer_errors(struct call *call, json_t *errors, json_t *warnings)
{
	json_t *first = json_object_get(json_array_get(errors, 0), "message");
	owned(free) char *line = answer_line(json_string_value(first));

	http_status(call->answer, 400);
	http_add_header(call->answer, "X-Error-Message", line);
	answer_json(call->answer, json_pack("{s:O, s:O, s:O}", "error", first, "errors", errors,
					    "warnings", warnings));
}

/*
 * Is this README's front matter fit for upload? B9. Clients parse the body before they look at the
 * status, and ask before every upload that has a README.
 */
int call_validate_yaml(struct call *call, struct err *err)
{
	owned(json_decref) json_t *errors = json_array();
	owned(json_decref) json_t *warnings = json_array();
	const char *type_name = NULL;
	enum repo_type type;
	const char *content;
	json_t *body;

	if (call_json(call, &body, err) < 0 || json_need_text(body, "content", &content, err) < 0 ||
	    json_get_text(body, "repoType", &type_name, err) < 0 ||
	    repo_type_parse(type_name, &type, err) < 0)
		return -1;
	advice_give(content, strlen(content), type, errors, warnings);
	if (json_array_size(errors) > 0)
		answer_errors(call, errors, warnings);
	else
		answer_json(call->answer,
			    json_pack("{s:O, s:O}", "errors", errors, "warnings", warnings));
	return 0;
}
