/*
 * server - one connection's end at Apple: HTTP/2 by nghttp2's server, with a temper.
 *
 * It opens its windows at once, in large or tiny steps or not at all, changes its limits and
 * windows while pushes are on their way, refuses streams, sends GOAWAY in the middle, falls silent,
 * stops reading, and closes.  apple.h decides its answers.  It ends the simulation if the daemon
 * violates HTTP/2, or hands pushes to a connection that cannot carry them.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_SERVER_H
#define MAILPUSH_TESTS_SIMULATION_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct wire;

struct server *server_new(struct wire *wire);
void server_free(struct server *server);

bool server_reads(const struct server *server);
void server_receive(struct server *server, const uint8_t *bytes, size_t size);
/* The weather of its topic has changed. */
void server_weather_changed(struct server *server);

/* It would take many pushes of any size now. */
bool server_is_open(const struct server *server);
/* It answers what it receives. */
bool server_is_kind(const struct server *server);

/* What all servers did. */
struct server_counts {
	uint64_t goaways, refused, silences, settings, crumbs, early;
};
extern struct server_counts server_counts;

#endif
