/*
 * mariaurl - the url of a MariaDB database, taken apart and checked.
 *
 * mariadb://user@host1,host2:3307/database?ssl_ca=/path, with %XX for what has another meaning in a
 * url.  Without a host, or with the parameter socket, it is a server on this machine.
 *
 * Whatever is said to people comes from `name`, in which nothing is secret.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_MARIADB_MARIAURL_H
#define MAILPUSH_MARIADB_MARIAURL_H

#include "base/err.h"

#include <stddef.h>

#define MARIAURL_EXAMPLE "mariadb://user@host/database"

enum mariaurl_tls {
	MARIAURL_TLS_UNSAID,	/* as the library has it, or an option file */
	MARIAURL_TLS_ENCRYPTED, /* whoever the server is */
	MARIAURL_TLS_VERIFIED,
};

struct mariaurl_host {
	char *name;    /* NULL: a socket on this machine */
	unsigned port; /* 0: not said */
	char *shown;   /* "host:3307", "/run/mysqld/mysqld.sock" */
};

/* What was not said is NULL. */
struct mariaurl {
	char *user;
	struct mariaurl_host *hosts;
	size_t host_count; /* at least 1 */
	char *database;
	char *socket;
	enum mariaurl_tls tls;
	char *ssl_ca; /* files in PEM, by absolute paths */
	char *ssl_cert;
	char *ssl_key;
	char *option_file; /* of MariaDB's programs, and the group in it */
	char *option_group;
	char *name;
};

/* `place`: what stands behind "mariadb:".  -EINVAL: a text that is read after the url. */
int mariaurl_new(const char *place, struct mariaurl **ret, struct err *err);
void mariaurl_free(struct mariaurl *url);

#endif
