#include "stats/failures.h"

#include "base/mem.h"

#include <string.h>

struct failures {
	struct failure list[FAILURES_MAX]; /* the newest first */
	unsigned count;
	bool with_names;
};

struct failures *failures_new(bool with_names)
{
	struct failures *failures = mem_alloc_zero(1, sizeof(*failures));
	failures->with_names = with_names;
	return failures;
}

static void fini(struct failure *failure)
{
	free(failure->user);
	free(failure->credential);
	free(failure->text);
}

void failures_set_names(struct failures *failures, bool with_names)
{
	failures->with_names = with_names;
	for (unsigned i = 0; i < failures->count && !with_names; i++)
		free(mem_steal(failures->list[i].user));
}

void failures_free(struct failures *failures)
{
	if (!failures)
		return;
	for (unsigned i = 0; i < failures->count; i++)
		fini(&failures->list[i]);
	free(failures);
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_same(const struct failure *a, const struct failure *b)
{
	return a->ending == b->ending && a->status == b->status && !strcmp(a->reason, b->reason) &&
		is_same_text(a->user, b->user) && is_same_text(a->credential, b->credential) &&
		is_same_text(a->text, b->text);
}

static char *dup_or_null(const char *text)
{
	return text ? mem_dup(text) : NULL;
}

/* Its texts are borrowed. */
static void add(struct failures *failures, struct failure failure)
{
	unsigned i = 0;
	while (i < failures->count && !is_same(&failures->list[i], &failure))
		i++;
	bool is_again = i < failures->count;
	if (is_again) {
		int64_t unix_ms = failure.unix_ms;
		failure = failures->list[i];
		failure.unix_ms = unix_ms;
	} else {
		failure.user = dup_or_null(failure.user);
		failure.credential = dup_or_null(failure.credential);
		failure.text = dup_or_null(failure.text);
		if (failures->count < FAILURES_MAX)
			failures->count++;
		else
			fini(&failures->list[--i]);
	}
	failure.times++;
	memmove(&failures->list[1], &failures->list[0], i * sizeof(failure));
	failures->list[0] = failure;
}

void failures_add_push(struct failures *failures, const struct apns_answer *answer,
	const char *user, int64_t unix_ms)
{
	struct failure failure = {.unix_ms = unix_ms,
		.ending = answer->ending,
		.status = answer->status,
		.user = failures->with_names ? (char *)user : NULL};
	memcpy(failure.reason, answer->reason, sizeof(failure.reason));
	add(failures, failure);
}

void failures_add_connection(
	struct failures *failures, const char *credential, const char *text, int64_t unix_ms)
{
	add(failures,
		(struct failure){.unix_ms = unix_ms,
			.credential = (char *)credential,
			.text = (char *)text});
}

const struct failure *failures_at(const struct failures *failures, unsigned i)
{
	return i < failures->count ? &failures->list[i] : NULL;
}
