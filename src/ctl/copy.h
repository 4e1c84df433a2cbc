/*
 * copy - registrations from the database of one registry into that of another.
 *
 * Both are opened here, by the daemon's user; the daemon is only asked what it does.
 */
#ifndef MAILPUSH_CTL_COPY_H
#define MAILPUSH_CTL_COPY_H

#include "console/client.h"

#include <stdbool.h>

struct copy_request {
	const char *from; /* urls of registries */
	const char *to;
	const char *config;		/* a path; NULL: the usual one */
	const char *from_password_file; /* NULL: that of mailpush.conf, if it names that url */
	const char *password_file;	/* the same, of `to` */
	bool is_last;
	bool is_dry_run;
	bool is_json;
	bool is_socket_given;
};

enum client_exit copy_run(const struct copy_request *request);
/* Of mailpushd's registry. */
enum client_exit copy_freeze(bool is_json);
enum client_exit copy_thaw(bool is_json);

#endif
