#include "disk.h"

#include "base/mem.h"
#include "judge/judge.h"
#include "judge/model.h"
#include "virtual.h"

#include <string.h>

#define LATE_MS 10000

struct row {
	int64_t row;
	struct push_target *target;
	uint8_t apns_id[QUEUE_APNS_ID_SIZE];
	int64_t due_ms, first_ms;
	unsigned attempts;
	bool is_doubted;
	struct queue_news *news;
	size_t news_count;
};

struct parked {
	uint64_t id;
	int64_t received_ms;
	char *raw;
	size_t raw_size;
};

struct phone {
	struct registry_key key;
	int64_t last_push_ms; /* -1: deleted */
};

struct phones {
	struct phone *all;
	size_t count;
};

static struct row *rows;
static size_t row_count;
static struct parked *parked;
static size_t parked_count;
static struct phones phones; /* on disk */
static struct phones late;   /* not on disk yet */
static int64_t flushed_ms;
static uint64_t commits;

static struct row *find_row(int64_t number)
{
	for (size_t i = 0; i < row_count; i++) {
		if (rows[i].row == number)
			return &rows[i];
	}
	return NULL;
}

static struct row *find_key(const struct registry_key *key)
{
	for (size_t i = 0; i < row_count; i++) {
		if (!memcmp(&rows[i].target->key, key, sizeof(*key)))
			return &rows[i];
	}
	return NULL;
}

static struct phone *find_phone(struct phones *in, const struct registry_key *key)
{
	for (size_t i = 0; i < in->count; i++) {
		if (!memcmp(&in->all[i].key, key, sizeof(*key)))
			return &in->all[i];
	}
	return NULL;
}

static void put_phone(struct phones *in, const struct registry_key *key, int64_t last_push_ms)
{
	struct phone *phone = find_phone(in, key);
	if (!phone) {
		in->all = mem_realloc_array(in->all, in->count + 1, sizeof(*in->all));
		phone = &in->all[in->count++];
	}
	*phone = (struct phone){*key, last_push_ms};
}

void disk_flush(void)
{
	for (size_t i = 0; i < late.count; i++)
		put_phone(&phones, &late.all[i].key, late.all[i].last_push_ms);
	late.count = 0;
	flushed_ms = virtual_now_ms();
}

void disk_crash(void)
{
	late.count = 0;
}

static void put_push(struct queue_job *job)
{
	struct row *row = find_row(job->row);
	judge_rule(job->row > 0, "a row has a number");
	if (!row) {
		rows = mem_realloc_array(rows, row_count + 1, sizeof(*rows));
		row = &rows[row_count++];
		*row = (struct row){.row = job->row};
	}
	push_target_free(row->target);
	row->target = push_target_ref(job->target);
	row->first_ms = job->first_ms;
}

static struct queue_news *find_news(const struct row *row, const char *hash)
{
	for (size_t i = 0; i < row->news_count; i++) {
		if (!strcmp(row->news[i].hash, hash))
			return &row->news[i];
	}
	return NULL;
}

static void put_news(struct row *row, const struct queue_news *news)
{
	struct queue_news *old = find_news(row, news->hash);
	if (!old) {
		row->news = mem_realloc_array(row->news, row->news_count + 1, sizeof(*row->news));
		old = &row->news[row->news_count++];
	}
	*old = *news;
}

static void delete_news(struct row *row, uint64_t upto_seq, const char *hash)
{
	for (size_t i = row->news_count; i-- > 0;) {
		if (row->news[i].seq <= upto_seq && (!hash || !strcmp(row->news[i].hash, hash)))
			row->news[i] = row->news[--row->news_count];
	}
}

static void delete_row(struct row *row)
{
	push_target_free(row->target);
	free(row->news);
	*row = rows[--row_count];
}

static void park(const struct queue_job *job)
{
	struct parked *at = NULL;
	for (size_t i = 0; i < parked_count; i++) {
		if (parked[i].id == job->parked_id)
			at = &parked[i];
	}
	if (!at) {
		parked = mem_realloc_array(parked, parked_count + 1, sizeof(*parked));
		at = &parked[parked_count++];
		*at = (struct parked){.id = job->parked_id};
	}
	free(at->raw);
	at->received_ms = job->parked_received_ms;
	at->raw = mem_dup_n(job->raw, job->raw_size);
	at->raw_size = job->raw_size;
}

static void unpark(uint64_t id)
{
	for (size_t i = 0; i < parked_count; i++) {
		if (parked[i].id != id)
			continue;
		free(parked[i].raw);
		memmove(&parked[i], &parked[i + 1], (parked_count - i - 1) * sizeof(*parked));
		parked_count--;
		return;
	}
}

static void do_job(struct queue_job *job, bool is_again)
{
	if (job->parts & QUEUE_PUSH_PUT) {
		const struct row *same = find_key(&job->key);
		judge_rule(is_again || !same || same->row == job->row,
			"one push waits for a registration, not two");
		put_push(job);
	}
	struct row *row = find_row(job->row);
	judge_rule(!row || !memcmp(&row->target->key, &job->key, sizeof(job->key)),
		"a row is of the registration that the job names");
	/* A later job of the batch has removed it. */
	bool was_taken = is_again && !row;
	if (job->parts & (QUEUE_PUSH_PUT | QUEUE_PUSH_MOVE) && !was_taken) {
		judge_rule(row, "a row that is moved exists");
		memcpy(row->apns_id, job->apns_id, sizeof(row->apns_id));
		row->due_ms = job->due_ms;
		row->attempts = job->attempts;
		row->is_doubted = job->is_doubted;
	}
	if (job->parts & QUEUE_NEWS_PUT && !was_taken) {
		judge_rule(row, "news has a push");
		for (size_t i = 0; i < job->news_count; i++)
			put_news(row, &job->news[i]);
	}
	if (job->parts & QUEUE_NEWS_SETTLE && row)
		delete_news(row, job->upto_seq, NULL);
	for (size_t i = 0; job->parts & QUEUE_NEWS_DROP && i < job->news_count && row; i++)
		delete_news(row, UINT64_MAX, job->news[i].hash);
	if (job->parts & QUEUE_PUSH_DELETE && row)
		delete_row(row);
	if (job->parts & QUEUE_PHONE && job->phone.last_push_ms)
		put_phone(&late, &job->key, job->phone.last_push_ms);
	if (job->parts & QUEUE_PHONE_DELETE)
		put_phone(&late, &job->key, 0);
	if (job->parts & QUEUE_PARK)
		park(job);
	if (job->parts & QUEUE_UNPARK)
		unpark(job->parked_id);
}

void disk_commit(const struct job_list *batch, bool is_again)
{
	for (struct job *job = batch->first; job; job = job->next)
		do_job(MEM_CONTAINER(job, struct queue_job, job), is_again);
	if (virtual_now_ms() - flushed_ms >= LATE_MS)
		disk_flush();
	commits++;
}

static int compare_seq(const void *a, const void *b)
{
	const struct queue_news *x = a;
	const struct queue_news *y = b;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void disk_load(const struct store_loader *loader, void *ctx)
{
	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];
		const struct push_target *target = row->target;
		const struct phone *phone = find_phone(&phones, &target->key);
		loader->push(ctx, row->row,
			push_target_new(&target->key, target->user, target->token,
				target->account_id, target->topic, target->aps_version,
				target->confirmed, target->inbox_only, target->renewed_ms),
			row->apns_id, row->due_ms, row->attempts, row->is_doubted, row->first_ms,
			phone ? phone->last_push_ms : 0);
	}
	for (size_t i = 0; i < row_count; i++) {
		qsort(rows[i].news, rows[i].news_count, sizeof(*rows[i].news), compare_seq);
		for (size_t j = 0; j < rows[i].news_count; j++)
			loader->news(ctx, &rows[i].target->key, rows[i].row, &rows[i].news[j]);
	}
	for (size_t i = 0; i < parked_count; i++)
		loader->parked(ctx, parked[i].id, parked[i].received_ms, parked[i].raw,
			parked[i].raw_size);
}

void disk_free(void)
{
	while (row_count)
		delete_row(&rows[0]);
	while (parked_count)
		unpark(parked[0].id);
	free(rows);
	free(parked);
	free(phones.all);
	free(late.all);
}

size_t disk_pushes(void)
{
	size_t count = 0;
	for (size_t i = 0; i < row_count; i++) {
		const struct model_registration *registration = model_find(&rows[i].target->key);
		count += !(registration && registration->suspended_ms &&
			rows[i].due_ms == QUEUE_DUE_SUSPENDED);
	}
	return count;
}

size_t disk_parked(void)
{
	return parked_count;
}

uint64_t disk_commits(void)
{
	return commits;
}

bool disk_has_news(const struct registry_key *key, const char *hash)
{
	const struct row *row = find_key(key);
	return row && find_news(row, hash);
}

bool disk_has_parked(const char *text)
{
	for (size_t i = 0; i < parked_count; i++) {
		if (memmem(parked[i].raw, parked[i].raw_size, text, strlen(text)))
			return true;
	}
	return false;
}

const struct registry_key *disk_key_of_id(const uint8_t apns_id[QUEUE_APNS_ID_SIZE])
{
	for (size_t i = 0; i < row_count; i++) {
		if (!memcmp(rows[i].apns_id, apns_id, QUEUE_APNS_ID_SIZE))
			return &rows[i].target->key;
	}
	return NULL;
}
