/*
 * topic_alarm - the alarms about troubles of topics.
 *
 * Alarms: credential:TOPIC, bad-device-token:TOPIC, not-for-topic:TOPIC.  Loop thread only.
 */
#ifndef MAILPUSH_FLOW_TOPIC_ALARM_H
#define MAILPUSH_FLOW_TOPIC_ALARM_H

#include "stats/topic_health.h"

/* A topic_health_changed_fn. */
void topic_alarm_set(void *ctx, const char *topic, enum topic_trouble trouble, bool begins);

#endif
