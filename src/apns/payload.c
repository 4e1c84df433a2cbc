#include "apns/payload.h"

#include <assert.h>
#include <string.h>

#define ACCOUNT_ID_MAX 64
#define HASH_LENGTH (MAILBOX_HASH_SIZE - 1)

#define BEGIN "{\"aps\":{\"account-id\":\""
#define HASHES ",\"m\":["
#define END "}}"

_Static_assert(sizeof(BEGIN HASHES "\"]" END) + ACCOUNT_ID_MAX +
			PAYLOAD_HASHES_MAX * (HASH_LENGTH + sizeof("\"\",")) <=
		PAYLOAD_MAX,
	"the largest payload fits");

static bool is_account_id(const char *text, size_t length)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-";
	return length >= 1 && length <= ACCOUNT_ID_MAX && strspn(text, allowed) == length;
}

static char *put(char *at, const char *bytes, size_t size)
{
	memcpy(at, bytes, size);
	return at + size;
}

size_t payload_write(char ret[PAYLOAD_MAX], const char *account_id,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count)
{
	size_t length = strlen(account_id);
	assert(is_account_id(account_id, length));
	assert(hash_count <= PAYLOAD_HASHES_MAX);

	char *at = put(ret, BEGIN, strlen(BEGIN));
	at = put(at, account_id, length);
	*at++ = '"';
	if (hash_count > 0) {
		at = put(at, HASHES, strlen(HASHES));
		for (unsigned i = 0; i < hash_count; i++) {
			if (i > 0)
				*at++ = ',';
			*at++ = '"';
			at = put(at, hashes[i], HASH_LENGTH);
			*at++ = '"';
		}
		*at++ = ']';
	}
	at = put(at, END, strlen(END));
	return (size_t)(at - ret);
}
