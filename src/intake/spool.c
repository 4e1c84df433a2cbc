#include "intake/spool.h"

#include "base/clock.h"
#include "base/mem.h"
#include "intake/dlist.h"
#include "intake/spooldisk.h"
#include "intake/spoolfile.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* It reads no more in one piece of work, and hands over no more in one turn of the loop. */
#define WORK_FILES_MAX 256
#define WORK_BYTES_MAX (4 * 1024 * 1024)
#define VAIN_REST 20 /* times the processor time spent on files that could not be taken */

struct spool {
	uv_loop_t *loop;
	char *path;
	struct spool_callbacks callbacks;
	void *ctx;
	const struct peer_rules *peers;

	/* Belongs to the pool during its work, like everything that disk.known holds. */
	struct spooldisk disk;
	struct spooldisk_work work;
	uv_work_t request;
	bool is_working;

	struct spool_file_list answered; /* settled by the next piece of work */
	struct spool_file_list stuck;	 /* could not be settled, tried again with the timer */
	size_t file_count;		 /* of disk.known */
	size_t byte_count;
	int64_t newest_received_ms;

	int64_t vain_ms; /* of this pass: see spooldisk_work */
	int64_t rest_until_ms;
	bool is_look_wanted;
	bool is_looking; /* until every file found is read */
	bool was_look_troubled;
	size_t taken;
	bool is_start_over; /* the files from before the start are taken */
	bool is_troubled;   /* the last report to the callback */

	uv_fs_event_t watch;
	bool is_watching;
	dev_t watched_device;
	ino_t watched_inode;
	uv_timer_t timer;
	unsigned handles; /* handles that the loop still has */
	bool is_stopping;
	bool is_freed;
};

static void begin_work(struct spool *s);

static void forget(struct spool *s, struct spool_file *file)
{
	map_remove(s->disk.known, file->name, strlen(file->name));
	s->file_count--;
	s->byte_count -= file->size;
	spooldisk_free_file(file);
}

static void free_if_idle(struct spool *s)
{
	if (!s->is_freed || s->is_working || s->handles)
		return;
	size_t position = 0;
	for (struct spool_file *file; (file = map_next(s->disk.known, &position));)
		spooldisk_free_file(file);
	spooldisk_fini(&s->disk);
	free(s->path);
	free(s);
}

static void reject(struct spool_file *file, const char *reason)
{
	file->fate = SPOOLDISK_REJECT;
	file->reason = mem_dup(reason);
	TAILQ_INSERT_TAIL(&file->spool->answered, file, link);
}

/*
 * Times grow in the order of the files: if the clock was set back between two events, the later one
 * must not become the older.
 */
static int64_t received_ms(struct spool *s, int64_t said_ms)
{
	int64_t now_ms = clock_unix_ms();
	int64_t received = said_ms && said_ms < now_ms ? said_ms : now_ms;
	if (received > s->newest_received_ms)
		s->newest_received_ms = received;
	return s->newest_received_ms;
}

static void hand_over(struct spool *s, struct spool_file *file)
{
	struct notification notification;
	struct dlist_scan scan = {0};
	size_t size = 0;
	struct err err;
	/* The callback may answer, which gives the file back, and still look at the fields. */
	mem_auto char *bytes = mem_steal(file->bytes);
	if (!file->size) {
		reject(file, "it is empty");
		return;
	}
	int r = dlist_parse(&scan, bytes, file->size, &notification, &size, &err);
	if (r < 0) {
		reject(file, err.text);
	} else if (r == 0) {
		reject(file, "the request is cut");
	} else if (size < file->size) {
		reject(file, "bytes follow the request");
	} else if (file->is_guests && !notification_is_dovecots(&notification)) {
		mem_auto char *fault = spooldisk_fault_of_stranger(file->uid);
		file->is_strangers = true;
		reject(file, fault);
	} else {
		s->taken++;
		notification.sender = file->uid;
		notification.received_ms = received_ms(s, notification.received_ms);
		s->callbacks.came(s->ctx, &notification, file);
	}
	dlist_scan_fini(&scan);
}

static void take_found(struct spool *s, struct spool_file_list *found)
{
	struct spool_file *file;
	while ((file = TAILQ_FIRST(found))) {
		TAILQ_REMOVE(found, file, link);
		if (s->is_stopping) {
			spooldisk_free_file(file);
			continue;
		}
		file->spool = s;
		map_add(s->disk.known, file->name, strlen(file->name), file);
		s->file_count++;
		s->byte_count += file->size;
		if (file->fate == SPOOLDISK_REJECT)
			TAILQ_INSERT_TAIL(&s->answered, file, link);
		else
			hand_over(s, file);
	}
}

static void drop_settled(struct spool *s, struct spool_file_list *settled)
{
	struct spool_file *file;
	while ((file = TAILQ_FIRST(settled))) {
		TAILQ_REMOVE(settled, file, link);
		if (file->fate == SPOOLDISK_REJECT && file->end != SPOOLDISK_IN_THE_WAY) {
			struct err err;
			err_set(&err, -EBADMSG, "'%s/%s' is %s: %s", s->path, file->name,
				file->end == SPOOLDISK_MOVED ? "moved to '" SPOOLFILE_BAD "'"
							     : "removed",
				file->reason);
			s->callbacks.rejected(s->ctx,
				file->is_strangers ? NOTIFICATION_NOT_ALLOWED
						   : NOTIFICATION_MALFORMED,
				"files rejected", err.text);
		}
		forget(s, file);
	}
}

static void tell_trouble(struct spool *s)
{
	if (*s->work.trouble.text) {
		s->was_look_troubled = true;
		s->is_troubled = true;
		s->callbacks.trouble(s->ctx, s->work.trouble.text);
	}
	if (!s->is_looking || spooldisk_has_names(&s->disk))
		return;
	s->is_looking = false;
	if (s->disk.has_more) {
		s->is_look_wanted = true;
		return;
	}
	s->rest_until_ms = clock_monotonic_ms() + s->vain_ms * VAIN_REST;
	s->vain_ms = 0;
	if (!s->is_start_over) {
		s->is_start_over = true;
		if (s->taken)
			s->callbacks.taken(s->ctx, s->taken);
	}
	if (s->is_troubled && !s->was_look_troubled && TAILQ_EMPTY(&s->stuck) &&
		!spool_retry_faults(&s->disk.aside)) {
		s->is_troubled = false;
		s->callbacks.trouble(s->ctx, NULL);
	}
}

static void on_changed(uv_fs_event_t *handle, const char *name, int events, int status)
{
	struct spool *s = handle->data;
	(void)events;
	(void)status;
	if (name && (*name == '.' || !strcmp(name, SPOOLFILE_BAD)))
		return;
	s->is_look_wanted = true;
	begin_work(s);
}

/* If the folder cannot be watched, the timer alone finds files. */
static void watch_folder(struct spool *s)
{
	bool is_same = s->watched_device == s->disk.device && s->watched_inode == s->disk.inode;
	if (s->is_stopping || (s->is_watching && is_same))
		return;
	uv_fs_event_stop(&s->watch);
	s->is_watching = !uv_fs_event_start(&s->watch, on_changed, s->path, 0);
	s->watched_device = s->disk.device;
	s->watched_inode = s->disk.inode;
	/* Files that appeared just before were not seen. */
	if (s->is_watching)
		s->is_look_wanted = true;
}

static void on_work(uv_work_t *request)
{
	struct spool *s = request->data;
	spooldisk_do(&s->disk, &s->work);
}

static void on_worked(uv_work_t *request, int status)
{
	struct spool *s = request->data;
	assert(!status);
	(void)status;
	drop_settled(s, &s->work.settled);
	TAILQ_CONCAT(&s->stuck, &s->work.settle, link);
	if (spool_retry_count(&s->disk.aside))
		s->vain_ms += s->work.vain_ms;
	/* Still at work: answers from within wait for the next piece. */
	take_found(s, &s->work.found);
	if (!s->is_freed)
		tell_trouble(s);
	s->is_working = false;
	watch_folder(s);
	begin_work(s);
	free_if_idle(s);
}

static void on_timer(uv_timer_t *timer);

/* The pause before another pass, after one that spent long on files that could not be taken. */
static bool must_rest(struct spool *s)
{
	int64_t left_ms = s->rest_until_ms - clock_monotonic_ms();
	if (s->disk.has_more || left_ms <= 0)
		return false;
	if (left_ms < SPOOL_LOOK_MS)
		uv_timer_start(&s->timer, on_timer, (uint64_t)left_ms, SPOOL_LOOK_MS);
	return true;
}

static void begin_work(struct spool *s)
{
	if (s->is_working)
		return;
	bool has_names = spooldisk_has_names(&s->disk);
	bool has_room = s->file_count < SPOOL_FILES_MAX && s->byte_count < SPOOL_BYTES_MAX;
	bool may_read = has_room && !s->is_stopping;
	bool is_look = may_read && s->is_look_wanted && !has_names && !must_rest(s);
	if (TAILQ_EMPTY(&s->answered) && !is_look && !(may_read && has_names))
		return;
	spooldisk_work_init(&s->work);
	TAILQ_CONCAT(&s->work.settle, &s->answered, link);
	if (is_look) {
		s->work.is_look = true;
		s->is_look_wanted = false;
		s->is_looking = true;
		s->was_look_troubled = false;
	}
	if (may_read) {
		size_t room = SPOOL_FILES_MAX - s->file_count;
		s->work.files_max = room < WORK_FILES_MAX ? room : WORK_FILES_MAX;
		s->work.bytes_max = WORK_BYTES_MAX;
	}
	s->disk.peers = *s->peers;
	s->is_working = true;
	s->request.data = s;
	uv_queue_work(s->loop, &s->request, on_work, on_worked);
}

static void on_timer(uv_timer_t *timer)
{
	struct spool *s = timer->data;
	TAILQ_CONCAT(&s->answered, &s->stuck, link);
	s->is_look_wanted = true;
	begin_work(s);
}

struct spool *spool_new(uv_loop_t *loop, const char *path, gid_t gid,
	const struct peer_rules *peers, bool has_guests, const uint8_t seed[16],
	const struct spool_callbacks *callbacks, void *ctx)
{
	struct spool *s = mem_alloc_zero(1, sizeof(*s));
	s->loop = loop;
	s->path = mem_dup(path);
	s->callbacks = *callbacks;
	s->ctx = ctx;
	s->peers = peers;
	spooldisk_init(&s->disk, s->path, gid, peers, has_guests, seed);
	TAILQ_INIT(&s->answered);
	TAILQ_INIT(&s->stuck);
	uv_fs_event_init(loop, &s->watch);
	s->watch.data = s;
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	s->handles = 2;
	uv_timer_start(&s->timer, on_timer, 0, SPOOL_LOOK_MS);
	return s;
}

void spool_answer(struct spool_file *file, int status, const char *text)
{
	struct spool *s = file->spool;
	assert(file->fate == SPOOLDISK_TAKEN);
	if (status && status != -EAGAIN) {
		file->is_strangers = status == -EPERM;
		reject(file, text);
	} else {
		file->fate = status ? SPOOLDISK_LEAVE : SPOOLDISK_REMOVE;
		TAILQ_INSERT_TAIL(&s->answered, file, link);
	}
	begin_work(s);
}

void spool_stop(struct spool *spool)
{
	spool->is_stopping = true;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct spool *s = handle->data;
	s->handles--;
	free_if_idle(s);
}

void spool_free(struct spool *spool)
{
	if (!spool)
		return;
	spool->is_stopping = true;
	spool->is_freed = true;
	uv_close((uv_handle_t *)&spool->watch, on_handle_closed);
	uv_close((uv_handle_t *)&spool->timer, on_handle_closed);
}
