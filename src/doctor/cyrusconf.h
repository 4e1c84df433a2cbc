/*
 * cyrusconf - the services of Cyrus' cyrus.conf.
 *
 * It skips other sections.  Pure.
 */
#ifndef MAILPUSH_DOCTOR_CYRUSCONF_H
#define MAILPUSH_DOCTOR_CYRUSCONF_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

#define CYRUSCONF_TEXT_MAX (1024 * 1024)
#define CYRUSCONF_SERVICES_MAX 256

struct cyrusconf {
	struct cyrusconf_service {
		char *name;
		char *cmd;    /* "" when not given, as the next two */
		char *listen; /* an address, or the path of a socket */
		char *proto;
		unsigned line;
	} services[CYRUSCONF_SERVICES_MAX];
	unsigned count;
};

/* `file` is for messages only. */
int cyrusconf_parse(
	const char *file, const char *text, size_t size, struct cyrusconf **ret, struct err *err);
void cyrusconf_free(struct cyrusconf *conf);
MEM_DEFINE_CLEANUP(cyrusconf_cleanup, struct cyrusconf, cyrusconf_free)

/* Does the command run this program, from whichever folder? */
bool cyrusconf_runs(const struct cyrusconf_service *service, const char *program);
/* The word behind an option of the command; false: it is not given. */
bool cyrusconf_option(
	const struct cyrusconf_service *service, const char *option, char *ret, size_t size);

#endif
