#include "credential/logins.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "credential/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEADER_MAX 64
/* "name:token", filled up with NUL: what is compared has one size. */
#define PAIR_SIZE (LOGINS_NAME_MAX + 1 + LOGINS_TOKEN_MAX + 1)
#define ENCODED_MAX ((PAIR_SIZE + 2) / 3 * 4)

struct login {
	char name[LOGINS_NAME_MAX + 1];
	char pair[PAIR_SIZE];
};

struct logins {
	char *header; /* NULL: none */
	struct login all[LOGINS_MAX];
	unsigned count;
};

static bool is_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

bool logins_is_name(const char *name)
{
	size_t size = strnlen(name, LOGINS_NAME_MAX + 1);
	return size > 0 && size <= LOGINS_NAME_MAX && utf8_is_valid(name, size);
}

/* `line` has no end of line. */
static bool add(struct logins *logins, const char *line, size_t size)
{
	const char *colon = memchr(line, ':', size);
	size_t name = colon ? (size_t)(colon - line) : 0;
	size_t token = colon ? size - name - 1 : 0;
	if (!name || name > LOGINS_NAME_MAX || token < LOGINS_TOKEN_MIN ||
		token > LOGINS_TOKEN_MAX || !is_printable(line, size) ||
		logins->count == LOGINS_MAX)
		return false;
	struct login *login = &logins->all[logins->count++];
	memcpy(login->name, line, name);
	memcpy(login->pair, line, size);
	return true;
}

bool logins_parse(const char *text, size_t size, struct logins **ret, char *why, size_t why_size)
{
	struct logins *logins = mem_alloc_zero(1, sizeof(*logins));
	unsigned number = 0;
	for (size_t at = 0; at < size;) {
		const char *line = text + at;
		const char *end = memchr(line, '\n', size - at);
		size_t length = end ? (size_t)(end - line) : size - at;
		at += length + 1;
		number++;
		if (length && line[length - 1] == '\r')
			length--;
		if (!length || *line == '#' || add(logins, line, length))
			continue;
		snprintf(why, why_size,
			"has a line %u that is not \"name:token\": a name of at most %d "
			"characters, a token of %d to %d, neither with a space, and at most %d "
			"lines; `openssl rand -hex 16` makes a token",
			number, LOGINS_NAME_MAX, LOGINS_TOKEN_MIN, LOGINS_TOKEN_MAX, LOGINS_MAX);
		logins_free(logins);
		return false;
	}
	if (!logins->count) {
		snprintf(why, why_size, "has no line \"name:token\", so nobody could log in");
		logins_free(logins);
		return false;
	}
	*ret = logins;
	return true;
}

static bool read_file(const char *path, struct logins **ret, char *why, size_t why_size)
{
	struct secret secret_auto secret = {0};
	struct err err;
	if (secret_read_text("token file", path, "name a file with a line \"name:token\"", &secret,
		    &err) < 0) {
		snprintf(why, why_size, "cannot be used: %s", err.text);
		return false;
	}
	if (secret.is_exposed) {
		snprintf(why, why_size,
			"names a file that every user of this machine may read; chmod o= it");
		return false;
	}
	return logins_parse(secret.bytes, secret.size, ret, why, why_size);
}

static bool is_header(const char *name)
{
	size_t size = strlen(name);
	return size > 0 && size <= HEADER_MAX && strcasecmp(name, "Authorization") != 0 &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") ==
		size;
}

bool logins_of(const char *setting, struct logins **ret, char *why, size_t why_size)
{
	static const char token[] = "token:";
	static const char header[] = "header:";
	if (!*setting) {
		*ret = NULL;
		return true;
	}
	if (!strncmp(setting, token, strlen(token)) && setting[strlen(token)] == '/')
		return read_file(setting + strlen(token), ret, why, why_size);
	if (!strncmp(setting, header, strlen(header)) && is_header(setting + strlen(header))) {
		struct logins *logins = mem_alloc_zero(1, sizeof(*logins));
		logins->header = mem_dup(setting + strlen(header));
		*ret = logins;
		return true;
	}
	snprintf(why, why_size,
		"is no login; write \"token:/etc/mailpush/page-tokens\" or "
		"\"header:X-Remote-User\"");
	return false;
}

void logins_free(struct logins *logins)
{
	if (!logins)
		return;
	free(logins->header);
	OPENSSL_cleanse(logins, sizeof(*logins));
	free(logins);
}

const char *logins_header(const struct logins *logins)
{
	return logins->header;
}

/* The decoded "name:token"; false: it is none. */
static bool decode(const char *authorization, char ret[PAIR_SIZE])
{
	static const char scheme[] = "Basic ";
	unsigned char bytes[ENCODED_MAX / 4 * 3];
	if (!authorization || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
		return false;
	const char *text = authorization + strlen(scheme);
	text += strspn(text, " ");
	size_t size = strnlen(text, ENCODED_MAX + 1);
	if (!size || size > ENCODED_MAX || size % 4)
		return false;
	int decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)size);
	/* Padding is decoded as NUL, and another NUL is in no pair. */
	if (decoded <= 0 || (size_t)decoded > sizeof(bytes))
		return false;
	size_t used = strnlen((const char *)bytes, (size_t)decoded);
	size_t padding = (size_t)(text[size - 1] == '=') + (size_t)(text[size - 2] == '=');
	bool is_pair = used == (size_t)decoded - padding && used < PAIR_SIZE;
	memset(ret, 0, PAIR_SIZE);
	if (is_pair)
		memcpy(ret, bytes, used);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return is_pair;
}

const char *logins_find(const struct logins *logins, const char *authorization)
{
	char pair[PAIR_SIZE];
	const char *found = NULL;
	if (!decode(authorization, pair))
		return NULL;
	for (unsigned i = 0; i < logins->count; i++)
		if (!CRYPTO_memcmp(logins->all[i].pair, pair, PAIR_SIZE))
			found = logins->all[i].name;
	OPENSSL_cleanse(pair, sizeof(pair));
	return found;
}
