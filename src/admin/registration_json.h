/*
 * registration_json - a registration as one JSON object: what `mailpushctl export` writes and
 * `import` takes, described in mailpushctl(8).
 *
 * Pure, and bounded: it validates a line as strictly as an event (event.h).  Unknown members are
 * ignored.
 */
#ifndef MAILPUSH_ADMIN_REGISTRATION_JSON_H
#define MAILPUSH_ADMIN_REGISTRATION_JSON_H

#include "base/err.h"
#include "event/event.h"
#include "registry/registry_job.h"

#include <jansson.h>

#define REGISTRATION_JSON_REASON_MAX 64 /* bytes of stopped_reason */

struct registration_json {
	struct mail_event *event; /* of EVENT_APPLE_PUSH_SERVICE */
	const char *topic;	  /* borrowed from the JSON, as what `past` says */
	bool confirmed;
	int64_t renewed_ms; /* 0: past.is_undated */
	struct registry_past past;
};

json_t *registration_json_of(const struct registry_listed *listed);
/* A failure names the member and what is wrong with it; then the caller frees nothing. */
int registration_json_read(const struct mailbox_namespace *names, const json_t *json,
	struct registration_json *ret, struct err *err);
void registration_json_fini(struct registration_json *registration);

#endif
