/*
 * postgresql_place - the 16 bytes by which PostgreSQL looks a mailbox up.
 *
 * An index takes no key beyond some 2.7 kB, and short ones are found sooner.  Pure.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_PLACE_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_PLACE_H

#include <stdint.h>

struct postgresql_place {
	uint8_t bytes[16];
};

/* The first bytes of SHA-256 over site, owner and folder, NUL-separated. */
struct postgresql_place postgresql_place_of(
	const char *site, const char *owner, const char *folder);

#endif
