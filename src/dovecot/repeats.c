#include "dovecot/repeats.h"

#include "base/clock.h"

#include <ioloop.h>

struct told {
	char *key;
	char *json; /* without its flags and its end */
	int64_t until_ms;
	bool again;
	bool is_of_flags;
	struct repeats_flags flags; /* since it was sent */
};

struct repeats {
	struct mail_user *user;
	repeats_tell_fn *tell;
	struct told told[REPEATS_MAX];
	unsigned count;
	struct timeout *timeout;
};

void repeats_flags_add_keyword(struct repeats_flags *set, const char *keyword)
{
	for (unsigned i = 0; i < set->count; i++)
		if (!strcasecmp(set->keywords[i], keyword))
			return;
	if (set->count < REPEATS_KEYWORDS_MAX && strlen(keyword) <= REPEATS_KEYWORD_BYTES)
		set->keywords[set->count++] = i_strdup(keyword);
}

static void merge_flags(struct repeats_flags *set, const struct repeats_flags *from)
{
	set->flags |= from->flags;
	for (unsigned i = 0; i < from->count; i++)
		repeats_flags_add_keyword(set, from->keywords[i]);
}

void repeats_flags_clear(struct repeats_flags *set)
{
	for (unsigned i = 0; i < set->count; i++)
		i_free(set->keywords[i]);
	set->count = 0;
	set->flags = 0;
}

void repeats_flags_write(const struct repeats_flags *set, struct buf *json)
{
	static const struct {
		enum mail_flags flag;
		const char *name;
	} flags[] = {
		{MAIL_ANSWERED, "\\Answered"},
		{MAIL_FLAGGED, "\\Flagged"},
		{MAIL_DELETED, "\\Deleted"},
		{MAIL_SEEN, "\\Seen"},
		{MAIL_DRAFT, "\\Draft"},
	};
	const char *all[REPEATS_KEYWORDS_MAX + N_ELEMENTS(flags)];
	size_t count = 0;
	for (size_t i = 0; i < N_ELEMENTS(flags); i++)
		if (set->flags & flags[i].flag)
			all[count++] = flags[i].name;
	for (unsigned i = 0; i < set->count; i++)
		all[count++] = set->keywords[i];
	json_text_add_strings(json, "flags", all, count);
}

struct repeats *repeats_new(struct mail_user *user, repeats_tell_fn *tell)
{
	struct repeats *repeats = i_new(struct repeats, 1);
	repeats->user = user;
	repeats->tell = tell;
	return repeats;
}

static void forget(struct repeats *repeats, unsigned i)
{
	i_free(repeats->told[i].key);
	i_free(repeats->told[i].json);
	repeats_flags_clear(&repeats->told[i].flags);
	repeats->told[i] = repeats->told[--repeats->count];
}

static void tell_again(struct repeats *repeats, struct told *told)
{
	buf_auto struct buf json;
	buf_init(&json);
	buf_append_text(&json, told->json);
	if (told->is_of_flags)
		repeats_flags_write(&told->flags, &json);
	json_text_end(&json);
	told->again = false;
	repeats_flags_clear(&told->flags);
	T_BEGIN
	{
		repeats->tell(repeats->user, (const char *)json.data, json.used);
	}
	T_END;
}

static void on_timeout(struct repeats *repeats);

static void wait_for_the_next(struct repeats *repeats, int64_t now_ms)
{
	int64_t next_ms = now_ms + REPEATS_MS;
	timeout_remove(&repeats->timeout);
	for (unsigned i = 0; i < repeats->count; i++)
		next_ms = I_MIN(next_ms, repeats->told[i].until_ms);
	/* Loops within the one of the process end before us. */
	if (repeats->count)
		repeats->timeout = timeout_add_to(io_loop_get_root(),
			(unsigned)I_MAX(next_ms - now_ms, 1), on_timeout, repeats);
}

static void on_timeout(struct repeats *repeats)
{
	int64_t now_ms = clock_monotonic_ms();
	for (unsigned i = repeats->count; i-- > 0;) {
		struct told *told = &repeats->told[i];
		if (told->until_ms > now_ms)
			continue;
		if (told->again) {
			tell_again(repeats, told);
			told->until_ms = now_ms + REPEATS_MS;
		} else {
			forget(repeats, i);
		}
	}
	wait_for_the_next(repeats, now_ms);
}

bool repeats_holds(struct repeats *repeats, const char *key, const struct repeats_flags *flags)
{
	for (unsigned i = 0; i < repeats->count; i++) {
		struct told *told = &repeats->told[i];
		if (strcmp(told->key, key) != 0)
			continue;
		told->again = true;
		told->is_of_flags = flags != NULL;
		if (flags)
			merge_flags(&told->flags, flags);
		return true;
	}
	return false;
}

void repeats_note(struct repeats *repeats, const char *key, const char *json)
{
	int64_t now_ms = clock_monotonic_ms();
	/* Without a loop nothing would tell the rest. */
	if (repeats->count == REPEATS_MAX || !current_ioloop)
		return;
	repeats->told[repeats->count++] = (struct told){
		.key = i_strdup(key),
		.json = i_strdup(json),
		.until_ms = now_ms + REPEATS_MS,
	};
	if (!repeats->timeout)
		wait_for_the_next(repeats, now_ms);
}

void repeats_flush(struct repeats *repeats)
{
	for (unsigned i = 0; i < repeats->count; i++)
		if (repeats->told[i].again)
			tell_again(repeats, &repeats->told[i]);
}

void repeats_free(struct repeats **repeats)
{
	if (!*repeats)
		return;
	repeats_flush(*repeats);
	while ((*repeats)->count)
		forget(*repeats, 0);
	timeout_remove(&(*repeats)->timeout);
	i_free(*repeats);
}
