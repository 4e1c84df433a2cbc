/*
 * random - random numbers that a seed repeats: for spreading, back-off and ids, not for secrets.
 *
 * xoroshiro128+ (Blackman and Vigna).  Pure; embedded; one owner.
 */
#ifndef MAILPUSH_BASE_RANDOM_H
#define MAILPUSH_BASE_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[2];
};

void random_init(struct random *chance, const uint8_t seed[16]);
uint64_t random_draw(struct random *chance);
/* Between 0 and `most`, both included; 0 if `most` is not positive. */
int64_t random_upto(struct random *chance, int64_t most);
/* A random UUID (RFC 9562, version 4). */
void random_uuid(struct random *chance, uint8_t ret[16]);

#endif
