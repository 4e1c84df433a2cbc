#include "sim/bearer.h"

#include "base/mem.h"
#include "base/urltext.h"

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#define SCHEME "bearer "
#define SIGNATURE_SIZE 64
#define AHEAD_MS (60 * 1000)

static int refuse(struct request *request, int status, const char *reason)
{
	request->provider_status = status;
	request->provider_reason = reason;
	return -1;
}

static int refuse_invalid(struct request *request)
{
	return refuse(request, 403, "InvalidProviderToken");
}

static json_t *decode_json(struct text text)
{
	uint8_t bytes[BEARER_TOKEN_MAX];
	ssize_t size = urltext_read_base64(text.bytes, text.size, bytes);
	return size < 0 ? NULL : json_loadb((const char *)bytes, (size_t)size, 0, NULL);
}

static bool is_text(const json_t *object, const char *key, const char *value)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && !strcmp(text, value);
}

bool bearer_is_id(const char *id)
{
	size_t size = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	return size == BEARER_ID_SIZE && !id[size];
}

static EVP_PKEY *read_key(const char *dir, const json_t *header)
{
	const char *id = json_string_value(json_object_get(header, "kid"));
	if (!id || !bearer_is_id(id))
		return NULL;
	mem_auto char *path = mem_printf("%s/AuthKey_%s.pub", dir, id);
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	EVP_PKEY *key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
	fclose(file);
	return key;
}

static bool verify(EVP_PKEY *key, struct text signed_, struct text signature)
{
	uint8_t raw[BEARER_TOKEN_MAX];
	if (urltext_read_base64(signature.bytes, signature.size, raw) != SIGNATURE_SIZE)
		return false;
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	uint8_t *der = NULL;
	if (!numbers ||
		!ECDSA_SIG_set0(numbers, BN_bin2bn(raw, SIGNATURE_SIZE / 2, NULL),
			BN_bin2bn(raw + SIGNATURE_SIZE / 2, SIGNATURE_SIZE / 2, NULL)))
		abort();
	int size = i2d_ECDSA_SIG(numbers, &der);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_good = size > 0 && context &&
		EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestVerify(context, der, (size_t)size, (const uint8_t *)signed_.bytes,
			signed_.size) == 1;
	EVP_MD_CTX_free(context);
	OPENSSL_free(der);
	ECDSA_SIG_free(numbers);
	ERR_clear_error();
	return is_good;
}

/* The time of a token whose other parts are valid; 0: they are not. */
static int64_t issued(const char *dir, struct text token)
{
	const char *first = memchr(token.bytes, '.', token.size);
	const char *second = first
		? memchr(first + 1, '.', token.size - (size_t)(first + 1 - token.bytes))
		: NULL;
	if (!second)
		return 0;
	const struct text header = {token.bytes, (size_t)(first - token.bytes)};
	const struct text claims = {first + 1, (size_t)(second - first - 1)};
	const struct text signed_ = {token.bytes, (size_t)(second - token.bytes)};
	const struct text signature = {second + 1, token.size - signed_.size - 1};

	json_auto_t *head = decode_json(header);
	json_auto_t *body = decode_json(claims);
	EVP_PKEY *key = head && is_text(head, "alg", "ES256") ? read_key(dir, head) : NULL;
	bool is_good = key && body && is_text(body, "iss", BEARER_TEAM_ID) &&
		verify(key, signed_, signature);
	EVP_PKEY_free(key);
	return is_good ? json_integer_value(json_object_get(body, "iat")) : 0;
}

static int check(struct bearer *bearer, const struct bearer_rules *rules, struct request *request,
	struct text token, int64_t now_unix_ms)
{
	if (token.size != strlen(bearer->token) ||
		memcmp(token.bytes, bearer->token, token.size) != 0) {
		int64_t issued_unix_s = issued(rules->dir, token);
		if (issued_unix_s <= 0 || issued_unix_s * 1000 > now_unix_ms + AHEAD_MS)
			return refuse_invalid(request);
		if (bearer->token[0] &&
			now_unix_ms - bearer->since_unix_ms < rules->update_least_ms)
			return refuse(request, 429, "TooManyProviderTokenUpdates");
		memcpy(bearer->token, token.bytes, token.size);
		bearer->token[token.size] = '\0';
		bearer->issued_unix_s = issued_unix_s;
		bearer->since_unix_ms = now_unix_ms;
	}
	if (now_unix_ms - bearer->issued_unix_s * 1000 > rules->lifetime_ms)
		return refuse(request, 403, "ExpiredProviderToken");
	return 0;
}

void bearer_check(struct bearer *bearer, const struct bearer_rules *rules, struct request *request,
	int64_t now_unix_ms)
{
	struct text value = request->header[SERVICE_AUTHORIZATION];
	size_t scheme = strlen(SCHEME);
	if (!value.bytes)
		return;
	if (value.size <= scheme || memcmp(value.bytes, SCHEME, scheme) != 0 ||
		value.size - scheme > BEARER_TOKEN_MAX) {
		refuse_invalid(request);
		return;
	}
	struct text token = {value.bytes + scheme, value.size - scheme};
	if (check(bearer, rules, request, token, now_unix_ms) == 0)
		request->is_authorized = true;
}
