/*
 * pghosts - where the next connection goes: to the hosts of a url in turn, to each by all of its
 * addresses in turn.
 *
 * libpq would look names up with the resolver's deadlines, and try a further address only after the
 * kernel's.  So it is given one address at a time, with the name beside it for TLS and Kerberos.
 * Sockets and addresses are taken as they are.
 *
 * One owner, one thread.
 */
#ifndef MAILPUSH_POSTGRESQL_PGHOSTS_H
#define MAILPUSH_POSTGRESQL_PGHOSTS_H

#include "base/err.h"
#include "postgresql/pgurl.h"

#include <stdbool.h>
#include <stdint.h>

struct pghosts;

/* Begins with the first.  Borrows the url. */
struct pghosts *pghosts_new(const struct pgurl *url);
void pghosts_free(struct pghosts *hosts);

/*
 * Has the address of the present one looked up, if it has none yet.  -ETIMEDOUT: not before
 * `deadline_ms` (monotonic), but it goes on; -ENOENT: there is none.
 */
int pghosts_resolve(struct pghosts *hosts, int64_t deadline_ms, struct err *err);
/* After pghosts_resolve went well; borrowed until pghosts_move_on. */
void pghosts_parameters(const struct pghosts *hosts, struct pgurl_parameters *ret);
/* For people: "db1:5433 (192.0.2.1)"; "" for libpq's socket. */
const char *pghosts_name(struct pghosts *hosts);
/* To the next address, or else to the next host. */
void pghosts_move_on(struct pghosts *hosts);
/* How often it was another host so far. */
uint64_t pghosts_moves(const struct pghosts *hosts);

#endif
