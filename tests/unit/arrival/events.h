/* Arrivals made of as little as they need. */
#ifndef MAILPUSH_TEST_ARRIVAL_EVENTS_H
#define MAILPUSH_TEST_ARRIVAL_EVENTS_H

#include "arrival/arrival.h"

/* News of alice's, in the folder `at`; `id`: of its mailbox. */
struct arrival *events_news(enum relay_action action, const char *id, const char *at);
/* alice's folder `from` was renamed to `at`; NULL: `at` was deleted. */
struct arrival *events_change(const char *from, const char *at);

#endif
