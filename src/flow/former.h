/*
 * former - the topics that Cyrus gave to phones before its aps_topic was changed.
 *
 * An imapd goes on answering with the topic that it has read when it was started, for as long as a
 * client stays connected, and the event does not say which that was.  So a phone that registers
 * within a day of the change may listen on the former topic or on the new one: it is registered,
 * and pushed to, on both until it registers again (it accepts one of them, the other push gets a
 * 200 from Apple and is dropped by the phone).
 *
 * Pure; the rows live in the queue's file, as each daemon has a Cyrus of its own.  Loop thread.
 */
#ifndef MAILPUSH_FLOW_FORMER_H
#define MAILPUSH_FLOW_FORMER_H

#include "queue/store.h"

#include <stddef.h>
#include <stdint.h>

#define FORMER_MAX 4
#define FORMER_FOR_MS INT64_C(86400000) /* a day */

struct former;

struct former *former_new(void);
void former_free(struct former *former);

/* At start, what was stored; until_ms 0: the topic of now. */
void former_load(struct former *former, const char *topic, int64_t until_ms);
/*
 * imapd.conf says `topic`, "" for none (then the last one counts on: who still answers, answers
 * that).  When there is something to store: a job for it, without a seq yet; else NULL.
 */
struct queue_job *former_note(struct former *former, const char *topic, int64_t now_unix_ms);

/* The topic of now; "" before there was one. */
const char *former_current(const struct former *former);
/* The others that a phone which registered then may listen on; borrowed until former_note. */
size_t former_topics(
	const struct former *former, int64_t registered_unix_ms, const char *ret[FORMER_MAX]);

#endif
