/*
 * chance - random numbers that a seed repeats: for spreading, back-off and ids, not for secrets.
 *
 * xoroshiro128+ (Blackman and Vigna).  Pure; embedded; one owner.
 */
#ifndef MAILPUSH_QUEUE_CHANCE_H
#define MAILPUSH_QUEUE_CHANCE_H

#include <stdint.h>

struct chance {
	uint64_t state[2];
};

void chance_init(struct chance *chance, const uint8_t seed[16]);
uint64_t chance_draw(struct chance *chance);
/* Between 0 and `most`, both included; 0 if `most` is not positive. */
int64_t chance_upto(struct chance *chance, int64_t most);
/* A random UUID (RFC 9562, version 4). */
void chance_uuid(struct chance *chance, uint8_t ret[16]);

#endif
