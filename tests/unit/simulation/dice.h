/*
 * dice - all randomness of the simulation, from one seed.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_DICE_H
#define MAILPUSH_TESTS_SIMULATION_DICE_H

#include <stdbool.h>
#include <stdint.h>

void dice_seed(uint64_t seed);
/* 0 to sides - 1. */
unsigned dice_roll(unsigned sides);
/* Once in so many. */
bool dice_once_in(unsigned times);
/* Both included. */
int64_t dice_between(int64_t least, int64_t most);
/* The random time until the next of events that come every `mean_ms` on average. */
int64_t dice_wait_ms(int64_t mean_ms);
void dice_bytes(uint8_t ret[16]);

#endif
