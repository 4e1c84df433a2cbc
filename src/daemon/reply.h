/*
 * reply - answers of the control socket: JSON, and errors that say what to do.
 */
#ifndef MAILPUSH_DAEMON_REPLY_H
#define MAILPUSH_DAEMON_REPLY_H

#include "base/http.h"
#include "registry/target.h"

#include <jansson.h>
#include <stdbool.h>

#define REPLY_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(13)) /* milliseconds of a Unix time */
#define REPLY_MASKED 8 /* characters shown of a device token or account id */

/* `json` is handed over. */
void reply_json(struct http_request *request, unsigned status, json_t *json);
/* {"error": text} */
void reply_error(struct http_request *request, unsigned status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A text of ours or from outside, made valid UTF-8 if it is not. */
json_t *reply_text(const char *text);
/* A device token or an account id, cut unless `full`. */
json_t *reply_secret(const char *text, bool full);
json_t *reply_key(const struct registry_key *key);
/* Unix milliseconds as seconds; 0 is null. */
json_t *reply_time(int64_t unix_ms);

#endif
