/*
 * renewal - a phone registers: what becomes of its registration and of the user's others.
 *
 * The phone's own is inserted or renewed, its list of mailboxes replaced; the user's others are
 * resumed, are superseded (the same device has a newer account id), or go: superseded long enough,
 * or one too many.  A registration that is brought from elsewhere (IMPORT) is treated alike, once
 * it is clear that nothing newer is known.
 */
#ifndef MAILPUSH_REGISTRY_RENEWAL_H
#define MAILPUSH_REGISTRY_RENEWAL_H

#include "registry/rules.h"

/* REGISTER and IMPORT jobs of `count` different users. */
int renewal_run(
	struct rules *rules, struct registry_job *const *jobs, size_t count, struct err *err);

#endif
