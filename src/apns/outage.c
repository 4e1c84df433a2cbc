#include "apns/outage.h"

#include <stdio.h>

static void describe(const struct apns_answer *answer, char text[ERR_TEXT_MAX])
{
	char what[ERR_TEXT_MAX / 2] = "Apple does not answer";
	if (answer->ending == APNS_ANSWERED)
		snprintf(what, sizeof(what), "Apple answers %d %s", answer->status, answer->reason);
	else if (answer->ending != APNS_SILENT)
		snprintf(what, sizeof(what), "Apple ends connections without an answer");
	snprintf(text, ERR_TEXT_MAX,
		"%s, and has accepted no push for minutes; pushes wait and are retried", what);
}

bool outage_failed(struct outage *outage, const struct apns_answer *answer, int64_t now_ms,
	char text[ERR_TEXT_MAX])
{
	if (outage->failing_since_ms == 0)
		outage->failing_since_ms = now_ms;
	if (now_ms - outage->failing_since_ms < outage->limit_ms)
		return false;
	outage->is_on = true;
	describe(answer, text);
	return true;
}

bool outage_end(struct outage *outage)
{
	bool was_on = outage->is_on;
	outage->failing_since_ms = 0;
	outage->is_on = false;
	return was_on;
}

bool outage_starved(struct outage *outage, int64_t now_ms)
{
	if (outage->starving_since_ms == 0)
		outage->starving_since_ms = now_ms;
	if (now_ms - outage->starving_since_ms < outage->limit_ms)
		return false;
	outage->starving_since_ms = 0;
	outage->is_on = true;
	return true;
}

void outage_fed(struct outage *outage)
{
	outage->starving_since_ms = 0;
}

int64_t outage_due_ms(const struct outage *outage)
{
	return outage->starving_since_ms ? outage->starving_since_ms + outage->limit_ms : INT64_MAX;
}
