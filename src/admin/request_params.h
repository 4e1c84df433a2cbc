/*
 * request_params - the parameters of a request: its JSON body, and the numbers and keys of its
 * query.
 *
 * Pure, and bounded: outsiders write this.
 */
#ifndef MAILPUSH_ADMIN_REQUEST_PARAMS_H
#define MAILPUSH_ADMIN_REQUEST_PARAMS_H

#include "base/err.h"
#include "registry/push_target.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_PARAMS_TEXT_MAX 1024
#define REQUEST_PARAMS_LIMIT_MAX 1000
#define REQUEST_PARAMS_LIMIT_DEFAULT 100
/* Unix seconds; the end of the year 9999. */
#define REQUEST_PARAMS_TIME_MAX 253402300799.0

/* Texts are "" and flags false where the body does not have them.  Texts are borrowed from `json`.
 */
struct request_params {
	json_t *json;
	const char *user;
	const char *mailbox;
	const char *level;
	bool all;
	bool online;
};

/*
 * Accepts an object of known keys with values of the right kind; an empty body is an empty object.
 * The caller must call request_params_fini also after a failure.
 */
int request_params_parse(
	const char *body, size_t size, struct request_params *ret, struct err *err);
void request_params_fini(struct request_params *params);

/* Values of the query.  NULL means that it is not given and leaves `*ret` as it is. */
bool request_params_number(const char *text, int64_t least, int64_t most, int64_t *ret);
bool request_params_key(const char *text, struct registry_key *ret);
bool request_params_text(const char *text, const char **ret);

#endif
