/*
 * database - the kinds of database that a registry may be in: the list of their drivers.
 *
 * A url is a scheme, a colon and a place, which only the driver understands.  Pure; any thread.
 */
#ifndef MAILPUSH_DATABASE_DATABASE_H
#define MAILPUSH_DATABASE_DATABASE_H

#include "base/err.h"

#include <stdbool.h>

struct registry_ops;

/* The driver that the url's scheme means, and its place, borrowed from the url.  NULL: none. */
const struct registry_ops *database_driver(const char *url, const char **ret_place);

/* In the part before the host, or as a parameter, however its name is written (pass%77ord). */
bool database_has_password(const char *url);

/* Can a registry be in it, as somebody wrote it?  A password in it is refused, since others read
   it.  -EINVAL, with a text that people read after the url: "is not ...; write ...". */
int database_check(const char *url, struct err *err);

/* SQL that makes an empty database of this kind a registry (ops.h); free it.  `kind`: "sqlite" and
   the like, or a url.  NULL: there is none such. */
char *database_schema(const char *kind);
/* What can be given, for people: "sqlite or postgresql"; free it. */
char *database_kinds(void);

/* Of a url that database_check takes: */
/* The absolute path of its file, borrowed from it; NULL: it is in no file. */
const char *database_file(const char *url);
/* For people; free it. */
char *database_name(const char *url);

#endif
