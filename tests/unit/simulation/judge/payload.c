#include "payload.h"

#include "judge.h"

#include <string.h>

#define HASH_LENGTH (MAILBOX_HASH_SIZE - 1)

static void expect(const char **at, const char *text)
{
	judge_rule(!strncmp(*at, text, strlen(text)), "a payload is what Mail understands");
	*at += strlen(text);
}

void payload_read(const struct sender_push *push, struct payload *ret)
{
	char text[PAYLOAD_MAX + 1];
	memcpy(text, push->payload, push->payload_size);
	text[push->payload_size] = '\0';
	const char *at = text;
	*ret = (struct payload){.is_plain = true};
	expect(&at, "{\"aps\":{\"account-id\":\"");
	size_t size = strcspn(at, "\"");
	judge_rule(size < sizeof(ret->account_id), "an account id has a bound");
	memcpy(ret->account_id, at, size);
	at += size;
	expect(&at, "\"");
	if (*at == ',') {
		expect(&at, ",\"m\":[");
		ret->is_plain = false;
		do {
			judge_rule(ret->hash_count < PAYLOAD_HASHES_MAX, "100 hashes a payload");
			at += *at == ',';
			expect(&at, "\"");
			judge_rule(strspn(at, "0123456789abcdef") == HASH_LENGTH, "a hash is MD5");
			memcpy(ret->hashes[ret->hash_count++], at, HASH_LENGTH);
			at += HASH_LENGTH;
			expect(&at, "\"");
		} while (*at == ',');
		expect(&at, "]");
	}
	expect(&at, "}}");
	judge_rule(!*at, "nothing stands behind a payload");
}
