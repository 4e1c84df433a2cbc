#include "flow/former.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

struct topic {
	char *topic;
	int64_t until_ms; /* Unix; when Cyrus was seen to give another */
};

struct former {
	char *current;
	struct topic topics[FORMER_MAX]; /* the newest first */
	size_t count;
};

struct former *former_new(void)
{
	struct former *former = mem_alloc_zero(1, sizeof(*former));
	former->current = mem_dup("");
	return former;
}

static void remove_at(struct former *former, size_t i)
{
	free(former->topics[i].topic);
	memmove(&former->topics[i], &former->topics[i + 1],
		(--former->count - i) * sizeof(former->topics[0]));
}

void former_free(struct former *former)
{
	if (!former)
		return;
	while (former->count)
		remove_at(former, former->count - 1);
	free(former->current);
	free(former);
}

/* Takes the topic over. */
static void add(struct former *former, char *topic, int64_t until_ms)
{
	size_t at = 0;
	if (former->count == FORMER_MAX)
		remove_at(former, FORMER_MAX - 1);
	while (at < former->count && former->topics[at].until_ms > until_ms)
		at++;
	memmove(&former->topics[at + 1], &former->topics[at],
		(former->count++ - at) * sizeof(former->topics[0]));
	former->topics[at] = (struct topic){topic, until_ms};
}

void former_load(struct former *former, const char *topic, int64_t until_ms)
{
	if (until_ms) {
		add(former, mem_dup(topic), until_ms);
		return;
	}
	free(former->current);
	former->current = mem_dup(topic);
}

static int64_t end_of(const struct topic *topic)
{
	return topic->until_ms + FORMER_FOR_MS;
}

/* A clock that was ahead does not make one last longer. */
static bool put_right(struct former *former, int64_t now_ms)
{
	bool is_changed = false;
	for (size_t i = 0; i < former->count; i++) {
		if (former->topics[i].until_ms <= now_ms)
			continue;
		former->topics[i].until_ms = now_ms;
		is_changed = true;
	}
	return is_changed;
}

static void set_row(struct queue_topic *row, const char *topic, int64_t until_ms)
{
	row->topic = mem_dup(topic);
	row->until_ms = until_ms;
}

static struct queue_job *make_job(const struct former *former)
{
	struct queue_job *job = queue_job_new();
	job->parts = QUEUE_TOPICS;
	job->topics = mem_alloc_zero(former->count + 1, sizeof(*job->topics));
	job->topic_count = former->count + 1;
	set_row(&job->topics[0], former->current, 0);
	for (size_t i = 0; i < former->count; i++)
		set_row(&job->topics[i + 1], former->topics[i].topic, former->topics[i].until_ms);
	return job;
}

struct queue_job *former_note(struct former *former, const char *topic, int64_t now_unix_ms)
{
	bool is_put_right = put_right(former, now_unix_ms);
	if (!*topic || strcmp(former->current, topic) == 0)
		return is_put_right ? make_job(former) : NULL;
	for (size_t i = former->count; i-- > 0;) {
		if (strcmp(former->topics[i].topic, topic) == 0 ||
			end_of(&former->topics[i]) <= now_unix_ms)
			remove_at(former, i);
	}
	char *before = mem_steal(former->current);
	former->current = mem_dup(topic);
	if (*before)
		add(former, before, now_unix_ms);
	else
		free(before);
	return make_job(former);
}

const char *former_current(const struct former *former)
{
	return former->current;
}

size_t former_topics(
	const struct former *former, int64_t registered_unix_ms, const char *ret[FORMER_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < former->count; i++) {
		if (registered_unix_ms < end_of(&former->topics[i]))
			ret[count++] = former->topics[i].topic;
	}
	return count;
}
