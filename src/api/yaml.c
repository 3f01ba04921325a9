#include "api/call.h"

#include <string.h>

#include "api/answer.h"
#include "space/advice.h"

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
		http_status(call->answer, 400);
	answer_json(call->answer, json_pack("{s:O, s:O}", "errors", errors, "warnings", warnings));
	return 0;
}
