/*
 * random - random numbers that a seed repeats: for spreading, back-off and ids, not for secrets.
 *
 * xoroshiro128+ (Blackman and Vigna).  Pure but for random_seed; embedded; one owner.
 */
#ifndef MAILPUSH_BASE_RANDOM_H
#define MAILPUSH_BASE_RANDOM_H

#include <stdint.h>

#define RANDOM_SEED_SIZE 16

struct random {
	uint64_t state[2];
};

/* Bytes from the kernel, which never fails; also for the seed of a map. */
void random_seed(uint8_t ret[RANDOM_SEED_SIZE]);
void random_init(struct random *chance, const uint8_t seed[RANDOM_SEED_SIZE]);
uint64_t random_draw(struct random *chance);
/* Between 0 and `most`, both included; 0 if `most` is not positive. */
int64_t random_upto(struct random *chance, int64_t most);
/* A random UUID (RFC 9562, version 4). */
void random_uuid(struct random *chance, uint8_t ret[16]);

#endif
