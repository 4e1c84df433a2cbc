/*
 * wire - a connection between the daemon and Apple's service, in memory and on virtual time.
 *
 * Stands in for dialer.h, tls.h, uv_poll and the functions of OpenSSL with which connection.c reads
 * and writes, so that connection.c itself runs here.  At the far end is a server (server.h).  Bytes
 * take some time on the way, in order; when the far end does not read, the near one finds no room.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_WIRE_H
#define MAILPUSH_TESTS_SIMULATION_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct wire;

/* The far end: bytes to the daemon. */
void wire_send(struct wire *wire, const void *bytes, size_t size);
/* The far end reads again. */
void wire_resume(struct wire *wire);
/* The far end closes: sent bytes are still read, or all are lost at once. */
void wire_end(struct wire *wire, bool is_broken);
/* All bytes of the near end have reached the far end. */
bool wire_is_drained(const struct wire *wire);
/* The connection (connection.h) at the near end; only compared. */
const void *wire_near_end(const struct wire *wire);
unsigned wire_topic(const struct wire *wire);

/* NULL: before the handshake, or after the end. */
struct server *wire_server(const struct wire *wire);
/* Walks the wires.  Given NULL it returns the first; it returns NULL after the last. */
struct wire *wire_next(const struct wire *wire);
struct wire *wire_find(uint64_t number);
uint64_t wire_number(const struct wire *wire);

/* The wires of a topic break. */
void wires_break(unsigned topic);
/* All wires break, and dialling fails: the daemon dies. */
void wires_end(void);
uint64_t wires_made(void);

#endif
