/*
 * timeline - `mailpushctl trace`: what happened with a user's phones, line by line.
 */
#ifndef MAILPUSH_CTL_TIMELINE_H
#define MAILPUSH_CTL_TIMELINE_H

#include "console/client.h"

#include <stdbool.h>

struct timeline_request {
	const char *user;
	const char *since;   /* a duration, as "2h"; NULL: all that is kept */
	const char *mailbox; /* NULL: all */
	bool is_followed;    /* goes on with what happens from now on */
	bool is_json;
};

enum client_exit timeline_run(const struct timeline_request *request);

#endif
