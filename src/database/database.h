/*
 * database - the kinds of database that a registry may be in: the list of their drivers.
 *
 * A url is a scheme, a colon and a place, which only the driver understands.  Pure.
 */
#ifndef MAILPUSH_DATABASE_DATABASE_H
#define MAILPUSH_DATABASE_DATABASE_H

struct registry_ops;

/* The driver that the url's scheme means, and its place, borrowed from the url.  NULL: none. */
const struct registry_ops *database_driver(const char *url, const char **ret_place);

#endif
