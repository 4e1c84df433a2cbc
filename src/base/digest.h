/*
 * digest - MD5 and SHA-256, whatever openssl.cnf or a kernel in FIPS mode allows others.
 *
 * They name things and protect nothing.  So they come from a library context of their own, which
 * reads no file, and from a provider that is part of libcrypto.  Any thread.
 */
#ifndef MAILPUSH_BASE_DIGEST_H
#define MAILPUSH_BASE_DIGEST_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define DIGEST_MD5_SIZE 16
#define DIGEST_SHA256_SIZE 32

struct digest_part {
	const void *bytes;
	size_t size;
};

/* -ENOTSUP: this libcrypto was built without one of them, and what follows would end the process.
 */
int digest_check(struct err *err);

/* Over all parts, one behind the other.  The process ends if there is no memory. */
void digest_md5(const struct digest_part parts[], size_t count, uint8_t ret[DIGEST_MD5_SIZE]);
void digest_sha256(const struct digest_part parts[], size_t count, uint8_t ret[DIGEST_SHA256_SIZE]);

#endif
