/*
 * news_match - who subscribed to a mailbox that changed.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_REGISTRY_NEWS_MATCH_H
#define MAILPUSH_REGISTRY_NEWS_MATCH_H

#include "registry/rules.h"

/*
 * NEWS jobs.  *ret_is_surprised: another node has suspended a user whom the batch resumes, or has
 * done it by a wrong clock; then the batch is to be run again, knowing that.
 */
int news_match_run(struct rules *rules, struct registry_job *const *jobs, size_t count,
	bool *ret_is_surprised, struct err *err);

#endif
