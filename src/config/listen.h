/*
 * listen - a TCP address to listen on, as people write it: "127.0.0.1:9105", "[::1]:9105".
 */
#ifndef MAILPUSH_CONFIG_LISTEN_H
#define MAILPUSH_CONFIG_LISTEN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* "" is AF_UNSPEC: none.  Numeric addresses only, so that no name server decides. */
bool listen_parse(const char *text, struct sockaddr_storage *ret);
bool listen_is_loopback(const struct sockaddr_storage *address);
void listen_print(const struct sockaddr_storage *address, char *ret, size_t size);
/* A bound descriptor that does not block; `key` of mailpush.conf names the address. */
int listen_bind(
	const struct sockaddr_storage *address, const char *key, int *ret_fd, struct err *err);

#endif
