#include "folder.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "intake/spool.h"
#include "intake/spooldisk.h"
#include "intake/spoolfile.h"
#include "judge/judge.h"
#include "notify/request.h"
#include "virtual.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#define SLACK_MS (20 * CLOCK_SECOND_MS) /* for the pool, which is slow */

/* In order of names, which only grow. */
struct kept {
	struct kept *next;
	char name[SPOOLFILE_NAME_SIZE];
	uint64_t number; /* 0: litter */
	uint64_t order;
	bool is_done;
	int64_t since_ms; /* since when it waits for the daemon's next step */
	struct buf bytes;
	int64_t unreadable_until_ms, unremovable_until_ms;
};

static struct kept *first;
static struct kept **end = &first;
static uint64_t names;
static uint64_t kept_count;
static int64_t closed_until_ms, troubled_until_ms;
static bool is_dying;
static bool is_watched_over; /* the daemon is up and not about to stop */
static uv_fs_event_t *watch;
static uv_fs_event_cb on_watched;

/* What mailpush-notify does. */

static void tell_watch(void *ctx, uint64_t number)
{
	(void)ctx;
	(void)number;
	if (watch)
		on_watched(watch, "a name", UV_RENAME, 0);
}

/* Each of the two by chance. */
static void trouble(struct kept *kept)
{
	if (dice_roll(2))
		kept->unreadable_until_ms = troubled_until_ms;
	if (dice_roll(2))
		kept->unremovable_until_ms = troubled_until_ms;
}

static struct kept *add(uint64_t number)
{
	struct kept *kept = mem_alloc_zero(1, sizeof(*kept));
	kept->number = number;
	kept->since_ms = virtual_now_ms();
	buf_init(&kept->bytes);
	snprintf(kept->name, sizeof(kept->name), SPOOLFILE_NAME_FORMAT, (long long)++names, 1L);
	*end = kept;
	end = &kept->next;
	if (virtual_now_ms() < troubled_until_ms)
		trouble(kept);
	/* This may be lost: the daemon also looks through the folder now and then. */
	if (!dice_once_in(10))
		virtual_in(dice_between(0, 5), tell_watch, NULL, 0);
	return kept;
}

void folder_keep(uint64_t number, const char *json, size_t size)
{
	const struct request_fields fields = {
		.class = "EVENT", .priority = "", .user = "", .mailbox = ""};
	struct err err;
	struct kept *kept = add(number);
	kept_count++;
	judge_rule(!request_write(&fields, json, size, clock_unix_ms(), &kept->bytes, &err),
		"mailpush-notify can write each event");
}

void folder_litter(void)
{
	static const char *const litter[] = {"", "NOTIFY", "NOTIFY %(METHOD external", "\n"};
	struct kept *kept = add(0);
	buf_append_text(&kept->bytes, litter[dice_roll(4)]);
}

void folder_trouble(int64_t ms)
{
	troubled_until_ms = virtual_now_ms() + ms;
	if (dice_once_in(3))
		closed_until_ms = troubled_until_ms;
	for (struct kept *kept = first; kept; kept = kept->next)
		trouble(kept);
}

static void end_now(int64_t *until_ms)
{
	if (*until_ms > virtual_now_ms())
		*until_ms = virtual_now_ms();
}

void folder_forgive(void)
{
	end_now(&closed_until_ms);
	end_now(&troubled_until_ms);
	for (struct kept *kept = first; kept; kept = kept->next) {
		end_now(&kept->unreadable_until_ms);
		end_now(&kept->unremovable_until_ms);
	}
}

static struct kept *find_named(const char *name)
{
	struct kept *kept = first;
	while (kept && strcmp(kept->name, name) != 0)
		kept = kept->next;
	return kept;
}

void folder_taken(const struct spool_file *file)
{
	struct kept *kept = find_named(file->name);
	judge_rule(kept && kept->number, "a file that is taken in was kept, and holds an event");
	judge_rule(!kept->order, "no file is taken in twice in a life");
	kept->order = judge_next();
	judge_taken(kept->number);
}

void folder_done(const struct spool_file *file)
{
	struct kept *kept = find_named(file->name);
	kept->is_done = true;
	kept->since_ms = virtual_now_ms();
	judge_done(kept->number);
}

uint64_t folder_order(uint64_t number)
{
	const struct kept *kept = first;
	while (kept && kept->number != number)
		kept = kept->next;
	return kept ? kept->order : 0;
}

void folder_die(void)
{
	is_dying = true;
}

void folder_start(void)
{
	is_dying = false;
	is_watched_over = true;
	for (struct kept *kept = first; kept; kept = kept->next) {
		kept->order = 0;
		kept->is_done = false;
		kept->since_ms = virtual_now_ms();
	}
}

void folder_stop(void)
{
	is_watched_over = false;
}

/* Since when nothing has kept the daemon from handling the file. */
static int64_t free_since_ms(const struct kept *kept)
{
	int64_t ms = kept->since_ms;
	const int64_t troubles_ms[] = {
		closed_until_ms, kept->unreadable_until_ms, kept->unremovable_until_ms};
	for (unsigned i = 0; i < 3; i++)
		ms = troubles_ms[i] > ms ? troubles_ms[i] : ms;
	return ms;
}

void folder_look(void)
{
	for (const struct kept *kept = first; is_watched_over && kept; kept = kept->next) {
		int64_t free_ms = virtual_now_ms() - free_since_ms(kept);
		judge_rule(!kept->is_done || free_ms < SPOOL_LOOK_MS + SLACK_MS,
			"a file that the daemon is done with is removed as soon as it can be");
		/* The daemon retries files that could not be read or moved, with growing pauses. */
		judge_rule(kept->order || free_ms < SPOOL_RETRY_LONGEST_MS + SLACK_MS,
			"a file is taken in, or put aside as bad, as soon as it can be");
	}
}

size_t folder_files(void)
{
	size_t count = 0;
	for (const struct kept *kept = first; kept; kept = kept->next)
		count++;
	return count;
}

uint64_t folder_kept(void)
{
	return kept_count;
}

static void remove_kept(struct kept *kept)
{
	struct kept **at = &first;
	while (*at != kept)
		at = &(*at)->next;
	*at = kept->next;
	if (!kept->next)
		end = at;
	buf_fini(&kept->bytes);
	free(kept);
}

void folder_free(void)
{
	while (first)
		remove_kept(first);
}

/* What stands in for spooldisk. */

static bool settle(const struct spool_file *file)
{
	struct kept *kept = find_named(file->name);
	if (file->fate == SPOOLDISK_LEAVE)
		return true;
	if (is_dying && dice_roll(2))
		return false;
	if (virtual_now_ms() < kept->unremovable_until_ms)
		return false;
	judge_rule((file->fate == SPOOLDISK_REJECT) == !kept->number,
		"an event is never put aside as bad, any other file always");
	judge_rule(kept->is_done || !kept->number,
		"a file is removed when the daemon has said that it is done");
	remove_kept(kept);
	return true;
}

static void settle_all(struct spooldisk_work *work)
{
	struct spool_file *next;
	for (struct spool_file *file = TAILQ_FIRST(&work->settle); file; file = next) {
		next = TAILQ_NEXT(file, link);
		if (!settle(file)) {
			err_set(&work->trouble, -EACCES, "cannot remove");
			continue;
		}
		TAILQ_REMOVE(&work->settle, file, link);
		TAILQ_INSERT_TAIL(&work->settled, file, link);
	}
}

static void look(struct spooldisk *disk)
{
	spooldisk_drop_names(disk);
	disk->names = mem_alloc((folder_files() + 1) * sizeof(*disk->names));
	for (const struct kept *kept = first; kept; kept = kept->next) {
		if (!map_get(disk->known, kept->name, strlen(kept->name)) &&
			!spool_retry_waits(&disk->aside, kept->name, virtual_now_ms()))
			disk->names[disk->name_count++] = mem_dup(kept->name);
	}
	spool_retry_end_pass(&disk->aside);
}

static void read_next(struct spooldisk *disk, struct spooldisk_work *work)
{
	mem_auto char *name = disk->names[disk->next_name++];
	const struct kept *kept = find_named(name);
	if (!kept)
		return;
	if (virtual_now_ms() < kept->unreadable_until_ms) {
		spool_retry_failed(&disk->aside, name, true, virtual_now_ms());
		err_set(&work->trouble, -EACCES, "cannot read");
		return;
	}
	spool_retry_forget(&disk->aside, name);
	struct spool_file *file = mem_alloc_zero(1, sizeof(*file));
	file->name = mem_dup(name);
	file->size = kept->bytes.used;
	file->bytes = mem_dup_n((const char *)kept->bytes.data, kept->bytes.used);
	TAILQ_INSERT_TAIL(&work->found, file, link);
}

void spooldisk_do(struct spooldisk *disk, struct spooldisk_work *work)
{
	if (virtual_now_ms() < closed_until_ms) {
		err_set(&work->trouble, -EACCES, "cannot open");
		spooldisk_drop_names(disk);
		return;
	}
	settle_all(work);
	if (work->is_look)
		look(disk);
	for (size_t i = 0; spooldisk_has_names(disk) && i < work->files_max; i++)
		read_next(disk, work);
}

/* What stands in for libuv's watch of a folder. */

int uv_fs_event_init(uv_loop_t *loop, uv_fs_event_t *handle)
{
	(void)loop;
	handle->type = UV_FS_EVENT;
	return 0;
}

int uv_fs_event_start(
	uv_fs_event_t *handle, uv_fs_event_cb cb, const char *path, unsigned int flags)
{
	(void)path;
	(void)flags;
	watch = handle;
	on_watched = cb;
	return 0;
}

int uv_fs_event_stop(uv_fs_event_t *handle)
{
	if (watch == handle)
		watch = NULL;
	return 0;
}
