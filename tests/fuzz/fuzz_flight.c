/*
 * Frames of any kind, and pushes of any size, in any order: each push that was taken comes back
 * once, and one is taken exactly where there is said to be room.
 *
 * The input is a script: a byte that says what happens, and what that needs.
 */
#include "apns/payload.h"

#include "../unit/apns/wire.h"

#include "fuzz.h"

#include <assert.h>
#include <string.h>

#define PUSHES 4096 /* a script, at most */

enum act {
	PUSH, /* two bytes: its size */
	MORE, /* one byte: how many more of that size, as far as there is room */
	TURN,
	PASS,	  /* one byte: seconds */
	RAW,	  /* one byte: so many of the script's bytes */
	SETTINGS, /* five bytes: of which kind, and what */
	WINDOW,	  /* four bytes: of which stream, of all if it is 0; and by how much */
	ANSWER,	  /* one byte: which stream; 200 */
	REFUSE,	  /* one byte: which stream; another byte: why */
	GOAWAY,	  /* one byte: the last stream */
	HOLD,
	GIVE_UP,
	BREAK,
	EXPIRE, /* the credential, or no more */
	ACTS
};

static struct wire wire;
static struct sender_push pushes[PUSHES];
static bool is_out[PUSHES];
static size_t pushed, out;
static char body[PAYLOAD_MAX];

static struct {
	const uint8_t *at, *end;
} script;

static uint32_t take(unsigned bytes)
{
	uint32_t value = 0;
	while (bytes-- > 0)
		value = value << 8 | (script.at < script.end ? *script.at++ : 0);
	return value;
}

static void on_answered(void *ctx, struct sender_push *push, const struct apns_answer *answer,
	const struct verdict *verdict)
{
	size_t i = (size_t)(push - pushes);
	(void)ctx;
	(void)verdict;
	assert(is_out[i]);
	assert(answer->ending != APNS_ANSWERED || answer->status >= 200);
	is_out[i] = false;
	out--;
}

static void on_room(void *ctx, const char *topic)
{
	(void)ctx;
	assert(!strcmp(topic, WIRE_TOPIC));
	assert(credential_connections_room(wire.conns) > 0);
}

static void on_state(void *ctx, const struct credential *credential, const char *text)
{
	(void)ctx;
	(void)credential;
	(void)text;
}

static bool push(size_t size)
{
	static const char token[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	if (pushed == PUSHES)
		return false;
	struct sender_push *next = &pushes[pushed];
	*next = (struct sender_push){
		.topic = WIRE_TOPIC, .token = token, .payload = body, .payload_size = size};
	size_t room = credential_connections_room(wire.conns);
	bool is_taken = credential_connections_push(wire.conns, next);
	assert(is_taken == (room > 0));
	is_out[pushed] = is_taken;
	pushed += is_taken;
	out += is_taken;
	assert(credential_connections_in_flight(wire.conns) <= out);
	return is_taken;
}

static void say(uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t size)
{
	uint8_t frame[9 + 255] = {0, 0, (uint8_t)size, type, flags, (uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
	memcpy(frame + 9, payload, size);
	wire_say(frame, 9 + size);
}

static void say_number(uint8_t type, uint32_t stream, uint32_t number)
{
	const uint8_t payload[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
		(uint8_t)(number >> 8), (uint8_t)number};
	say(type, 0, stream, payload, sizeof(payload));
}

static void act(enum act what)
{
	static const uint8_t ok[] = {0x88};
	static size_t size;
	uint8_t bytes[255] = {0};
	uint32_t stream;
	switch (what) {
	case PUSH:
		size = take(2) % PAYLOAD_MAX + 1;
		push(size);
		break;
	case MORE:
		for (uint32_t n = take(1); n > 0 && push(size ? size : 1); n--)
			;
		break;
	case TURN:
		wire_turn(&wire);
		if (wire_is_open())
			buf_clear(wire_written());
		break;
	case PASS:
		wire_pass(&wire, take(1) * 1000);
		break;
	case RAW:
		stream = take(1);
		for (uint32_t i = 0; i < stream; i++)
			bytes[i] = (uint8_t)take(1);
		wire_say(bytes, stream);
		break;
	case SETTINGS:
		bytes[1] = (uint8_t)take(1);
		for (unsigned i = 2; i < 6; i++)
			bytes[i] = (uint8_t)take(1);
		say(4, 0, 0, bytes, 6);
		break;
	case WINDOW:
		stream = take(1);
		say_number(8, stream ? 2 * stream - 1 : 0, take(3));
		break;
	case ANSWER:
		say(1, 5, 2 * take(1) + 1, ok, sizeof(ok));
		break;
	case REFUSE:
		stream = 2 * take(1) + 1;
		say_number(3, stream, take(1));
		break;
	case GOAWAY:
		bytes[3] = (uint8_t)take(1);
		say(7, 0, 0, bytes, 8);
		break;
	case HOLD:
		credential_connections_hold(wire.conns, "the script says so");
		break;
	case GIVE_UP:
		wire_give_up_oldest();
		break;
	case BREAK:
		wire_break();
		break;
	case EXPIRE:
		wire_expire(&wire, take(1) & 1);
		break;
	case ACTS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sender_callbacks callbacks = {on_answered, on_room, on_state};
	script.at = data;
	script.end = data + size;
	pushed = out = 0;
	wire_start(&wire, &callbacks, NULL);
	while (script.at < script.end)
		act((enum act)(take(1) % ACTS));
	wire_stop(&wire);
	assert(out == 0);
	return 0;
}
