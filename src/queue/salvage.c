#include "queue/salvage.h"

#include "base/mem.h"
#include "queue/damaged_file.h"
#include "queue/file.h"
#include "queue/load.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct salvage {
	struct store_file *to;
	struct job_list jobs; /* of rows that are not written yet */
	size_t rows;
	int code; /* why no more is written */
	struct err *err;
};

static void free_jobs(struct job_list *jobs)
{
	for (struct job *job; (job = job_list_take(jobs));) {
		struct queue_job *row = MEM_CONTAINER(job, struct queue_job, job);
		free((char *)row->raw);
		queue_job_free(row);
	}
}

/* Writes in parts, so that memory does not hold the queue; the parts count once all are there. */
static void write_rows(struct salvage *salvage)
{
	if (!salvage->code)
		salvage->code = store_file_run(salvage->to, &salvage->jobs, salvage->err);
	free_jobs(&salvage->jobs);
}

static void add(struct salvage *salvage, struct queue_job *job)
{
	job_list_append(&salvage->jobs, &job->job);
	salvage->rows++;
	if (salvage->jobs.count >= WORKER_BATCH_MAX)
		write_rows(salvage);
}

static void on_push(void *ctx, int64_t row, struct push_target *target,
	const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_ms, unsigned attempts,
	bool is_doubted, int64_t first_ms, int64_t last_push_ms)
{
	(void)last_push_ms;
	struct queue_job *job = queue_job_new();
	job->parts = QUEUE_PUSH_PUT;
	job->key = target->key;
	job->row = row;
	job->target = target;
	memcpy(job->apns_id, apns_id, sizeof(job->apns_id));
	job->due_ms = due_ms;
	job->attempts = attempts;
	job->is_doubted = is_doubted;
	job->first_ms = first_ms;
	add(ctx, job);
}

static void on_news(
	void *ctx, const struct registry_key *key, int64_t row, const struct queue_news *news)
{
	(void)key;
	struct queue_job *job = queue_job_new();
	job->parts = QUEUE_NEWS_PUT;
	job->row = row;
	queue_job_make_room(job, 1);
	job->news[job->news_count++] = *news;
	add(ctx, job);
}

static void on_parked(
	void *ctx, uint64_t parked_id, int64_t received_ms, const char *raw, size_t raw_size)
{
	struct queue_job *job = queue_job_new();
	job->parts = QUEUE_PARK;
	job->parked_id = parked_id;
	job->parked_received_ms = received_ms;
	job->raw = mem_dup_n(raw, raw_size);
	job->raw_size = raw_size;
	add(ctx, job);
}

static int copy(struct store_file *file, struct salvage *salvage)
{
	static const struct store_loader loader = {
		.push = on_push, .news = on_news, .parked = on_parked};
	int code = load_salvage(file, &loader, salvage, salvage->err);
	if (code)
		free_jobs(&salvage->jobs);
	else
		write_rows(salvage);
	if (!code)
		code = salvage->code;
	return code ? code : file_drop_doubles(salvage->to, salvage->err);
}

/* Its log goes with the closing, unless that fails. */
static int finish(const char *successor, struct err *err)
{
	mem_auto char *log = mem_printf("%s-wal", successor);
	if (access(log, F_OK))
		return 0;
	return err_set(err, -EIO,
		"cannot close the new queue '%s': its log is still there; see the kernel's log for "
		"trouble with that disk",
		successor);
}

int salvage_run(struct store_file *file, char **ret_aside, size_t *ret_rows, struct err *err)
{
	struct salvage salvage = {.err = err};
	job_list_init(&salvage.jobs);
	mem_auto char *successor = damaged_file_successor(file_path(file));
	file_leave_log(file);
	int code = store_file_open(successor, &salvage.to, err);
	if (!code)
		code = copy(file, &salvage);
	store_file_close(salvage.to);
	if (!code)
		code = finish(successor, err);
	if (!code)
		code = damaged_file_replace(file_path(file), ret_aside, err);
	if (!code)
		*ret_rows = salvage.rows;
	/* That was the new file: the disk did not keep what it was just given. */
	return code == -EBADMSG ? -EIO : code;
}
