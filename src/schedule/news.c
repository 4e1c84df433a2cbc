#include "schedule/news.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

void news_init(struct news *news)
{
	*news = (struct news){0};
}

void news_fini(struct news *news)
{
	free(news->many);
	news_init(news);
}

struct queue_news *news_find(struct news *news, const char *hash)
{
	struct queue_news *rows = news_rows(news);
	for (uint32_t i = 0; i < news->count; i++) {
		if (!strcmp(rows[i].hash, hash))
			return &rows[i];
	}
	return NULL;
}

static struct queue_news *append(struct news *news, const struct queue_news *row)
{
	if (news->count >= 1 && !news->many) {
		news->capacity = 4;
		news->many = mem_realloc_array(NULL, news->capacity, sizeof(*news->many));
		news->many[0] = news->one;
	} else if (news->many && news->count == news->capacity) {
		news->capacity *= 2;
		news->many = mem_realloc_array(news->many, news->capacity, sizeof(*news->many));
	}
	struct queue_news *at = &news_rows(news)[news->count++];
	*at = *row;
	return at;
}

void news_merge(struct queue_news *into, const struct queue_news *row)
{
	if (row->urgent_ms && (!into->urgent_ms || row->urgent_ms < into->urgent_ms))
		into->urgent_ms = row->urgent_ms;
	if (row->first_ms < into->first_ms)
		into->first_ms = row->first_ms;
	if (row->seq > into->seq)
		into->seq = row->seq;
}

struct queue_news *news_put(struct news *news, const struct queue_news *row, bool *ret_is_new)
{
	struct queue_news *old = news_find(news, row->hash);
	*ret_is_new = !old;
	if (!old)
		return append(news, row);
	news_merge(old, row);
	return old;
}

static int compare_seq(const void *a, const void *b)
{
	const struct queue_news *x = a;
	const struct queue_news *y = b;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void news_take(struct news *news, uint32_t n, struct news *to)
{
	assert(to->count == 0 && !to->many);
	if (news->count <= n) {
		*to = *news;
		news_init(news);
		return;
	}
	qsort(news->many, news->count, sizeof(*news->many), compare_seq);
	for (uint32_t i = 0; i < n; i++)
		append(to, &news->many[i]);
	news->count -= n;
	memmove(news->many, news->many + n, news->count * sizeof(*news->many));
}

void news_remove(struct news *news, uint32_t index)
{
	assert(index < news->count);
	struct queue_news *rows = news_rows(news);
	rows[index] = rows[--news->count];
}

bool news_has_urgent(struct news *news)
{
	return news_urgent_ms(news) != INT64_MAX;
}

int64_t news_first_ms(struct news *news)
{
	const struct queue_news *rows = news_rows(news);
	int64_t first_ms = INT64_MAX;
	for (uint32_t i = 0; i < news->count; i++) {
		if (rows[i].first_ms < first_ms)
			first_ms = rows[i].first_ms;
	}
	return first_ms;
}

int64_t news_urgent_ms(struct news *news)
{
	const struct queue_news *rows = news_rows(news);
	int64_t urgent_ms = INT64_MAX;
	for (uint32_t i = 0; i < news->count; i++) {
		if (rows[i].urgent_ms && rows[i].urgent_ms < urgent_ms)
			urgent_ms = rows[i].urgent_ms;
	}
	return urgent_ms;
}
