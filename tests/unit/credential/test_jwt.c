#include "credential/jwt.h"

#include "../apns/certificates.h"

#include <ctype.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ISSUED_S INT64_C(1760000000)

static EVP_PKEY *key;

static int begin(void **state)
{
	(void)state;
	key = make_key();
	return 0;
}

static int end(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

/* OpenSSL's own decoder, from base64url; returns the size. */
static size_t decode(const char *text, size_t size, uint8_t *ret)
{
	char padded[JWT_SIZE + 4];
	memcpy(padded, text, size);
	while (size % 4)
		padded[size++] = '=';
	for (size_t i = 0; i < size; i++)
		padded[i] = padded[i] == '-' ? '+' : padded[i] == '_' ? '/' : padded[i];
	int n = EVP_DecodeBlock(ret, (const uint8_t *)padded, (int)size);
	assert_true(n > 0);
	for (size_t i = size; i > 0 && padded[i - 1] == '='; i--)
		n--;
	return (size_t)n;
}

static json_t *decode_json(const char *text, size_t size)
{
	uint8_t bytes[JWT_SIZE];
	size_t n = decode(text, size, bytes);
	json_t *json = json_loadb((const char *)bytes, n, 0, NULL);
	assert_non_null(json);
	return json;
}

static void make(char text[JWT_SIZE])
{
	struct err err = {""};
	assert_int_equal(jwt_make(key, "ABC123DEFG", "DEF123GHIJ", ISSUED_S, text, &err), 0);
}

static void the_header_names_algorithm_and_key_the_claims_team_and_time(void **state)
{
	(void)state;
	char text[JWT_SIZE];
	make(text);
	char *claims = strchr(text, '.') + 1;
	char *signature = strchr(claims, '.') + 1;
	json_t *header = decode_json(text, (size_t)(claims - 1 - text));
	json_t *wanted = json_loads("{\"alg\":\"ES256\",\"kid\":\"ABC123DEFG\"}", 0, NULL);
	assert_true(json_equal(header, wanted));
	json_decref(header);
	json_decref(wanted);
	json_t *body = decode_json(claims, (size_t)(signature - 1 - claims));
	wanted = json_pack("{s:s,s:I}", "iss", "DEF123GHIJ", "iat", (json_int_t)ISSUED_S);
	assert_true(json_equal(body, wanted));
	json_decref(body);
	json_decref(wanted);
}

/* Many times: numbers that begin with a zero byte are short in OpenSSL's form. */
static void the_signature_is_two_numbers_of_32_bytes_that_verify(void **state)
{
	(void)state;
	for (int i = 0; i < 600; i++) {
		char text[JWT_SIZE];
		uint8_t raw[JWT_SIZE];
		make(text);
		char *end_of_text = strrchr(text, '.');
		assert_int_equal(strlen(end_of_text + 1), 86);
		assert_int_equal(decode(end_of_text + 1, 86, raw), 64);
		ECDSA_SIG *signature = ECDSA_SIG_new();
		ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
		uint8_t *der = NULL;
		int size = i2d_ECDSA_SIG(signature, &der);
		EVP_MD_CTX *context = EVP_MD_CTX_new();
		assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
		assert_int_equal(EVP_DigestVerify(context, der, (size_t)size, (const uint8_t *)text,
					 (size_t)(end_of_text - text)),
			1);
		EVP_MD_CTX_free(context);
		OPENSSL_free(der);
		ECDSA_SIG_free(signature);
	}
}

static void nothing_in_it_needs_an_escape(void **state)
{
	(void)state;
	char text[JWT_SIZE];
	make(text);
	for (const char *c = text; *c; c++)
		assert_true(isalnum((unsigned char)*c) || strchr("-_.", *c));
}

static void a_key_that_cannot_sign_so_is_refused(void **state)
{
	(void)state;
	char text[JWT_SIZE] = "untouched";
	struct err err = {""};
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	assert_true(jwt_make(other, "ABC123DEFG", "DEF123GHIJ", ISSUED_S, text, &err) < 0);
	assert_string_equal(text, "untouched");
	assert_non_null(strstr(err.text, "cannot sign"));
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_header_names_algorithm_and_key_the_claims_team_and_time),
		cmocka_unit_test(the_signature_is_two_numbers_of_32_bytes_that_verify),
		cmocka_unit_test(nothing_in_it_needs_an_escape),
		cmocka_unit_test(a_key_that_cannot_sign_so_is_refused),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
