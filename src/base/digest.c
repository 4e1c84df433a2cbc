#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *md5;
static EVP_MD *sha256;

/* The provider "default" is part of libcrypto: a new context has it without a file. */
static void fetch(void)
{
	OSSL_LIB_CTX *own = OSSL_LIB_CTX_new();
	if (own) {
		md5 = EVP_MD_fetch(own, "MD5", NULL);
		sha256 = EVP_MD_fetch(own, "SHA2-256", NULL);
	}
	if (!md5 || !sha256) {
		fputs("mailpush: libcrypto was built without MD5 or SHA-256\n", stderr);
		abort();
	}
}

static void digest(
	EVP_MD *const *kind, const struct digest_part parts[], size_t count, uint8_t *ret)
{
	pthread_once(&once, fetch);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int fine = context && EVP_DigestInit_ex2(context, *kind, NULL) == 1;
	for (size_t i = 0; i < count; i++)
		fine = fine && EVP_DigestUpdate(context, parts[i].bytes, parts[i].size) == 1;
	if (!fine || EVP_DigestFinal_ex(context, ret, NULL) != 1)
		abort(); /* no memory */
	EVP_MD_CTX_free(context);
}

void digest_md5(const struct digest_part parts[], size_t count, uint8_t ret[DIGEST_MD5_SIZE])
{
	digest(&md5, parts, count, ret);
}

void digest_sha256(const struct digest_part parts[], size_t count, uint8_t ret[DIGEST_SHA256_SIZE])
{
	digest(&sha256, parts, count, ret);
}
