/*
 * admission - what an event is at the door: malformed, one from which nothing follows, or one to
 * take in.
 *
 * Logged, counted and shown to those who follow.  Loop thread only.  Keeps nothing.
 */
#ifndef MAILPUSH_ARRIVAL_ADMISSION_H
#define MAILPUSH_ARRIVAL_ADMISSION_H

#include "arrival/overload.h"
#include "base/err.h"
#include "config/config.h"
#include "config/input_files.h"
#include "event/relay.h"
#include "stats/observer.h"

struct admission_needs {
	const struct config *config;
	const struct input_files *input_files;
	struct metrics *metrics;
	const struct observer *observer;
	struct overload *overload;
};

/*
 * `through`: which way it came; `may_shed`: nobody waits for it.  *ret is the caller's, and NULL if
 * nothing follows.  Fails with -EBADMSG.
 */
int admission_decide(const struct admission_needs *needs, const char *json, size_t size,
	const char *through, bool may_shed, struct mail_event **ret, enum relay_action *ret_action,
	struct err *err);

#endif
