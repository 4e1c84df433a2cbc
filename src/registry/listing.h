/*
 * listing - what people ask of the registry: who is registered, who was, and to remove one by hand.
 *
 * Registry thread; what a job brings back is then the loop thread's.
 */
#ifndef MAILPUSH_REGISTRY_LISTING_H
#define MAILPUSH_REGISTRY_LISTING_H

#include "registry/rules.h"

/* LIST, LIST_FORGOTTEN, REMOVE or COUNT. */
int listing_run(struct rules *rules, struct registry_job *job, struct err *err);

#endif
