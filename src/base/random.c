#include "base/random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void random_seed(uint8_t ret[RANDOM_SEED_SIZE])
{
	if (getentropy(ret, RANDOM_SEED_SIZE))
		abort();
}

void random_init(struct random *chance, const uint8_t seed[RANDOM_SEED_SIZE])
{
	memcpy(chance->state, seed, sizeof(chance->state));
	chance->state[0] |= 1; /* all zero is the one state that it never leaves */
}

uint64_t random_draw(struct random *chance)
{
	uint64_t a = chance->state[0];
	uint64_t b = chance->state[1];
	uint64_t result = a + b;
	b ^= a;
	chance->state[0] = (a << 24 | a >> 40) ^ b ^ b << 16;
	chance->state[1] = b << 37 | b >> 27;
	return result;
}

int64_t random_upto(struct random *chance, int64_t most)
{
	return most > 0 ? (int64_t)(random_draw(chance) % ((uint64_t)most + 1)) : 0;
}

void random_uuid(struct random *chance, uint8_t ret[16])
{
	uint64_t random[2] = {random_draw(chance), random_draw(chance)};
	memcpy(ret, random, sizeof(random));
	ret[6] = (uint8_t)((ret[6] & 0x0f) | 0x40);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}
