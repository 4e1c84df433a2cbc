/*
 * member - a member of a JSON object that mailpushd answered.
 *
 * An absent member, or one of another type, is empty, 0 or false.  Texts are borrowed.  Pure.
 */
#ifndef MAILPUSH_CONSOLE_MEMBER_H
#define MAILPUSH_CONSOLE_MEMBER_H

#include <jansson.h>
#include <stdbool.h>

/* Never NULL. */
const char *member_text(const json_t *json, const char *key);
double member_number(const json_t *json, const char *key);
long long member_count(const json_t *json, const char *key);
bool member_is_true(const json_t *json, const char *key);

#endif
