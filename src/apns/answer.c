#include "apns/answer.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NUMBER_DIGITS 9
#define DATE_SIZE 40 /* with its NUL; the longest form has 33 */

void answer_init(struct apns_answer *answer, enum apns_ending ending)
{
	answer->ending = ending;
	answer->status = 0;
	answer->reason[0] = '\0';
	answer->timestamp_unix_ms = 0;
	answer->retry_after_ms = -1;
	answer->retry_at_unix_ms = 0;
}

/* -1: not a number. */
static int64_t read_number(const char *text, size_t size)
{
	int64_t number = 0;
	if (size == 0 || size > NUMBER_DIGITS)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number;
}

static void read_status(struct apns_answer *answer, const char *value, size_t size)
{
	int64_t status = read_number(value, size);
	/* Trailers say nothing about the answer. */
	if (answer->status < 200)
		answer->status = status >= 100 && status <= 999 ? (int)status : 0;
}

static void read_retry_after(struct apns_answer *answer, const char *value, size_t size)
{
	/* The three forms of RFC 9110 5.6.7. */
	static const char *const forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
	char date[DATE_SIZE];
	int64_t seconds = read_number(value, size);
	if (seconds >= 0) {
		int64_t most = VERDICT_RETRY_AFTER_MAX_MS / 1000;
		answer->retry_after_ms = (seconds < most ? seconds : most) * 1000;
		return;
	}
	if (size >= sizeof(date) || memchr(value, '\0', size))
		return;
	memcpy(date, value, size);
	date[size] = '\0';
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm when = {0};
		const char *end = strptime(date, forms[i], &when);
		if (end && !*end) {
			int64_t at_s = timegm(&when);
			answer->retry_at_unix_ms = at_s > 0 ? at_s * 1000 : 0;
			return;
		}
	}
}

static bool is_named(const char *name, size_t size, const char *wanted)
{
	return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

void answer_read_header(struct apns_answer *answer, const char *name, size_t name_size,
	const char *value, size_t value_size)
{
	if (is_named(name, name_size, ":status"))
		read_status(answer, value, value_size);
	else if (is_named(name, name_size, "retry-after"))
		read_retry_after(answer, value, value_size);
}

/* A reason is one word; other text would only fill logs and tables. */
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
