#include "daemon/file_watch.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_MAX 64
#define LINKS_MAX 16 /* on one way */
#define SOON_MS 100  /* events come in bursts */

/* What tells one state of a file from another. */
struct look_of {
	bool is_there;
	dev_t device;
	ino_t inode;
	mode_t mode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct file {
	char *path;
	bool is_known;
	struct look_of seen;
};

/* A folder is another one when it was replaced: the system watches inodes. */
struct folder {
	char *path;
	dev_t device;
	ino_t inode;
};

/* One look at all files; owned by the pool's thread while it runs. */
struct look {
	uv_work_t work;
	struct file_watch *watch;
	struct file *files;
	size_t file_count;
	struct folder folders[FOLDERS_MAX];
	size_t folder_count;
};

struct watched {
	uv_fs_event_t event;
	struct file_watch *watch;
	struct folder folder;
};

struct file_watch {
	uv_loop_t *loop;
	struct file_watch_settings settings;
	file_watch_changed_fn *changed;
	void *ctx;
	struct file *files;
	size_t file_count;
	struct watched *watched[FOLDERS_MAX];
	size_t watched_count;

	uv_timer_t soon;    /* a look after an event */
	uv_timer_t settle;  /* since the last change */
	uv_timer_t regular; /* looks without an event */
	bool is_looking;
	bool is_look_wanted;
	bool is_settled; /* unless this look finds another change */
	bool is_freed;
	unsigned open_handles;
};

static void free_files(struct file *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(files[i].path);
	free(files);
}

static void look_fini(struct look *look)
{
	free_files(look->files, look->file_count);
	for (size_t i = 0; i < look->folder_count; i++)
		free(look->folders[i].path);
}

static void release(struct file_watch *watch)
{
	if (!watch->is_freed || watch->open_handles || watch->is_looking)
		return;
	free_files(watch->files, watch->file_count);
	free(watch);
}

/* The look, on the pool's thread. */

static struct look_of look_at(const char *path)
{
	struct stat status;
	if (stat(path, &status))
		return (struct look_of){0};
	return (struct look_of){
		.is_there = true,
		.device = status.st_dev,
		.inode = status.st_ino,
		.mode = status.st_mode,
		.size = status.st_size,
		.modified = status.st_mtim,
		.changed = status.st_ctim,
	};
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct look_of *a, const struct look_of *b)
{
	return a->is_there == b->is_there && a->device == b->device && a->inode == b->inode &&
		a->mode == b->mode && a->size == b->size &&
		is_same_time(&a->modified, &b->modified) && is_same_time(&a->changed, &b->changed);
}

/* The folder that holds the file whose path begins `path` and has `size` bytes. */
static void add_folder(struct look *look, const char *path, size_t size)
{
	while (size > 0 && path[size - 1] != '/')
		size--;
	while (size > 1 && path[size - 1] == '/')
		size--;
	if (look->folder_count == FOLDERS_MAX || size == 0)
		return;
	mem_auto char *folder = mem_dup_n(path, size);
	for (size_t i = 0; i < look->folder_count; i++) {
		if (strcmp(look->folders[i].path, folder) == 0)
			return;
	}
	struct stat status;
	if (stat(folder, &status) || !S_ISDIR(status.st_mode))
		return;
	look->folders[look->folder_count++] = (struct folder){
		.path = mem_steal(folder), .device = status.st_dev, .inode = status.st_ino};
}

/* Where a link in the folder that begins `path` leads to, with what stood behind it. */
static char *follow(const char *path, size_t size)
{
	char target[PATH_MAX];
	mem_auto char *link = mem_dup_n(path, size);
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return NULL;
	target[n] = '\0';
	if (target[0] == '/')
		return mem_printf("%s%s", target, path + size);
	while (size > 0 && path[size - 1] != '/')
		size--;
	return mem_printf("%.*s%s%s", (int)size, path, target, path + strlen(link));
}

/* All folders in which the way to the file can be changed: those of its links, and its own. */
static void add_way(struct look *look, const char *path)
{
	mem_auto char *way = mem_dup(path);
	for (unsigned links = 0; links < LINKS_MAX; links++) {
		size_t size = 1;
		struct stat status;
		bool is_link = false;
		while (way[size] && !is_link) {
			size += strcspn(way + size, "/");
			mem_auto char *prefix = mem_dup_n(way, size);
			if (lstat(prefix, &status)) {
				/* Whatever is missing comes into being in there. */
				add_folder(look, way, size);
				return;
			}
			is_link = S_ISLNK(status.st_mode);
			if (!is_link)
				size += strspn(way + size, "/");
		}
		add_folder(look, way, size);
		if (!is_link)
			return;
		char *next = follow(way, size);
		if (!next)
			return;
		free(way);
		way = next;
	}
}

static void on_look(uv_work_t *work)
{
	struct look *look = work->data;
	for (size_t i = 0; i < look->file_count; i++) {
		add_way(look, look->files[i].path);
		look->files[i].seen = look_at(look->files[i].path);
	}
}

/* What follows, on the loop's. */

static void request_look(struct file_watch *watch);

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct watched *watched = MEM_CONTAINER(event, struct watched, event);
	(void)name;
	(void)events;
	(void)status;
	request_look(watched->watch);
}

static void on_watched_closed(uv_handle_t *handle)
{
	struct watched *watched = MEM_CONTAINER((uv_fs_event_t *)handle, struct watched, event);
	struct file_watch *watch = watched->watch;
	free(watched->folder.path);
	free(watched);
	watch->open_handles--;
	release(watch);
}

static void unwatch(struct file_watch *watch, size_t i)
{
	uv_close((uv_handle_t *)&watch->watched[i]->event, on_watched_closed);
	watch->watched[i] = watch->watched[--watch->watched_count];
}

static bool is_same_folder(const struct folder *a, const struct folder *b)
{
	return a->device == b->device && a->inode == b->inode && strcmp(a->path, b->path) == 0;
}

static void watch_folder(struct file_watch *watch, struct folder *folder)
{
	if (watch->watched_count == FOLDERS_MAX)
		return;
	struct watched *watched = mem_alloc_zero(1, sizeof(*watched));
	watched->watch = watch;
	watched->folder = *folder;
	folder->path = NULL;
	uv_fs_event_init(watch->loop, &watched->event);
	watch->open_handles++;
	/* Where it cannot be watched (no inotify left), the regular look sees the change. */
	uv_fs_event_start(&watched->event, on_event, watched->folder.path, 0);
	uv_unref((uv_handle_t *)&watched->event);
	watch->watched[watch->watched_count++] = watched;
}

/* Returns whether a folder is watched that was not before: something may have happened in it. */
static bool watch_folders(struct file_watch *watch, struct look *look)
{
	bool is_new[FOLDERS_MAX];
	bool any_new = false;
	for (size_t i = 0; i < look->folder_count; i++)
		is_new[i] = true;
	for (size_t i = 0; i < watch->watched_count;) {
		bool is_wanted = false;
		for (size_t j = 0; j < look->folder_count; j++) {
			if (!is_same_folder(&watch->watched[i]->folder, &look->folders[j]))
				continue;
			is_wanted = true;
			is_new[j] = false;
		}
		if (is_wanted)
			i++;
		else
			unwatch(watch, i);
	}
	for (size_t i = 0; i < look->folder_count; i++) {
		if (!is_new[i])
			continue;
		watch_folder(watch, &look->folders[i]);
		any_new = true;
	}
	return any_new;
}

static struct file *find_file(struct file_watch *watch, const char *path)
{
	for (size_t i = 0; i < watch->file_count; i++) {
		if (strcmp(watch->files[i].path, path) == 0)
			return &watch->files[i];
	}
	return NULL;
}

static bool take_in(struct file_watch *watch, const struct look *look)
{
	bool is_changed = false;
	for (size_t i = 0; i < look->file_count; i++) {
		struct file *file = find_file(watch, look->files[i].path);
		if (!file)
			continue;
		/* One that is new here may have changed since somebody read it. */
		if (!file->is_known || !is_same(&file->seen, &look->files[i].seen))
			is_changed = true;
		file->seen = look->files[i].seen;
		file->is_known = true;
	}
	return is_changed;
}

static void on_settled(uv_timer_t *timer)
{
	struct file_watch *watch = timer->data;
	watch->is_settled = true;
	request_look(watch);
}

static void on_looked(uv_work_t *work, int status)
{
	struct look *look = work->data;
	struct file_watch *watch = look->watch;
	watch->is_looking = false;
	if (!watch->is_freed && status == 0) {
		if (watch_folders(watch, look))
			watch->is_look_wanted = true;
		bool is_settled = watch->is_settled;
		watch->is_settled = false;
		if (take_in(watch, look))
			uv_timer_start(
				&watch->settle, on_settled, (uint64_t)watch->settings.settle_ms, 0);
		else if (is_settled)
			watch->changed(watch->ctx);
		if (watch->is_look_wanted)
			request_look(watch);
	}
	look_fini(look);
	free(look);
	release(watch);
}

static void prepare(struct file_watch *watch, struct look *look)
{
	look->watch = watch;
	look->work.data = look;
	look->files = mem_alloc_zero(watch->file_count, sizeof(*look->files));
	look->file_count = watch->file_count;
	for (size_t i = 0; i < watch->file_count; i++)
		look->files[i].path = mem_dup(watch->files[i].path);
}

static void on_soon(uv_timer_t *timer)
{
	struct file_watch *watch = timer->data;
	if (watch->is_looking) {
		watch->is_look_wanted = true;
		return;
	}
	watch->is_look_wanted = false;
	watch->is_looking = true;
	struct look *look = mem_alloc_zero(1, sizeof(*look));
	prepare(watch, look);
	uv_queue_work(watch->loop, &look->work, on_look, on_looked);
}

/* In a moment, with all that comes till then; a busy folder does not put it off. */
static void request_look(struct file_watch *watch)
{
	if (!watch->is_freed && !uv_is_active((uv_handle_t *)&watch->soon))
		uv_timer_start(&watch->soon, on_soon, SOON_MS, 0);
}

static void on_regular(uv_timer_t *timer)
{
	request_look(timer->data);
}

static void copy_paths(struct file_watch *watch, const char *const *paths, size_t count)
{
	struct file *files = mem_alloc_zero(count, sizeof(*files));
	size_t n = 0;
	for (size_t i = 0; i < count && n < FILE_WATCH_PATHS_MAX; i++) {
		const struct file *known = find_file(watch, paths[i]);
		if (known)
			files[n] = *known;
		files[n++].path = mem_dup(paths[i]);
	}
	free_files(watch->files, watch->file_count);
	watch->files = files;
	watch->file_count = n;
}

static void init_timer(struct file_watch *watch, uv_timer_t *timer)
{
	uv_timer_init(watch->loop, timer);
	timer->data = watch;
	uv_unref((uv_handle_t *)timer);
	watch->open_handles++;
}

struct file_watch *file_watch_new(uv_loop_t *loop, const struct file_watch_settings *settings,
	const char *const *paths, size_t count, file_watch_changed_fn *changed, void *ctx)
{
	struct file_watch *watch = mem_alloc_zero(1, sizeof(*watch));
	watch->loop = loop;
	watch->settings = *settings;
	watch->changed = changed;
	watch->ctx = ctx;
	init_timer(watch, &watch->soon);
	init_timer(watch, &watch->settle);
	init_timer(watch, &watch->regular);
	uv_timer_start(&watch->regular, on_regular, (uint64_t)settings->look_ms,
		(uint64_t)settings->look_ms);
	copy_paths(watch, paths, count);

	/* Watched first: what happens after the look is an event. */
	struct look look = {0};
	prepare(watch, &look);
	on_look(&look.work);
	watch_folders(watch, &look);
	take_in(watch, &look);
	look_fini(&look);
	request_look(watch);
	return watch;
}

void file_watch_set_paths(struct file_watch *watch, const char *const *paths, size_t count)
{
	copy_paths(watch, paths, count);
	request_look(watch);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct file_watch *watch = handle->data;
	watch->open_handles--;
	release(watch);
}

void file_watch_free(struct file_watch *watch)
{
	if (!watch)
		return;
	watch->is_freed = true;
	while (watch->watched_count)
		unwatch(watch, 0);
	uv_close((uv_handle_t *)&watch->soon, on_timer_closed);
	uv_close((uv_handle_t *)&watch->settle, on_timer_closed);
	uv_close((uv_handle_t *)&watch->regular, on_timer_closed);
}
