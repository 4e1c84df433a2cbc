/*
 * pem - certificates and keys in PEM form.
 *
 * Waits for a disk: called on libuv's pool, or before the loop runs.
 */
#ifndef MAILPUSH_CREDENTIAL_PEM_H
#define MAILPUSH_CREDENTIAL_PEM_H

#include "base/err.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

/* All certificates of a file, in their order, at least one; freed with sk_X509_pop_free. */
int pem_read_certificates(const char *path, STACK_OF(X509) * *ret, struct err *err);
/*
 * The first private key of a file.  `passphrase_file` NULL: it is not encrypted.  -EKEYREJECTED:
 * the passphrase does not open it.
 */
int pem_read_key(const char *path, const char *passphrase_file, EVP_PKEY **ret,
	bool *ret_is_exposed, struct err *err);

#endif
