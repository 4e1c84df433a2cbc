#include "arrival/user_names.h"

#include "base/clock.h"
#include "base/mem.h"
#include "event/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>

#define ENTRY_SIZE_MAX (1024 * 1024) /* of the system's */

struct known {
	uid_t uid;
	char *name;
	int64_t until_ms;
};

struct user_names {
	uv_loop_t *loop;
	struct known known[USER_NAMES_KEPT_MAX];
	size_t count;
	TAILQ_HEAD(, user_names_query) waiting; /* in their order */
	uv_timer_t timer;			/* the first one's deadline */

	uv_work_t work;
	bool is_working;
	uid_t uid;  /* asked for */
	char *name; /* the thread's answer; NULL: it did not get one */

	bool is_freed;
	bool is_closed; /* the timer */
};

static void begin(struct user_names *names);

struct user_names *user_names_new(uv_loop_t *loop)
{
	struct user_names *names = mem_alloc_zero(1, sizeof(*names));
	names->loop = loop;
	TAILQ_INIT(&names->waiting);
	uv_timer_init(loop, &names->timer);
	names->timer.data = names;
	names->work.data = names;
	return names;
}

static void free_if_over(struct user_names *names)
{
	if (!names->is_closed || names->is_working)
		return;
	for (size_t i = 0; i < names->count; i++)
		free(names->known[i].name);
	free(names->name);
	free(names);
}

static void on_closed(uv_handle_t *handle)
{
	struct user_names *names = handle->data;
	names->is_closed = true;
	free_if_over(names);
}

void user_names_free(struct user_names *names)
{
	if (!names)
		return;
	assert(TAILQ_EMPTY(&names->waiting));
	names->is_freed = true;
	uv_close((uv_handle_t *)&names->timer, on_closed);
}

bool user_names_know(const struct user_names *names, uid_t uid, const char **ret)
{
	int64_t now_ms = clock_monotonic_ms();
	for (size_t i = 0; i < names->count; i++) {
		const struct known *known = &names->known[i];
		if (known->uid != uid || known->until_ms <= now_ms)
			continue;
		*ret = known->name;
		return true;
	}
	return false;
}

/* Where the name of this uid is kept, or the one that is over first. */
static struct known *place_of(struct user_names *names, uid_t uid)
{
	struct known *oldest = &names->known[0];
	for (size_t i = 0; i < names->count; i++) {
		if (names->known[i].uid == uid)
			return &names->known[i];
		if (names->known[i].until_ms < oldest->until_ms)
			oldest = &names->known[i];
	}
	return names->count < USER_NAMES_KEPT_MAX ? &names->known[names->count++] : oldest;
}

static void remember(struct user_names *names, uid_t uid, const char *name)
{
	struct known *place = place_of(names, uid);
	free(place->name);
	*place = (struct known){.uid = uid,
		.name = mem_dup(name),
		.until_ms = clock_monotonic_ms() +
			(*name ? USER_NAMES_KEEP_MS : USER_NAMES_KEEP_NONE_MS)};
}

/* The system's answer; NULL: it failed to. */
static char *look_up(uid_t uid)
{
	for (size_t size = 4096; size <= ENTRY_SIZE_MAX; size *= 4) {
		mem_auto char *memory = mem_alloc(size);
		struct passwd entry;
		struct passwd *found = NULL;
		int failed = getpwuid_r(uid, &entry, memory, size, &found);
		if (failed == ERANGE)
			continue;
		if (found)
			return mem_dup(
				strlen(found->pw_name) <= MAILBOX_USER_MAX ? found->pw_name : "");
		return failed && failed != ENOENT && failed != ESRCH ? NULL : mem_dup("");
	}
	return NULL;
}

static void on_work(uv_work_t *work)
{
	struct user_names *names = work->data;
	names->name = look_up(names->uid);
}

static struct user_names_query *first_to_answer(const struct user_names *names)
{
	struct user_names_query *query;
	TAILQ_FOREACH(query, &names->waiting, link)
		if (query->is_to_answer)
			break;
	return query;
}

static void on_worked(uv_work_t *work, int status)
{
	struct user_names *names = work->data;
	mem_auto char *name = mem_steal(names->name);
	if (names->is_freed) {
		names->is_working = false;
		free_if_over(names);
		return;
	}
	if (!status && name)
		remember(names, names->uid, name);
	/* Whoever asks from within `answered` is answered by a later look. */
	struct user_names_query *query;
	TAILQ_FOREACH(query, &names->waiting, link)
		query->is_to_answer = query->uid == names->uid;
	while ((query = first_to_answer(names))) {
		TAILQ_REMOVE(&names->waiting, query, link);
		query->answered(query, name);
	}
	names->is_working = false;
	begin(names);
}

static void begin(struct user_names *names)
{
	const struct user_names_query *first = TAILQ_FIRST(&names->waiting);
	if (!first || names->is_working)
		return;
	names->uid = first->uid;
	names->is_working = true;
	uv_queue_work(names->loop, &names->work, on_work, on_worked);
}

static void on_timer(uv_timer_t *timer)
{
	struct user_names *names = timer->data;
	int64_t now_ms = clock_monotonic_ms();
	struct user_names_query *query;
	while ((query = TAILQ_FIRST(&names->waiting)) && query->deadline_ms <= now_ms) {
		TAILQ_REMOVE(&names->waiting, query, link);
		query->answered(query, NULL);
	}
	if (query)
		uv_timer_start(timer, on_timer, (uint64_t)(query->deadline_ms - now_ms), 0);
}

void user_names_ask(struct user_names *names, struct user_names_query *query)
{
	query->deadline_ms = clock_monotonic_ms() + USER_NAMES_WAIT_MS;
	query->is_to_answer = false;
	TAILQ_INSERT_TAIL(&names->waiting, query, link);
	if (!uv_is_active((uv_handle_t *)&names->timer))
		uv_timer_start(&names->timer, on_timer, USER_NAMES_WAIT_MS, 0);
	begin(names);
}

void user_names_drop(struct user_names *names, struct user_names_query *query)
{
	TAILQ_REMOVE(&names->waiting, query, link);
}
