/*
 * relay - stands between a client and a server's socket, and can lose an answer, change a word, or
 * read nothing.
 *
 * Threads of its own; sixteen connections at most.
 */
#ifndef MAILPUSH_TESTS_MARIADB_RELAY_H
#define MAILPUSH_TESTS_MARIADB_RELAY_H

#include <stdbool.h>

struct relay;

/* Listens at `path`, connects each client to `server`: both are sockets in the file system. */
struct relay *relay_new(const char *path, const char *server);
void relay_free(struct relay *relay);
/* The server's answer to the next COMMIT does not arrive; the connection is closed instead, once
   the server has done it. */
void relay_lose_next_commit(struct relay *relay);
/* From now on, where one of them says `from`, the other reads `to`: literals of the same size. */
void relay_replace(struct relay *relay, const char *from, const char *to);
bool relay_has_replaced(const struct relay *relay);
/* Nothing more is read of the connection that there is, until the client closes it. */
void relay_read_no_more(struct relay *relay);

#endif
