/*
 * doctor_apple - is there a valid credential for the topic, and can Apple be reached?
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_APPLE_H
#define MAILPUSH_DOCTOR_DOCTOR_APPLE_H

#include "checkup/report.h"
#include "config/config.h"
#include "config/input_files.h"

#include <jansson.h>
#include <stdint.h>

/*
 * `topics` are those of the credentials that could be loaded; `is_complete`: all could.
 */
void doctor_apple_judge_topic(struct report *findings, const char *imapd_conf,
	const char *aps_topic, const char *const *topics, size_t topic_count, bool is_complete);
/* The daemon's answer to a check. */
void doctor_apple_judge_answer(
	struct report *findings, const json_t *answer, const char *imapd_conf);
/* From the files alone. */
void doctor_apple_judge_files(struct report *findings, const struct config *config,
	const struct input_files *sources, int64_t now_unix_ms);
/* Is it the service of Apple that phones connect to? */
void doctor_apple_judge_host(struct report *findings, const char *path, const char *host);
/* Waits: connects to Apple as the daemon would, but without a credential. */
void doctor_apple_reach(struct report *findings, const struct config *config);

#endif
