/*
 * news_match - who subscribed to a mailbox that changed.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_REGISTRY_NEWS_MATCH_H
#define MAILPUSH_REGISTRY_NEWS_MATCH_H

#include "registry/renewal.h"

struct news_match;

/* Of the NEWS jobs among these; `renewals` are those of the same jobs. */
struct news_match *news_match_new(struct rules *rules, const struct renewals *renewals,
	struct registry_job *const *jobs, size_t count);
void news_match_free(struct news_match *news);

/* What is to be known first. */
void news_match_ask(struct news_match *news, struct registry_load *load);
/* With what was loaded, after renewals_decide; the jobs say whom they concern. */
void news_match_finish(struct news_match *news);
/* Has another node suspended a user whom the batch resumes, or done it by a wrong clock?  Then the
   batch is to be run again, knowing that. */
bool news_match_is_surprised(const struct news_match *news);

#endif
