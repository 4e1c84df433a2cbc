/*
 * host_header - the Host header of a request: which server the client believes it asks.
 *
 * A hostile web page can let its own name resolve to 127.0.0.1 and then read what only programs of
 * this machine should (DNS rebinding).  It cannot do that with an address, nor with localhost,
 * which needs no name server.
 *
 * Pure.
 */
#ifndef MAILPUSH_LOOP_HOST_HEADER_H
#define MAILPUSH_LOOP_HOST_HEADER_H

#include <stdbool.h>

/* Is it a numeric address or localhost, with or without a port?  NULL counts as local: every
 * browser sends the header.
 */
bool host_header_is_local(const char *host);

#endif
