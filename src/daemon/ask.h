/*
 * ask - what comes with a request: its JSON body, and the numbers and keys of its query.
 *
 * Pure, and bounded: this is what outsiders can write.
 */
#ifndef MAILPUSH_DAEMON_ASK_H
#define MAILPUSH_DAEMON_ASK_H

#include "base/err.h"
#include "registry/target.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASK_TEXT_MAX 1024
#define ASK_LIMIT_MAX 1000
#define ASK_LIMIT_DEFAULT 100

/* Texts are "" and flags false where the body does not have them; borrowed from `json`. */
struct ask {
	json_t *json;
	const char *user;
	const char *mailbox;
	const char *level;
	bool all;
	bool online;
};

/*
 * An object of known keys with values of the right kind.  An empty body is an empty object.
 * ask_fini is to be called in any case.
 */
int ask_parse(const char *body, size_t size, struct ask *ret, struct err *err);
void ask_fini(struct ask *ask);

/* Of the query, NULL meaning that it is not given: then `*ret` is left as it is. */
bool ask_number(const char *text, int64_t least, int64_t most, int64_t *ret);
bool ask_key(const char *text, struct registry_key *ret);
bool ask_text(const char *text, const char **ret);

#endif
