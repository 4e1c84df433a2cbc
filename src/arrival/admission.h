/*
 * admission - what an event is at the door: malformed, one from which nothing follows, or one to
 * take in.
 *
 * Logged, counted and shown to those who follow.  Loop thread only.  Keeps nothing.
 */
#ifndef MAILPUSH_ARRIVAL_ADMISSION_H
#define MAILPUSH_ARRIVAL_ADMISSION_H

#include "arrival/origin.h"
#include "arrival/overload.h"
#include "base/err.h"
#include "config/config.h"
#include "config/input_files.h"
#include "event/relay.h"
#include "stats/observer.h"
#include "trace/trace.h"

struct admission_needs {
	const struct config *config;
	const struct input_files *input_files;
	struct metrics *metrics;
	const struct observer *observer;
	struct overload *overload;
	struct trace *trace;
};

/* One as it came. */
struct admission_request {
	const struct origin *origin;
	const char *json;
	size_t size;
	const char *through; /* which way it came */
	bool may_shed;	     /* nobody waits for it */
};

struct admission {
	struct mail_event *event; /* the caller's; NULL: nothing follows */
	enum relay_action action;
	/* Without an event: the topic that its sender gets with the OK; NULL: none. */
	const char *told;
};

/*
 * Fails with -EBADMSG: malformed; and for Dovecot's plugin with -EPERM: its sender may not say
 * that, -ENOENT: there is no topic, -ENOTSUP: a registration for a subtopic that is not configured,
 * which Cyrus' are taken for and ignored.
 */
int admission_decide(const struct admission_needs *needs, const struct admission_request *request,
	struct admission *ret, struct err *err);

#endif
