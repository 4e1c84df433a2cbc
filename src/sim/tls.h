/*
 * tls - the server's side of TLS, as Apple's service has it: 1.2 and 1.3, only HTTP/2 by ALPN, with
 * a request for a client certificate.
 *
 * A wrong certificate fails the handshake; without one the handshake succeeds, and every push gets
 * MissingProviderToken.
 */
#ifndef MAILPUSH_SIM_TLS_H
#define MAILPUSH_SIM_TLS_H

#include "base/err.h"
#include "sim/service.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* Reads server.pem, server.key and ca.pem in dir.  The caller frees with SSL_CTX_free(). */
int tls_new(const char *dir, bool has_client_auth, SSL_CTX **ret, struct err *err);

/* The fault of handshakes from now on. */
struct tls_fault {
	int verify_error; /* the fault found in every client's certificate; 0: none */
	bool has_no_alpn; /* ALPN is not answered */
	bool refuses_h2;  /* with an alert */
};

/* "good", "bad", "expired", "revoked" or "stranger" (of another authority); false: none of them. */
bool tls_fault_parse(const char *name, int *ret);

/* For a handshake; `fault` is borrowed till its end.  Freed with SSL_free(). */
SSL *tls_open(SSL_CTX *context, const struct tls_fault *fault);

/* After the handshake: who the peer is, to be freed with certs_peer_fini(). */
void tls_read_peer(SSL *ssl, bool has_client_auth, struct peer *ret);

/* Text of the last failure of this thread, "" if OpenSSL has none; clears it. */
const char *tls_last_error(char *text, size_t size);

#endif
