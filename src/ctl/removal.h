/*
 * removal - deletes the registrations that match a description, or everything of a user; without
 * --yes it only counts them.
 */
#ifndef MAILPUSH_CTL_REMOVAL_H
#define MAILPUSH_CTL_REMOVAL_H

#include "console/client.h"

#include <stdbool.h>

/* NULL: any. */
struct removal_request {
	const char *user;
	const char *topic;
	const char *state;
	bool is_meant; /* --yes; else they are only counted */
	bool is_json;
};

enum client_exit removal_devices(const struct removal_request *request);
/* request->user is given. */
enum client_exit removal_user(const struct removal_request *request);

#endif
