#include "people.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* splitmix64's finaliser. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void people_user(uint32_t n, char *ret)
{
	snprintf(ret, PEOPLE_USER_SIZE, "u%08" PRIu32, n);
}

void people_token(uint32_t n, char *ret)
{
	uint64_t x = (uint64_t)n << 2;
	snprintf(ret, PEOPLE_TOKEN_SIZE, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
		mix(x), mix(x + 1), mix(x + 2), mix(x + 3));
}

void people_account(uint32_t n, char *ret)
{
	uint64_t high = mix(~(uint64_t)n);
	snprintf(ret, PEOPLE_ACCOUNT_SIZE,
		"%08" PRIX64 "-%04" PRIX64 "-4%03" PRIX64 "-8000-%012" PRIX32, high >> 32,
		high >> 16 & 0xffff, high & 0xfff, n);
}

/* Eight digits of n stand wherever there is an #. */
static const char event_template[] =
	"{\"event\":\"MessageNew\",\"timestamp\":\"2026-11-22T08:09:25.234Z\","
	"\"mailboxID\":\"q3nny6bz5j0qbsi7########\","
	"\"uri\":\"imap://mail.example.com/user/u########;UIDVALIDITY=1795334954/;UID=1\","
	"\"vnd.cmu.unseenMessages\":1,\"pid\":17074,\"user\":\"u########\","
	"\"vnd.cmu.mbtype\":\"e\",\"serverFQDN\":\"mail.example.com\","
	"\"vnd.cmu.mailboxACL\":\"u########\\tlrswipkxtecdan\\t\"}";

size_t people_event(uint32_t n, char *ret)
{
	_Static_assert(sizeof(event_template) <= PEOPLE_EVENT_SIZE, "an event fits");
	char digits[8];
	for (size_t i = sizeof(digits); i-- > 0; n /= 10)
		digits[i] = (char)('0' + n % 10);
	memcpy(ret, event_template, sizeof(event_template));
	for (char *at = ret; (at = strchr(at, '#')); at += sizeof(digits))
		memcpy(at, digits, sizeof(digits));
	return sizeof(event_template) - 1;
}

/* Four rounds of a Feistel network over the next even number of bits, walked until inside. */
uint32_t people_shuffled(uint32_t i, uint32_t count)
{
	unsigned half = 1;
	while ((UINT64_C(1) << (2 * half)) < count)
		half++;
	uint64_t mask = (UINT64_C(1) << half) - 1;
	uint64_t x = i;
	do {
		uint64_t left = x >> half;
		uint64_t right = x & mask;
		for (uint64_t round = 0; round < 4; round++) {
			uint64_t next = left ^ (mix(right << 3 | round) & mask);
			left = right;
			right = next;
		}
		x = left << half | right;
	} while (x >= count);
	return (uint32_t)x;
}
