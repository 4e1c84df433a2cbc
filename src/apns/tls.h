/*
 * tls - TLS to Apple with one credential: its certificate, the certificates trusted, the session to
 * resume.
 *
 * TLS 1.2 at least, ALPN h2, the server's name or address verified against the given store.  Loop
 * thread.
 */
#ifndef MAILPUSH_APNS_TLS_H
#define MAILPUSH_APNS_TLS_H

#include "base/err.h"
#include "credential/credential.h"

#include <openssl/ssl.h>
#include <stdbool.h>

/* The text for a server that does not agree to h2. */
#define TLS_NO_H2 "the server does not offer HTTP/2; check apns_host and apns_port"

struct tls;

/* The certificates trusted: those of ca_file, or the system's (NULL).  Freed with X509_STORE_free.
 */
int tls_trust(const char *ca_file, X509_STORE **ret, struct err *err);

/* `host` and `credential` are borrowed for as long as it lives. */
int tls_new(X509_STORE *trust, const struct credential *credential, const char *host,
	struct tls **ret, struct err *err);
/* Every SSL of tls_open must be freed before. */
void tls_free(struct tls *tls);

/* A client on a connected socket, before its handshake; freed with SSL_free, which leaves fd. */
SSL *tls_open(struct tls *tls, int fd);
/* Drops the session: the next handshake is a full one. */
void tls_forget_session(struct tls *tls);
bool tls_is_h2(const SSL *ssl);

/*
 * After an SSL function returned `result` and failed for good: writes what happened, for a person,
 * to `err`.  Returns whether the server refused our certificate.
 */
bool tls_explain(SSL *ssl, int result, int saved_errno, struct err *err);

#endif
