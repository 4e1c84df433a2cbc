#include "show/show_time.h"

#include "base/clock.h"

double show_time_now_s(void)
{
	return (double)clock_unix_ms() / CLOCK_SECOND_MS;
}

const char *show_time_ago(const json_t *json, const char *key, char ret[FORMAT_SIZE])
{
	const json_t *time = json_object_get(json, key);
	return json_is_number(time) ? format_ago(json_number_value(time), show_time_now_s(), ret)
				    : "never";
}
