/*
 * digest - MD5 and SHA-256, whatever openssl.cnf offers to others.
 *
 * Phones know a mailbox by the MD5 of its name, and databases find rows by
 * SHA-256; neither protects anything.  A machine in FIPS mode, or one whose openssl.cnf names other
 * providers, would refuse them: so they come from a library context of their own, which reads no
 * file.  Any thread.
 */
#ifndef MAILPUSH_BASE_DIGEST_H
#define MAILPUSH_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_MD5_SIZE 16
#define DIGEST_SHA256_SIZE 32

struct digest_part {
	const void *bytes;
	size_t size;
};

/* Over all parts, one behind the other.  The process ends if memory does. */
void digest_md5(const struct digest_part parts[], size_t count, uint8_t ret[DIGEST_MD5_SIZE]);
void digest_sha256(const struct digest_part parts[], size_t count, uint8_t ret[DIGEST_SHA256_SIZE]);

#endif
