/* The JSON of an answer's body or of a GOAWAY, as Apple's server sends it. */
#include "apns/answer.h"

#include "fuzz.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apns_answer answer;
	answer_init(&answer, APNS_ANSWERED);
	answer.status = 410;
	answer_read_body(&answer, (const char *)data, size);

	assert(strnlen(answer.reason, sizeof(answer.reason)) < sizeof(answer.reason));
	for (const char *c = answer.reason; *c; c++)
		assert(isalnum((unsigned char)*c) || *c == '_' || *c == '-');
	assert(answer.timestamp_unix_ms >= 0);

	const struct verdict_context context = {.sent_unix_ms = 1, .now_unix_ms = 2};
	const struct verdict verdict = verdict_of(&answer, &context);
	assert(verdict.action == VERDICT_FORGET);
	assert(verdict.forget_before_unix_ms <= context.sent_unix_ms);
	return 0;
}
