/*
 * import - sends registrations from elsewhere to mailpushd: in batches, with progress and a summary
 * of the refused ones with the reasons.
 */
#ifndef MAILPUSH_CTL_IMPORT_H
#define MAILPUSH_CTL_IMPORT_H

#include "console/client.h"

#include <stdbool.h>

struct import_request {
	const char *from;  /* a kind of source; NULL: what `mailpushctl export` wrote */
	const char *place; /* a file, "-", or a database */
	const char *topic; /* of those that do not say theirs; NULL: none */
	const char *columns;
	const char *password_file;
	bool is_dry_run;
	bool keeps_confirmed;
	bool is_json;
};

enum client_exit import_run(const struct import_request *request);

#endif
