/*
 * mailbox_place - the 16 bytes by which a database looks a mailbox up.
 *
 * The index of a server takes no key beyond some 3 kB, and short ones are found sooner.  Pure.
 */
#ifndef MAILPUSH_DRIVER_MAILBOX_PLACE_H
#define MAILPUSH_DRIVER_MAILBOX_PLACE_H

#include <stdint.h>

struct mailbox_place {
	uint8_t bytes[16];
};

/* The first bytes of SHA-256 over site, owner and folder, NUL-separated. */
struct mailbox_place mailbox_place_of(const char *site, const char *owner, const char *folder);

#endif
