/* What flat reads, a full parser reads alike. */
#include "event/flat.h"

#include "fuzz.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flat flat;
	if (!flat_read((const char *)data, size, &flat))
		return 0;
	json_t *root = json_loadb((const char *)data, size, 0, NULL);
	assert(json_is_object(root));
	const char *key;
	json_t *value;
	size_t found = 0;
	json_object_foreach(root, key, value)
	{
		const struct flat_member *member = flat_get(&flat, key);
		assert(member);
		found++;
		if (!json_is_string(value)) {
			assert(json_is_integer(value) && !member->text);
			continue;
		}
		assert(member->text && member->size == json_string_length(value));
		assert(!memcmp(member->text, json_string_value(value), member->size + 1));
	}
	assert(found <= flat.count);
	json_decref(root);
	return 0;
}
