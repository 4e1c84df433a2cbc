/*
 * lists - the lists of registrations and of pending pushes, as tables that say how long they are,
 * or as one JSON object a line.
 */
#ifndef MAILPUSH_CTL_LISTS_H
#define MAILPUSH_CTL_LISTS_H

#include "console/client.h"

#include <stdbool.h>

struct lists_request {
	const char *user; /* NULL: all */
	long limit;	  /* 0: none */
	bool is_full;
	bool are_forgotten;
	bool is_json;
};

/* Also of those that are forgotten. */
enum client_exit lists_devices(const struct lists_request *request);
enum client_exit lists_queue(const struct lists_request *request);

#endif
