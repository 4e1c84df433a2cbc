/*
 * pkcs12 - certificate, chain and key in one PKCS#12 file (.p12, .pfx).
 *
 * The keychain of macOS and older tools encrypt it with RC2 or 3DES, which OpenSSL 3 keeps in its
 * legacy provider.  It is loaded only while the file is read, into a library context of its own, so
 * that the rest of the process cannot use such ciphers; certificates and key belong to the usual
 * context.
 *
 * Waits for a disk: called on libuv's pool, or before the loop runs.
 */
#ifndef MAILPUSH_CREDENTIAL_PKCS12_H
#define MAILPUSH_CREDENTIAL_PKCS12_H

#include "base/err.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

/*
 * `passphrase_file` NULL: there is no passphrase, or it is empty.  -EKEYREJECTED: it does not open
 * the file.  The first of `ret_certificates` is the key's.
 */
int pkcs12_read(const char *path, const char *passphrase_file, EVP_PKEY **ret_key,
	STACK_OF(X509) * *ret_certificates, bool *ret_is_exposed, struct err *err);

#endif
