/*
 * host_header - whom a request thinks it asks: the Host of its headers.
 *
 * A web page of a stranger's can have its own name lead to 127.0.0.1 and then read from there what
 * only programs of this machine should (DNS rebinding).  It cannot do that to an address, nor to
 * localhost, which no name server is asked for.
 *
 * Pure.
 */
#ifndef MAILPUSH_ADMIN_HOST_HEADER_H
#define MAILPUSH_ADMIN_HOST_HEADER_H

#include <stdbool.h>

/* Is it a numeric address or localhost, with or without a port?  NULL is: every browser sends it.
 */
bool host_header_is_local(const char *host);

#endif
