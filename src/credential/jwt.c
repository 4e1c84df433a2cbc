#include "credential/jwt.h"

#include "base/urltext.h"

#include <assert.h>
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_SIZE 32 /* of the two that a P-256 signature is made of */
#define DER_MAX 128

/* OpenSSL gives a SEQUENCE of two INTEGERs, RFC 7518 wants the two numbers side by side. */
static int to_raw(const uint8_t *der, size_t size, uint8_t raw[2 * NUMBER_SIZE])
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)size);
	if (!signature)
		return -EINVAL;
	int written = BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, NUMBER_SIZE) +
		BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + NUMBER_SIZE, NUMBER_SIZE);
	ECDSA_SIG_free(signature);
	return written == 2 * NUMBER_SIZE ? 0 : -EINVAL;
}

static int sign(EVP_PKEY *key, const char *text, size_t size, uint8_t raw[2 * NUMBER_SIZE])
{
	uint8_t der[DER_MAX];
	size_t der_size = sizeof(der);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int signed_ = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(context, der, &der_size, (const uint8_t *)text, size) == 1;
	EVP_MD_CTX_free(context);
	return signed_ ? to_raw(der, der_size, raw) : -EINVAL;
}

int jwt_make(EVP_PKEY *key, const char *key_id, const char *team_id, int64_t issued_unix_s,
	char ret[JWT_SIZE], struct err *err)
{
	char part[128];
	uint8_t signature[2 * NUMBER_SIZE];
	char text[JWT_SIZE];
	char *at = text;
	int size = snprintf(part, sizeof(part), "{\"alg\":\"ES256\",\"kid\":\"%s\"}", key_id);
	assert(size > 0 && (size_t)size < sizeof(part));
	at += urltext_write_base64((const uint8_t *)part, (size_t)size, at);
	*at++ = '.';
	size = snprintf(part, sizeof(part), "{\"iss\":\"%s\",\"iat\":%lld}", team_id,
		(long long)issued_unix_s);
	assert(size > 0 && (size_t)size < sizeof(part));
	at += urltext_write_base64((const uint8_t *)part, (size_t)size, at);
	if (sign(key, text, (size_t)(at - text), signature) < 0) {
		ERR_clear_error();
		return err_set(err, -EINVAL,
			"cannot sign a provider token; give the .p8 key downloaded from Apple, and "
			"see what openssl.cnf allows");
	}
	*at++ = '.';
	at += urltext_write_base64(signature, sizeof(signature), at);
	memcpy(ret, text, (size_t)(at - text) + 1);
	OPENSSL_cleanse(text, sizeof(text));
	return 0;
}
