/*
 * payload - reads a push as a phone does.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_PAYLOAD_H
#define MAILPUSH_TESTS_SIMULATION_PAYLOAD_H

#include "apns/sender.h"
#include "event/mailbox.h"

#include <stdbool.h>

#define PAYLOAD_HASHES_MAX 100

struct payload {
	char account_id[80];
	char hashes[PAYLOAD_HASHES_MAX][MAILBOX_HASH_SIZE];
	unsigned hash_count;
	bool is_plain;
};

/* A push that Mail would not understand ends the simulation. */
void payload_read(const struct sender_push *push, struct payload *ret);

#endif
