/* The value of Retry-After: seconds, one of three forms of a date, or anything else. */
#include "apns/answer.h"

#include "fuzz.h"

#include <assert.h>

#define NOW_MS INT64_C(1800000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apns_answer answer;
	answer_init(&answer, APNS_ANSWERED);
	answer.status = 503;
	answer_read_header(&answer, "Retry-After", 11, (const char *)data, size);
	assert(answer.retry_after_ms >= -1);
	assert(answer.retry_after_ms <= VERDICT_RETRY_AFTER_MAX_MS);
	assert(answer.retry_at_unix_ms >= 0);

	const struct verdict_context context = {.now_unix_ms = NOW_MS};
	const struct verdict verdict = verdict_of(&answer, &context);
	assert(verdict.action == VERDICT_RETRY);
	assert(verdict.delay_ms == -1 || verdict.delay_ms > 0);
	assert(verdict.delay_ms <= VERDICT_RETRY_AFTER_MAX_MS);
	return 0;
}
