/*
 * person - a user of this system, and what the modes of files allow him.
 */
#ifndef MAILPUSH_CHECKUP_PERSON_H
#define MAILPUSH_CHECKUP_PERSON_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#define PERSON_GROUPS_MAX 64

/* Rights to a file or folder. */
enum { PERSON_MAY_RUN = 1, PERSON_MAY_ENTER = 1, PERSON_MAY_WRITE = 2 };

struct person {
	const char *name; /* the caller's */
	uid_t uid;
	gid_t gids[PERSON_GROUPS_MAX]; /* the first is the primary one; further ones are cut */
	int gid_count;
};

/* False: this system has no such user. */
bool person_find(const char *name, struct person *ret);
bool person_is_member(const struct person *person, gid_t gid);
/* Pure.  By owner, group and mode alone; `rights` of r = 4, w = 2 and x = 1. */
bool person_may(const struct person *person, const struct stat *status, unsigned rights);

#endif
