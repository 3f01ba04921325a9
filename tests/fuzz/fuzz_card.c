#include "fuzz.h"

#include "base/json.h"
#include "space/advice.h"
#include "space/card.h"

/* The front matter of a README: whatever a person may push. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	owned(json_decref) json_t *errors = json_array();
	owned(json_decref) json_t *warnings = json_array();
	owned(card_done) struct card card = CARD_INIT;
	struct err err = ERR_INIT;

	if (card_parse((const char *)data, size, &card, &err) < 0)
		card_done(&card);
	advice_give((const char *)data, size, REPO_SPACE, errors, warnings);
	advice_give((const char *)data, size, REPO_MODEL, errors, warnings);
	return 0;
}
