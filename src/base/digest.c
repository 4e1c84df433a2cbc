#include "base/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *md5;
static EVP_MD *sha256;

/* This provider is part of libcrypto, and named, as a kernel in FIPS mode may be for another. */
static void fetch(void)
{
	static const char wanted[] = "provider=default,-fips";
	OSSL_LIB_CTX *own = OSSL_LIB_CTX_new();
	if (own && OSSL_PROVIDER_load(own, "default")) {
		md5 = EVP_MD_fetch(own, "MD5", wanted);
		sha256 = EVP_MD_fetch(own, "SHA2-256", wanted);
	}
	ERR_clear_error();
}

int digest_check(struct err *err)
{
	pthread_once(&once, fetch);
	if (md5 && sha256)
		return 0;
	return err_set(err, -ENOTSUP,
		"libcrypto offers no MD5, which phones require, or no SHA-256; install the one of "
		"your system");
}

static void digest(
	EVP_MD *const *kind, const struct digest_part parts[], size_t count, uint8_t *ret)
{
	pthread_once(&once, fetch);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int fine = *kind && context && EVP_DigestInit_ex2(context, *kind, NULL) == 1;
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
