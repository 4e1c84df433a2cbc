/*
 * doctor_apple - is there a credential for the topic, is it good, and can Apple be reached?
 */
#ifndef MAILPUSH_CTL_DOCTOR_APPLE_H
#define MAILPUSH_CTL_DOCTOR_APPLE_H

#include "ctl/findings.h"
#include "daemon/config.h"
#include "daemon/sources.h"

#include <jansson.h>
#include <stdint.h>

/*
 * `topics` are those that credentials could be loaded for; `is_complete`: there are no others.
 */
void doctor_apple_judge_topic(struct findings *findings, const char *imapd_conf,
	const char *aps_topic, const char *const *topics, size_t topic_count, bool is_complete);
/* The daemon's answer to a check. */
void doctor_apple_judge_answer(
	struct findings *findings, const json_t *answer, const char *imapd_conf);
/* From the files alone. */
void doctor_apple_judge_files(struct findings *findings, const struct config *config,
	const struct sources *sources, int64_t now_unix_ms);
/* Is it the Apple that phones listen to? */
void doctor_apple_judge_host(struct findings *findings, const char *path, const char *host);
/* Waits: connects to Apple as the daemon would, but without a credential. */
void doctor_apple_reach(struct findings *findings, const struct config *config);

#endif
