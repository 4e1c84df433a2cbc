/*
 * token_change - what Apple's verdict on a token does to its registrations.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_REGISTRY_TOKEN_CHANGE_H
#define MAILPUSH_REGISTRY_TOKEN_CHANGE_H

#include "registry/rules.h"

/* FORGET and STOP jobs. */
int token_change_run(
	struct rules *rules, struct registry_job **jobs, size_t count, struct err *err);

#endif
