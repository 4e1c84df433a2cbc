/*
 * Of judge.h: which topics a phone registers for.
 */
#include "judge_inner.h"

#include "../sending.h"
#include "../virtual.h"
#include "base/clock.h"

#include <string.h>

#define SLACK_MS CLOCK_HOUR_MS /* what was received then may be done so much later */

static struct {
	const char *topic, *former;
	int64_t changed_ms; /* monotonic; 0: never */
	unsigned jumps;
} topics;

void judge_topic_changed(const char *former, const char *topic)
{
	topics.topic = topic;
	topics.former = former;
	topics.changed_ms = virtual_now_ms();
	topics.jumps = virtual_jumps();
}

/* What a jump of the clock makes of the day is former.c's own test. */
void judge_topics(const struct registry_job *job)
{
	int64_t since_ms = virtual_now_ms() - topics.changed_ms;
	bool is_old = clock_unix_ms() - job->received_ms > SLACK_MS;
	bool has_former = false;
	for (size_t i = 0; i < job->former_topic_count; i++) {
		judge_rule(topics.changed_ms && strcmp(job->former_topics[i], job->topic) != 0,
			"a former topic is one that there was, and not the one of now");
		has_former = has_former || !strcmp(job->former_topics[i], topics.former);
	}
	if (is_old || !topics.changed_ms || topics.jumps != virtual_jumps() ||
		strcmp(job->topic, topics.topic) != 0)
		return;
	judge_rule(!has_former || since_ms < CLOCK_DAY_MS + SLACK_MS,
		"a day after the change the former topic is over");
	judge_rule(has_former || since_ms > CLOCK_DAY_MS - SLACK_MS ||
			sending_missing_ms(topics.former) >= topics.changed_ms,
		"who registers within a day of the change is registered for both topics");
}
