#include "trace/trace.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "trace/trace_ring.h"
#include "trace/trace_search.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct block {
	struct trace_job job;
	bool is_lost; /* the file did not take it */
	uint32_t count;
	uint32_t gap; /* dropped entries of which it tells */
	int64_t gap_since_ms;
	int64_t first_ms;
	int64_t last_ms;
	size_t used;
	uint8_t bytes[TRACE_RING_ROOM];
};

struct trace {
	char *path;
	uint64_t size;
	int64_t keep_ms;
	struct trace_ring *ring; /* the thread's; NULL: not open */
	atomic_uint_fast64_t bytes;

	struct worker *worker;
	struct trace_share *share;
	struct block *block; /* being filled; NULL: nothing waits */
	size_t out;	     /* blocks that the thread has, or that wait for it */
	uint32_t gap;	     /* dropped since the last line about that */
	int64_t gap_since_ms;
	struct trace_job expire;
	bool is_expire_out;
	struct trace_counts counts;
	char *trouble;
	uv_timer_t write;
	uv_timer_t hourly;
	unsigned handles;
};

/* The thread. */

static int open_ring(struct trace *trace, struct err *err)
{
	if (trace->ring && trace_ring_check(trace->ring, err)) {
		trace_ring_close(trace->ring);
		trace->ring = NULL;
	}
	return trace->ring ? 0 : trace_ring_open(trace->path, trace->size, &trace->ring, err);
}

static int do_job(struct trace *trace, struct trace_job *job, struct err *err)
{
	int64_t oldest_ms = clock_unix_ms() - trace->keep_ms;
	int failed = open_ring(trace, err);
	if (failed)
		return failed;
	if (job->kind == TRACE_EXPIRE)
		return trace_ring_expire(trace->ring, oldest_ms, err);
	if (job->kind == TRACE_WRITE) {
		struct block *block = MEM_CONTAINER(job, struct block, job);
		failed = trace_ring_append(trace->ring, block->bytes, block->used, block->first_ms,
			block->last_ms, err);
		block->is_lost = failed;
		return failed;
	}
	struct trace_question *question = MEM_CONTAINER(job, struct trace_question, job);
	int64_t since_ms = question->since_ms > oldest_ms ? question->since_ms : oldest_ms;
	return job->kind == TRACE_FIND ? trace_search_find(trace->ring, since_ms, question, err)
				       : trace_search_erase(trace->ring, question, err);
}

static void take_failure(struct trace_job *job, int status, const struct err *err)
{
	if (job->kind == TRACE_WRITE) {
		MEM_CONTAINER(job, struct block, job)->is_lost = true;
	} else if (job->kind != TRACE_EXPIRE) {
		struct trace_question *question = MEM_CONTAINER(job, struct trace_question, job);
		question->status = status;
		question->err = *err;
	}
}

/* What fails is not tried again: the next block, a second later, is the next attempt. */
static void run(void *ctx, struct job_list *batch)
{
	struct trace *trace = ctx;
	struct err trouble;
	bool has_trouble = false;
	bool has_written = false;
	for (struct job *at = batch->first; at; at = at->next) {
		struct trace_job *job = MEM_CONTAINER(at, struct trace_job, job);
		struct err err;
		int failed = do_job(trace, job, &err);
		if (failed) {
			take_failure(job, failed, &err);
			trouble = err;
			has_trouble = true;
		}
		has_written |= !failed && job->kind == TRACE_WRITE;
		job->is_done = true;
	}
	/* That it can be read does not mean that it can be written. */
	if (has_trouble || has_written)
		worker_report(trace->worker, has_trouble ? trouble.text : NULL);
	atomic_store(&trace->bytes, trace->ring ? trace_ring_bytes(trace->ring) : 0);
}

/* What waits is written too; nobody is there any more for answers. */
static void end(void *ctx, struct job_list *left)
{
	struct trace *trace = ctx;
	static const struct err stopping = {"mailpushd is stopping"};
	for (struct job *at = left->first; at; at = at->next) {
		struct trace_job *job = MEM_CONTAINER(at, struct trace_job, job);
		struct err err;
		if (job->is_done)
			continue;
		if (job->kind != TRACE_WRITE)
			take_failure(job, -ECANCELED, &stopping);
		else if (do_job(trace, job, &err))
			take_failure(job, -EIO, &err);
	}
	trace_ring_close(mem_steal(trace->ring));
}

/* The loop thread. */

static void note_gap(struct trace *trace, uint64_t count, int64_t since_ms)
{
	if (!trace->gap || since_ms < trace->gap_since_ms)
		trace->gap_since_ms = since_ms;
	trace->gap = count < UINT32_MAX - trace->gap ? trace->gap + (uint32_t)count : UINT32_MAX;
}

static void give_back(struct trace *trace, struct trace_job *job)
{
	if (job->kind == TRACE_EXPIRE) {
		trace->is_expire_out = false;
	} else if (job->kind == TRACE_WRITE) {
		struct block *block = MEM_CONTAINER(job, struct block, job);
		trace->out--;
		if (block->is_lost) {
			trace->counts.entries -= block->count;
			trace->counts.dropped += block->count;
			note_gap(trace, block->count, block->first_ms);
			if (block->gap)
				note_gap(trace, block->gap, block->gap_since_ms);
		}
		free(block);
	} else {
		struct trace_question *question = MEM_CONTAINER(job, struct trace_question, job);
		question->done(question);
	}
}

static void on_done(void *ctx, struct job_list *batch)
{
	for (struct job *job; (job = job_list_take(batch));)
		give_back(ctx, MEM_CONTAINER(job, struct trace_job, job));
}

static void on_trouble(void *ctx, const char *text)
{
	struct trace *trace = ctx;
	bool had_trouble = trace->trouble;
	free(trace->trouble);
	trace->trouble = text ? mem_dup(text) : NULL;
	if (text)
		log_seldom(LOG_LEVEL_WARN, "trace", "trouble of the trace", "",
			"entries of the trace are lost; events and pushes do not depend on it",
			log_text("why", text));
	else if (had_trouble)
		log_seldom(LOG_LEVEL_INFO, "trace", "ends of the trace's trouble", "",
			"the trace is written again");
}

static void submit(struct trace *trace, struct trace_job *job, bool is_lazy)
{
	job->is_done = false;
	if (is_lazy)
		worker_submit_lazy(trace->worker, &job->job);
	else
		worker_submit(trace->worker, &job->job);
}

static void hand_over(struct trace *trace)
{
	struct block *block = mem_steal(trace->block);
	if (!block)
		return;
	uv_timer_stop(&trace->write);
	trace->out++;
	submit(trace, &block->job, true);
}

static void on_write(uv_timer_t *timer)
{
	hand_over(timer->data);
}

static void on_hour(uv_timer_t *timer)
{
	struct trace *trace = timer->data;
	if (trace->is_expire_out)
		return;
	trace->is_expire_out = true;
	trace->expire.kind = TRACE_EXPIRE;
	submit(trace, &trace->expire, true);
}

int trace_new(
	uv_loop_t *loop, const struct trace_settings *settings, struct trace **ret, struct err *err)
{
	static const struct worker_callbacks callbacks = {
		.run = run, .done = on_done, .trouble = on_trouble, .end = end};
	struct trace *trace = mem_alloc_zero(1, sizeof(*trace));
	int status = worker_new(loop, "trace", &callbacks, trace, &trace->worker, err);
	if (status) {
		free(trace);
		return status;
	}
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	trace->share = trace_share_new(seed);
	trace->path = mem_dup(settings->path);
	trace->size = settings->size;
	trace->keep_ms = settings->keep_ms;
	uv_timer_init(loop, &trace->write);
	trace->write.data = trace;
	uv_timer_init(loop, &trace->hourly);
	trace->hourly.data = trace;
	trace->handles = 2;
	uv_timer_start(&trace->hourly, on_hour, 0, CLOCK_HOUR_MS);
	uv_unref((uv_handle_t *)&trace->hourly);
	*ret = trace;
	return 0;
}

/* Writes it into the block. */
static void add(struct trace *trace, const struct trace_entry *entry)
{
	struct block *block = trace->block;
	block->used += trace_entry_write(entry, block->bytes + block->used);
	if (!block->last_ms || block->first_ms > entry->at_ms)
		block->first_ms = entry->at_ms;
	if (block->last_ms < entry->at_ms)
		block->last_ms = entry->at_ms;
}

/* False: as many blocks are out as may be. */
static bool make_room(struct trace *trace, int64_t now_ms)
{
	if (trace->block && trace->block->used + TRACE_ENTRY_SIZE_MAX > TRACE_RING_ROOM)
		hand_over(trace);
	if (trace->block)
		return true;
	if (trace->out >= TRACE_BLOCKS_MAX)
		return false;
	struct block *block = trace->block = mem_alloc(sizeof(*block));
	memset(block, 0, offsetof(struct block, bytes));
	block->job.kind = TRACE_WRITE;
	uv_timer_start(&trace->write, on_write, TRACE_WRITE_MS, 0);
	if (trace->gap) {
		const struct trace_entry gap = {.kind = TRACE_GAP,
			.at_ms = now_ms,
			.other_ms = trace->gap_since_ms,
			.count = trace->gap};
		block->gap = trace->gap;
		block->gap_since_ms = trace->gap_since_ms;
		trace->gap = 0;
		add(trace, &gap);
	}
	return true;
}

static void on_closed(uv_handle_t *handle)
{
	struct trace *trace = handle->data;
	if (--trace->handles)
		return;
	trace_share_free(trace->share);
	free(trace->trouble);
	free(trace->path);
	free(trace);
}

bool trace_free(struct trace *trace)
{
	if (!trace)
		return true;
	struct job_list left;
	job_list_init(&left);
	hand_over(trace);
	/* The disk may take by now what tells of entries that it did not. */
	if (trace->gap && make_room(trace, clock_unix_ms()))
		hand_over(trace);
	if (!worker_free(trace->worker, TRACE_END_MS, &left))
		return false;
	on_done(trace, &left);
	uv_close((uv_handle_t *)&trace->write, on_closed);
	uv_close((uv_handle_t *)&trace->hourly, on_closed);
	return true;
}

bool trace_knows(const struct trace *trace, const char *user)
{
	return trace && *user && trace_share_knows(trace->share, user, strlen(user));
}

static uint32_t mix(uint32_t hash, const void *bytes, size_t size)
{
	for (const uint8_t *at = bytes; size--; at++)
		hash = (hash ^ *at) * 16777619;
	return hash;
}

/* Equal for events that led to the same for the same registration; never 0 (FNV-1a). */
static uint32_t sameness_of(const struct trace_entry *entry)
{
	const uint8_t kinds[] = {(uint8_t)entry->event, (uint8_t)entry->what};
	uint32_t hash = mix(2166136261, kinds, sizeof(kinds));
	hash = mix(hash, entry->key.bytes, 4);
	hash = mix(hash, entry->owner, strlen(entry->owner) + 1);
	return mix(hash, entry->folder, strlen(entry->folder)) | 1;
}

void trace_put(struct trace *trace, const struct trace_entry *entry, enum trace_weight weight)
{
	if (!trace)
		return;
	bool has_user = entry->user && *entry->user;
	const void *who = has_user ? (const void *)entry->user : entry->key.bytes;
	size_t size = has_user ? strlen(entry->user) : sizeof(entry->key.bytes);
	struct trace_entry put = *entry;
	if (!trace_share_take(trace->share, who, size, weight,
		    entry->kind == TRACE_EVENT ? sameness_of(entry) : 0, clock_monotonic_ms(),
		    &put.left_out)) {
		trace->counts.left_out++;
		return;
	}
	put.at_ms = clock_unix_ms();
	if (!make_room(trace, put.at_ms)) {
		trace->counts.dropped++;
		note_gap(trace, 1, put.at_ms);
		return;
	}
	add(trace, &put);
	trace->block->count++;
	trace->counts.entries++;
}

static void ask(struct trace *trace, struct trace_question *question)
{
	buf_init(&question->found);
	question->status = 0;
	question->is_cut = false;
	hand_over(trace);
	submit(trace, &question->job, false);
}

void trace_ask(struct trace *trace, struct trace_question *question)
{
	question->job.kind = TRACE_FIND;
	ask(trace, question);
}

void trace_forget(struct trace *trace, struct trace_question *question)
{
	question->job.kind = TRACE_ERASE;
	trace_share_forget(trace->share, question->user, strlen(question->user));
	ask(trace, question);
}

void trace_question_fini(struct trace_question *question)
{
	buf_fini(&question->found);
}

void trace_count(const struct trace *trace, struct trace_counts *ret)
{
	*ret = trace ? trace->counts : (struct trace_counts){0};
	if (trace)
		ret->bytes = atomic_load(&((struct trace *)trace)->bytes);
}

uint32_t trace_left_out(const struct trace *trace, const char *user)
{
	return trace_share_left_out(trace->share, user, strlen(user));
}

const char *trace_trouble(const struct trace *trace)
{
	return trace->trouble;
}
