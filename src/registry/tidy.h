/*
 * tidy - registrations that nobody renews go, carefully.
 *
 * A wrong clock, or an imapd.conf that went bad, must not delete the phones: the present is never
 * later than the newest renewal, and a day costs at most one in twenty.  A phone that is about to
 * expire is nudged once by a push: it connects, and so renews.
 *
 * The nodes of a site share the work: each comes hourly, and one of them claims the round.
 */
#ifndef MAILPUSH_REGISTRY_TIDY_H
#define MAILPUSH_REGISTRY_TIDY_H

#include "registry/rules.h"

/*
 * Before times are put right.  The last round was by a clock far ahead of this one, and nobody can
 * say which of the two is wrong: if it is this one, it may be right again before the next round,
 * which then sees no clock that has moved.
 */
int tidy_spare_future(struct rules *rules, struct err *err);

int tidy_run(struct rules *rules, struct registry_job *job, struct err *err);

#endif
