#include "console/member.h"

const char *member_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? text : "";
}

double member_number(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}

long long member_count(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

bool member_is_true(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}
