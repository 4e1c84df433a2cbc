#include "apns/answer.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define RETRY_AFTER_MAX_S (24 * 60 * 60)
#define RETRY_AFTER_DIGITS 9

void answer_init(struct apns_answer *answer, enum apns_ending ending)
{
	answer->ending = ending;
	answer->status = 0;
	answer->reason[0] = '\0';
	answer->timestamp_unix_ms = 0;
	answer->retry_after_ms = -1;
}

/* -1: not a number. */
static int64_t read_number(const char *text, size_t size)
{
	int64_t number = 0;
	if (size == 0 || size > RETRY_AFTER_DIGITS)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

static bool is_named(const char *name, size_t size, const char *wanted)
{
	return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

void answer_read_header(struct apns_answer *answer, const char *name, size_t name_size,
	const char *value, size_t value_size)
{
	if (is_named(name, name_size, ":status")) {
		int64_t status = read_number(value, value_size);
		answer->status = status >= 100 && status <= 999 ? (int)status : 0;
	} else if (is_named(name, name_size, "retry-after")) {
		int64_t seconds = read_number(value, value_size);
		if (seconds >= 0)
			answer->retry_after_ms =
				(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
	}
}

/* Reasons are words; anything else would end up in logs and tables for nothing. */
static bool is_reason(const char *text, size_t size)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	return size < VERDICT_REASON_MAX && strspn(text, allowed) == size;
}

void answer_read_body(struct apns_answer *answer, const char *body, size_t size)
{
	json_t *json = size > 0 ? json_loadb(body, size, 0, NULL) : NULL;
	const json_t *reason = json_object_get(json, "reason");
	const json_t *timestamp = json_object_get(json, "timestamp");

	if (json_is_string(reason) &&
		is_reason(json_string_value(reason), json_string_length(reason)))
		memcpy(answer->reason, json_string_value(reason), json_string_length(reason) + 1);
	if (json_is_integer(timestamp) && json_integer_value(timestamp) > 0)
		answer->timestamp_unix_ms = json_integer_value(timestamp);
	json_decref(json);
}
