#include "dovecot/repeats.h"

#include "base/clock.h"

#include <ioloop.h>

struct told {
	char *key;
	char *json;
	size_t size;
	int64_t until_ms;
	bool again;
};

struct repeats {
	struct mail_user *user;
	repeats_tell_fn *tell;
	struct told told[REPEATS_MAX];
	unsigned count;
	struct timeout *timeout;
};

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
	repeats->told[i] = repeats->told[--repeats->count];
}

static void tell_again(struct repeats *repeats, struct told *told)
{
	told->again = false;
	T_BEGIN
	{
		repeats->tell(repeats->user, told->json, told->size);
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

bool repeats_holds(struct repeats *repeats, const char *key)
{
	for (unsigned i = 0; i < repeats->count; i++)
		if (!strcmp(repeats->told[i].key, key)) {
			repeats->told[i].again = true;
			return true;
		}
	return false;
}

void repeats_note(struct repeats *repeats, const char *key, const char *json, size_t size)
{
	int64_t now_ms = clock_monotonic_ms();
	/* Without a loop nothing would tell the rest. */
	if (repeats->count == REPEATS_MAX || !current_ioloop)
		return;
	repeats->told[repeats->count++] = (struct told){
		.key = i_strdup(key),
		.json = i_strndup(json, size),
		.size = size,
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
