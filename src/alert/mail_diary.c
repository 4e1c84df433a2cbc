#include "alert/mail_diary.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 101
#define LAST_MS INT64_C(100000000000000) /* the year 5138 */

enum choice { NOT_CHOSEN, ITS_BEGIN, ITS_END };

struct entry {
	char name[NAME_SIZE];
	char *text;
	bool stands;
	bool is_mailed; /* mailed as standing */
	unsigned stage;
	unsigned mailed_stage;
	unsigned begins;
	int64_t since_ms;
	int64_t ended_ms;
	int64_t mailed_begin_ms; /* 0: never */
	int64_t mailed_end_ms;
	enum choice choice;
	unsigned chosen_stage;
	unsigned chosen_begins;
};

struct mail_diary {
	struct entry entries[MAIL_DIARY_MAX];
	unsigned count;
};

struct mail_diary *mail_diary_new(void)
{
	return mem_alloc_zero(1, sizeof(struct mail_diary));
}

void mail_diary_free(struct mail_diary *diary)
{
	if (!diary)
		return;
	for (unsigned i = 0; i < diary->count; i++)
		free(diary->entries[i].text);
	free(diary);
}

static struct entry *find(struct mail_diary *diary, const char *name)
{
	for (unsigned i = 0; i < diary->count; i++)
		if (!strcmp(diary->entries[i].name, name))
			return &diary->entries[i];
	return NULL;
}

/* A new one, or the one that was mailed longest ago of those that are over; NULL: there is none. */
static struct entry *find_place(struct mail_diary *diary)
{
	if (diary->count < MAIL_DIARY_MAX)
		return &diary->entries[diary->count++];
	struct entry *oldest = NULL;
	for (unsigned i = 0; i < diary->count; i++) {
		struct entry *entry = &diary->entries[i];
		if (!entry->stands && !entry->is_mailed && !entry->choice &&
			(!oldest || entry->mailed_begin_ms < oldest->mailed_begin_ms))
			oldest = entry;
	}
	if (oldest)
		free(oldest->text);
	return oldest;
}

bool mail_diary_stands(
	struct mail_diary *diary, const char *name, const char *text, int64_t now_unix_ms)
{
	struct entry *entry = find(diary, name);
	if (!entry) {
		entry = strlen(name) < NAME_SIZE ? find_place(diary) : NULL;
		if (!entry)
			return false;
		*entry = (struct entry){0};
		strcpy(entry->name, name);
	}
	if (!entry->stands) {
		entry->stands = true;
		entry->stage = 0;
		entry->since_ms = now_unix_ms;
		entry->begins++;
	}
	free(entry->text);
	entry->text = mem_dup(text);
	return true;
}

void mail_diary_worsens(struct mail_diary *diary, const char *name, unsigned stage)
{
	struct entry *entry = find(diary, name);
	if (entry)
		entry->stage = stage < MAIL_DIARY_STAGE_MAX ? stage : MAIL_DIARY_STAGE_MAX;
}

void mail_diary_ends(struct mail_diary *diary, const char *name, int64_t now_unix_ms)
{
	struct entry *entry = find(diary, name);
	if (!entry || !entry->stands)
		return;
	entry->stands = false;
	entry->ended_ms = now_unix_ms;
}

/* A day after `mailed_ms`, or at once if that lies in the future, as the clock was wrong then. */
static int64_t day_after(int64_t mailed_ms, int64_t now_ms)
{
	return mailed_ms && mailed_ms <= now_ms ? mailed_ms + CLOCK_DAY_MS : now_ms;
}

static int64_t due(const struct entry *entry, int64_t now_ms)
{
	if (entry->stands && (!entry->is_mailed || entry->stage > entry->mailed_stage))
		return day_after(entry->mailed_begin_ms, now_ms);
	if (entry->stands || !entry->is_mailed)
		return INT64_MAX;
	int64_t settled_ms = entry->ended_ms <= now_ms ? entry->ended_ms + MAIL_DIARY_SETTLE_MS : 0;
	int64_t allowed_ms = day_after(entry->mailed_end_ms, now_ms);
	return settled_ms > allowed_ms ? settled_ms : allowed_ms;
}

int64_t mail_diary_next(const struct mail_diary *diary, int64_t now_unix_ms)
{
	int64_t next_ms = INT64_MAX;
	for (unsigned i = 0; i < diary->count; i++) {
		int64_t due_ms = due(&diary->entries[i], now_unix_ms);
		if (due_ms < next_ms)
			next_ms = due_ms;
	}
	return next_ms;
}

unsigned mail_diary_choose(struct mail_diary *diary, int64_t now_unix_ms)
{
	unsigned count = 0;
	for (unsigned i = 0; i < diary->count; i++) {
		struct entry *entry = &diary->entries[i];
		entry->choice = NOT_CHOSEN;
		if (due(entry, now_unix_ms) > now_unix_ms)
			continue;
		entry->choice = entry->stands ? ITS_BEGIN : ITS_END;
		entry->chosen_stage = entry->stage;
		entry->chosen_begins = entry->begins;
		count++;
	}
	return count;
}

void mail_diary_each(const struct mail_diary *diary, mail_diary_each_fn *each, void *ctx)
{
	for (unsigned i = 0; i < diary->count; i++) {
		const struct entry *entry = &diary->entries[i];
		if (!entry->choice)
			continue;
		const struct mail_diary_news news = {.name = entry->name,
			.text = entry->text ? entry->text : "",
			.is_end = entry->choice == ITS_END,
			.since_unix_ms = entry->since_ms,
			.begins = entry->choice == ITS_END ? 0 : entry->chosen_begins};
		each(ctx, &news);
	}
}

static void settle(struct entry *entry, int64_t now_ms)
{
	if (entry->choice == ITS_BEGIN)
		entry->mailed_begin_ms = now_ms;
	else if (entry->choice == ITS_END)
		entry->mailed_end_ms = now_ms;
	else
		return;
	entry->is_mailed = entry->choice == ITS_BEGIN;
	entry->mailed_stage = entry->is_mailed ? entry->chosen_stage : 0;
	entry->begins -= entry->chosen_begins;
	entry->choice = NOT_CHOSEN;
}

void mail_diary_settle(struct mail_diary *diary, bool is_mailed, int64_t now_unix_ms)
{
	for (unsigned i = 0; i < diary->count; i++) {
		if (is_mailed)
			settle(&diary->entries[i], now_unix_ms);
		diary->entries[i].choice = NOT_CHOSEN;
	}
}

/* "MAILED_BEGIN MAILED_END STAGE NAME", the stage being - if it was mailed as over. */
void mail_diary_write(const struct mail_diary *diary, int64_t now_unix_ms, struct buf *ret)
{
	for (unsigned i = 0; i < diary->count; i++) {
		struct entry entry = diary->entries[i];
		char stage[16] = "-";
		settle(&entry, now_unix_ms);
		if (!entry.mailed_begin_ms)
			continue;
		if (entry.is_mailed)
			snprintf(stage, sizeof(stage), "%u", entry.mailed_stage);
		buf_printf(ret, "%" PRId64 " %" PRId64 " %s %s\n", entry.mailed_begin_ms,
			entry.mailed_end_ms, stage, entry.name);
	}
}

/* A number and the space behind it. */
static bool read_number(const char **text, int64_t *ret)
{
	char *end;
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*ret = strtoll(*text, &end, 10);
	if (errno || *ret > LAST_MS || *end != ' ')
		return false;
	*text = end + 1;
	return true;
}

static bool read_line(const char *line, size_t size, struct entry *ret)
{
	char copy[256];
	const char *text = copy;
	int64_t stage = 0;
	if (size >= sizeof(copy) || memchr(line, '\0', size))
		return false;
	memcpy(copy, line, size);
	copy[size] = '\0';
	*ret = (struct entry){0};
	if (!read_number(&text, &ret->mailed_begin_ms) || !ret->mailed_begin_ms ||
		!read_number(&text, &ret->mailed_end_ms))
		return false;
	if (!strncmp(text, "- ", 2))
		text += 2;
	else if (read_number(&text, &stage) && stage <= MAIL_DIARY_STAGE_MAX)
		ret->is_mailed = true;
	else
		return false;
	ret->mailed_stage = (unsigned)stage;
	if (!*text || strlen(text) >= NAME_SIZE)
		return false;
	strcpy(ret->name, text);
	return true;
}

void mail_diary_read(struct mail_diary *diary, const char *text, size_t size, int64_t now_unix_ms)
{
	const char *end = text + size;
	while (text < end && diary->count < MAIL_DIARY_MAX) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			return;
		struct entry entry;
		if (read_line(text, (size_t)(newline - text), &entry) && !find(diary, entry.name)) {
			entry.ended_ms = now_unix_ms;
			diary->entries[diary->count++] = entry;
		}
		text = newline + 1;
	}
}
