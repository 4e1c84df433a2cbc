/*
 * network - addresses of clients, as people write them: "192.0.2.7", "10.1.0.0/16",
 * "2001:db8::/32".
 *
 * Pure.
 */
#ifndef MAILPUSH_LOOP_NETWORK_H
#define MAILPUSH_LOOP_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define NETWORK_BYTES 16

/* An address of IPv4 is kept as IPv6 has it, ::ffff:192.0.2.7. */
struct network {
	uint8_t address[NETWORK_BYTES];
	unsigned bits; /* of it that count */
};

/* A numeric address, and how many of its bits count (all, if it does not say). */
bool network_parse(const char *text, struct network *ret);
bool network_has(const struct network *network, const struct sockaddr_storage *address);
/* Is it this machine's own? */
bool network_is_loopback(const struct sockaddr_storage *address);

#endif
