/*
 * json_text - what happened, as the JSON that mailpushd takes (docs/dovecot-events.md).
 *
 * Pure.  Callers bound what they add; bytes that are not UTF-8 become U+FFFD.
 */
#ifndef MAILPUSH_DOVECOT_JSON_TEXT_H
#define MAILPUSH_DOVECOT_JSON_TEXT_H

#include "base/buf.h"

/* Everything begins so; `user` is who acts. */
void json_text_begin(struct buf *json, const char *event, const char *user);
/* A member; the value NULL: none. */
void json_text_add(struct buf *json, const char *key, const char *value);
void json_text_add_number(struct buf *json, const char *key, unsigned number);
void json_text_add_strings(
	struct buf *json, const char *key, const char *const *values, size_t count);
/* A list of objects: each object's members come by json_text_add. */
void json_text_open_list(struct buf *json, const char *key);
void json_text_open_object(struct buf *json);
void json_text_close_object(struct buf *json);
void json_text_close_list(struct buf *json);
void json_text_end(struct buf *json);

#endif
