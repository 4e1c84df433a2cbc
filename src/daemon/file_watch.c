#include "daemon/file_watch.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* What tells one state of a file from another; all zero: it is missing. */
struct state {
	dev_t device;
	ino_t inode;
	mode_t mode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct file {
	char *path;
	bool is_known; /* of the last look */
	struct state state;
};

/* One look at all files; while it runs it belongs to the pool. */
struct look {
	uv_work_t work;
	struct file_watch *watch;
	struct file *files;
	size_t count;
};

struct file_watch {
	uv_loop_t *loop;
	struct file_watch_settings settings;
	file_watch_changed_fn *changed;
	void *ctx;
	struct file *files;
	size_t count;
	uv_timer_t timer; /* until the next look */
	bool is_looking;
	bool is_unsettled; /* the last look found a change */
	bool is_freed;
	bool is_closed; /* the timer */
};

static struct file *copy_files(const struct file *files, size_t count)
{
	struct file *copy = mem_alloc_zero(count, sizeof(*copy));
	for (size_t i = 0; i < count; i++) {
		copy[i] = files[i];
		copy[i].path = mem_dup(files[i].path);
	}
	return copy;
}

static void free_files(struct file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i].path);
	free(files);
}

static void look_at(struct file *files, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct stat status;
		files[i].is_known = true;
		files[i].state = (struct state){0};
		if (stat(files[i].path, &status) == 0)
			files[i].state = (struct state){
				.device = status.st_dev,
				.inode = status.st_ino,
				.mode = status.st_mode,
				.size = status.st_size,
				.modified = status.st_mtim,
				.changed = status.st_ctim,
			};
	}
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct file *a, const struct file *b)
{
	const struct state *x = &a->state;
	const struct state *y = &b->state;
	return a->is_known && b->is_known && x->device == y->device && x->inode == y->inode &&
		x->mode == y->mode && x->size == y->size &&
		is_same_time(&x->modified, &y->modified) && is_same_time(&x->changed, &y->changed);
}

static struct file *find(struct file *files, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	}
	return NULL;
}

/* Returns whether something has changed.  A file that was added since was not part of this look.
 */
static bool take_in(struct file_watch *watch, const struct look *look)
{
	bool is_changed = false;
	for (size_t i = 0; i < watch->count; i++) {
		struct file *file = &watch->files[i];
		const struct file *found = find(look->files, look->count, file->path);
		if (!found || !is_same(file, found))
			is_changed = true;
		if (!found)
			continue;
		file->state = found->state;
		file->is_known = true;
	}
	return is_changed;
}

/* Frees only when the pool does not look and the loop has closed the timer. */
static void free_if_idle(struct file_watch *watch)
{
	if (!watch->is_closed || watch->is_looking)
		return;
	free_files(watch->files, watch->count);
	free(watch);
}

static void on_timer(uv_timer_t *timer);

static void on_work(uv_work_t *work)
{
	struct look *look = work->data;
	look_at(look->files, look->count);
}

static void on_looked(uv_work_t *work, int status)
{
	struct look *look = work->data;
	struct file_watch *watch = look->watch;
	watch->is_looking = false;
	if (!watch->is_freed && !status) {
		bool is_changed = take_in(watch, look);
		bool is_settled = watch->is_unsettled && !is_changed;
		watch->is_unsettled = is_changed;
		int64_t next_ms = is_changed ? watch->settings.settle_ms : watch->settings.look_ms;
		uv_timer_start(&watch->timer, on_timer, (uint64_t)next_ms, 0);
		if (is_settled)
			watch->changed(watch->ctx);
	}
	free_files(look->files, look->count);
	free(look);
	free_if_idle(watch);
}

static void on_timer(uv_timer_t *timer)
{
	struct file_watch *watch = timer->data;
	struct look *look = mem_alloc_zero(1, sizeof(*look));
	look->watch = watch;
	look->work.data = look;
	look->files = copy_files(watch->files, watch->count);
	look->count = watch->count;
	watch->is_looking = true;
	uv_queue_work(watch->loop, &look->work, on_work, on_looked);
}

static void take_paths(struct file_watch *watch, const char *const *paths, size_t count)
{
	if (count > FILE_WATCH_PATHS_MAX)
		count = FILE_WATCH_PATHS_MAX;
	struct file *files = mem_alloc_zero(count, sizeof(*files));
	for (size_t i = 0; i < count; i++) {
		const struct file *known = find(watch->files, watch->count, paths[i]);
		if (known)
			files[i] = *known;
		files[i].path = mem_dup(paths[i]);
	}
	free_files(watch->files, watch->count);
	watch->files = files;
	watch->count = count;
}

struct file_watch *file_watch_new(uv_loop_t *loop, const struct file_watch_settings *settings,
	const char *const *paths, size_t count, file_watch_changed_fn *changed, void *ctx)
{
	struct file_watch *watch = mem_alloc_zero(1, sizeof(*watch));
	watch->loop = loop;
	watch->settings = *settings;
	watch->changed = changed;
	watch->ctx = ctx;
	take_paths(watch, paths, count);
	look_at(watch->files, watch->count);
	uv_timer_init(loop, &watch->timer);
	watch->timer.data = watch;
	uv_unref((uv_handle_t *)&watch->timer);
	uv_timer_start(&watch->timer, on_timer, (uint64_t)settings->look_ms, 0);
	return watch;
}

void file_watch_set_paths(struct file_watch *watch, const char *const *paths, size_t count)
{
	take_paths(watch, paths, count);
}

static void on_closed(uv_handle_t *handle)
{
	struct file_watch *watch = handle->data;
	watch->is_closed = true;
	free_if_idle(watch);
}

void file_watch_free(struct file_watch *watch)
{
	if (!watch)
		return;
	watch->is_freed = true;
	uv_close((uv_handle_t *)&watch->timer, on_closed);
}
