#include "fuzz.h"

#include "base/json.h"
#include "space/hardware.h"

/* The file of hardware; what it is taken for can be shown. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	owned(hardware_free) struct hardware *hardware = NULL;
	owned(json_decref) json_t *list = NULL;
	struct err err = ERR_INIT;

	if (hardware_parse((const char *)data, size, &hardware, &err) < 0)
		return 0;
	list = hardware_json(hardware);
	if (!list || hardware_limits(hardware, "x").cpu_milli == 0)
		__builtin_trap();
	return 0;
}
