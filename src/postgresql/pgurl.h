/*
 * pgurl - the url of a database, taken apart into its hosts.
 *
 * It is libpq's own (`postgresql://user@host1,host2:5433/name?sslmode=verify-full`), with all its
 * parameters, service files and variables of the environment.  We go through the hosts ourselves,
 * those of a service file too (read once), since libpq knows no deadline for each of them when it
 * does not block.
 *
 * Whatever is said to people comes from pgurl_name, which has no password in it.
 *
 * One owner, any thread.
 */
#ifndef MAILPUSH_POSTGRESQL_PGURL_H
#define MAILPUSH_POSTGRESQL_PGURL_H

#include "base/err.h"

#include <stddef.h>

/* With room for those that a connection adds, and a NULL at the end. */
#define PGURL_PARAMETERS_MAX 80

struct pgurl;

struct pgurl_parameters {
	const char *names[PGURL_PARAMETERS_MAX + 1];
	const char *values[PGURL_PARAMETERS_MAX + 1];
	size_t count;
};

/* -EINVAL: libpq cannot read it, or a secret is in it; the text is read after the url, and repeats
   nothing of it but the name of a parameter. */
int pgurl_new(const char *url, struct pgurl **ret, struct err *err);
void pgurl_free(struct pgurl *url);

/* User, hosts and database. */
const char *pgurl_name(const struct pgurl *url);
/* At least 1: if none is named anywhere, it is libpq's socket. */
size_t pgurl_host_count(const struct pgurl *url);
/* "host1", "host2:5433", "/run/postgresql"; "" for libpq's socket. */
const char *pgurl_host(const struct pgurl *url, size_t host);
/* Whose addresses are to be looked up; NULL: it is a socket or an address. */
const char *pgurl_host_to_resolve(const struct pgurl *url, size_t host);
/* Does it say something of this parameter? */
const char *pgurl_parameter(const struct pgurl *url, const char *name);

/* Before each connection: -ENOTCONN if a pipe or the like stands where libpq would read a file, of
   the url, of its service or of the environment; libpq would wait for it without end. */
int pgurl_check_files(const struct pgurl *url, struct err *err);
/* What PQconnectStartParams needs for this host alone; borrowed from the url. */
void pgurl_parameters(const struct pgurl *url, size_t host, struct pgurl_parameters *ret);
/* Adds one, or replaces it; both are borrowed. */
void pgurl_set(struct pgurl_parameters *parameters, const char *name, const char *value);

#endif
