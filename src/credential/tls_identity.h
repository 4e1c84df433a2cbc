/*
 * tls_identity - does OpenSSL accept a certificate, its key and its chain for TLS?
 *
 * It refuses keys too weak for its security level (SSL_CTX_set_security_level(3)).  Any thread.
 */
#ifndef MAILPUSH_CREDENTIAL_TLS_IDENTITY_H
#define MAILPUSH_CREDENTIAL_TLS_IDENTITY_H

#include "base/err.h"

#include <openssl/ssl.h>

/* All borrowed.  `chain` may be empty or NULL; `file`: what it is called in a message. */
struct tls_identity {
	X509 *certificate;
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	const char *file;
};

/* Makes the context use it.  -EINVAL: OpenSSL refuses it. */
int tls_identity_use(SSL_CTX *context, const struct tls_identity *identity, struct err *err);
/* The same with a context of its own.  -EIO: openssl.cnf allows no TLS. */
int tls_identity_check(const struct tls_identity *identity, struct err *err);

/* OpenSSL's text of the last failure, which is forgotten then. */
const char *tls_identity_reason(char ret[256]);

#endif
