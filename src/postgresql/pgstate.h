/*
 * pgstate - what a SQLSTATE means for what is done next.
 *
 * From appendix A of PostgreSQL's manual; CockroachDB and YugabyteDB use the same.  Pure.
 */
#ifndef MAILPUSH_POSTGRESQL_PGSTATE_H
#define MAILPUSH_POSTGRESQL_PGSTATE_H

/* A negative errno, as pglink.h has them; NULL: the server did not say. */
int pgstate_code(const char *state);
/* What an administrator may do. */
const char *pgstate_remedy(int code);

#endif
