/*
 * response - answers of the control socket: JSON, and errors that say what to do.
 */
#ifndef MAILPUSH_MONITOR_RESPONSE_H
#define MAILPUSH_MONITOR_RESPONSE_H

#include "loop/http.h"
#include "registry/push_target.h"

#include <jansson.h>
#include <stdbool.h>

#define RESPONSE_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(13)) /* milliseconds of a Unix time */
#define RESPONSE_MASKED 8 /* characters shown of a device token or account id */

/* `json` is handed over. */
void response_json(struct http_request *request, unsigned status, json_t *json);
/* {"error": text} */
void response_error(struct http_request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Why a job of the registry's or the queue's was not done: its `status` (not 0) and, of the
   registry's, `refusal` (or NULL). */
void response_undone(struct http_request *request, int status, const char *refusal);

/* Any text, also one from outside; invalid UTF-8 is replaced. */
json_t *response_text(const char *text);
/* A device token or an account id, shortened unless `full`. */
json_t *response_secret(const char *text, bool full);
json_t *response_key(const struct registry_key *key);
/* Unix milliseconds as seconds; 0 is null. */
json_t *response_time(int64_t unix_ms);

#endif
